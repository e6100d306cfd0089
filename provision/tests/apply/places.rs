//! Places that are directories: scripts run by the real sh(1), and programs that keep what they were told.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use fmc_provision::apply::{Said, Shell};
use tempfile::TempDir;

/// Programs that a script may call and that must not be this machine's own.
const PROGRAMS: [&str; 10] =
    ["systemctl", "sysctl", "nmcli", "networkctl", "nft", "unshare", "virsh", "cloud-init", "fmc-lbctl", "restorecon"];

/// Directories, and how many commands they still take.
pub(crate) struct Places {
    directory: TempDir,
    /// Commands that were run.
    pub(crate) commands: usize,
    /// After how many the connection is lost.
    pub(crate) lost_after: Option<usize>,
}

impl Places {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let programs = directory.path().join("bin");
        fs::create_dir(&programs).expect("a directory");
        let fake = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apply/programs/fake");
        for program in PROGRAMS {
            std::os::unix::fs::symlink(&fake, programs.join(program)).expect("a link");
        }
        Self { directory, commands: 0, lost_after: None }
    }

    pub(crate) fn root(&self, place: &str) -> PathBuf {
        self.directory.path().join(place).join("root")
    }

    /// What the programs of a place were told.
    pub(crate) fn told(&self, place: &str) -> PathBuf {
        self.directory.path().join(place).join("told")
    }

    /// Every file of every place with its content.
    pub(crate) fn state(&self) -> BTreeMap<PathBuf, String> {
        let mut state = BTreeMap::new();
        read(self.directory.path(), self.directory.path(), &mut state);
        state
    }

    fn command(&self, place: &str, script: &str) -> Command {
        let (root, told) = (self.root(place), self.told(place));
        fs::create_dir_all(&root).expect("a directory");
        fs::create_dir_all(&told).expect("a directory");
        let mut command = Command::new("sh");
        let path =
            format!("{}:{}", self.directory.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
        command.args(["-c", script]).env("FMC_ROOT", root).env("FAKE", told).env("PATH", path);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

impl Shell for Places {
    fn run(&mut self, place: &str, script: &str, stdin: &[u8], _: Duration) -> Result<Said, String> {
        if self.lost_after.is_some_and(|after| self.commands >= after) {
            return Err("the connection is lost".to_owned());
        }
        self.commands += 1;
        let mut child = self.command(place, script).spawn().expect("sh starts");
        let mut input = child.stdin.take().expect("it is piped");
        // A script that reads nothing may have ended before.
        let _ = input.write_all(stdin);
        drop(input);
        let output = child.wait_with_output().expect("sh ends");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) })
    }

    fn contact(&mut self, place: &str) -> Result<(), String> {
        self.run(place, ":", &[], Duration::from_secs(1)).map(drop)
    }

    fn pause(&mut self, _: Duration) {}
}

fn read(directory: &Path, below: &Path, state: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            read(&path, below, state);
        } else {
            let content = String::from_utf8_lossy(&fs::read(&path).expect("a file")).into_owned();
            state.insert(path.strip_prefix(below).expect("it is below").to_owned(), content);
        }
    }
}
