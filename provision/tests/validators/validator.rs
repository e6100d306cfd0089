//! Running a validator on the rendered files of every plan and way.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fmc_provision::render;
use tempfile::TempDir;

/// Plans and ways of the example.
pub(crate) const CHOICES: [(&str, &str); 4] = [("a", "router"), ("b", "router"), ("c", "router"), ("c", "vps")];

/// The example under a plan and a way, rendered into a directory that goes with it.
pub(crate) struct Rendered {
    directory: TempDir,
}

/// What a validator said.
pub(crate) struct Verdict {
    pub(crate) accepted: bool,
    pub(crate) said: String,
}

/// The example under every plan and way.
pub(crate) fn every_choice() -> impl Iterator<Item = Rendered> {
    CHOICES.into_iter().map(|(plan, way)| Rendered::new(plan, way))
}

impl Rendered {
    pub(crate) fn new(plan: &str, way: &str) -> Self {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/flatcar-micro-cloud.toml");
        let text = fs::read_to_string(example).expect("the example");
        let (checked, _) = fmc_provision::read(&text, "example").expect("the example is right");
        let lab = checked.lab(Some(plan), Some(way)).expect("the plan and the way exist");
        let directory = scratch();
        for artifact in render::artifacts(&lab) {
            put(&directory.path().join(artifact.path), &artifact.content);
        }
        Self { directory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The files whose path from the root of the rendered tree is accepted by `chosen`; there is one at least.
    pub(crate) fn files(&self, chosen: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let mut found = Vec::new();
        below(self.path(), &mut found);
        let name = |file: &PathBuf| file.strip_prefix(self.path()).expect("it is below").to_string_lossy().into_owned();
        found.retain(|file| chosen(&name(file)));
        found.sort();
        found
    }

    pub(crate) fn text(&self, path: &str) -> String {
        let file = self.path().join(path);
        fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }
}

fn below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { below(&path, found) } else { found.push(path) }
    }
}

pub(crate) fn scratch() -> TempDir {
    TempDir::new().expect("a scratch directory")
}

pub(crate) fn put(file: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(file.parent().expect("it is in a directory")).expect("a directory");
    fs::write(file, content).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// A wrong file in a scratch directory.
pub(crate) fn wrong(name: &str, content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = scratch();
    let file = directory.path().join(name);
    put(&file, content);
    (directory, file)
}

/// Runs a validator: accepted is exit 0 and nothing on standard error but what `noise` explains.
pub(crate) fn judge<A: AsRef<OsStr>>(program: &str, arguments: &[A], noise: impl Fn(&str) -> bool) -> Verdict {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).env("LC_ALL", "C");
    outcome(program, &mut command, noise)
}

/// As [`judge`], of a command that was made elsewhere.
pub(crate) fn outcome(program: &str, command: &mut Command, noise: impl Fn(&str) -> bool) -> Verdict {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; tests/setup installs the validators"));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let silent = stderr.lines().all(|line| line.trim().is_empty() || noise(line));
    Verdict { accepted: output.status.success() && silent, said: format!("{}\n{stdout}{stderr}", output.status) }
}

/// Runs a script in a network of its own, which goes with it.
pub(crate) fn in_namespace(script: &str) -> Verdict {
    judge("unshare", &["--net", "--mount", "sh", "-euc", script], no_noise)
}

pub(crate) fn no_noise(_: &str) -> bool {
    false
}

impl Verdict {
    #[track_caller]
    pub(crate) fn accepts(&self, what: impl std::fmt::Display) {
        assert!(self.accepted, "{what} is refused: {}", self.said);
    }

    #[track_caller]
    pub(crate) fn refuses(&self, what: impl std::fmt::Display) {
        assert!(!self.accepted, "the validator accepts {what}, so it proves nothing: {}", self.said);
    }
}
