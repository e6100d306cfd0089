//! What is rendered from the example inventory, byte for byte.
//!
//! `tests/golden/c` holds every file of the live plan and way; beside it, each other plan and way with the files that differ from those. Of
//! a file that is no text, its SHA-256 is kept. `BLESS=1` writes all of it anew; read the difference before it is committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fmc_provision::render;

/// The directory, the plan, the way.
const CHOICES: [(&str, &str, &str); 4] =
    [("c", "c", "router"), ("a", "a", "router"), ("b", "b", "router"), ("c-vps", "c", "vps")];

type Tree = BTreeMap<String, Vec<u8>>;

#[test]
fn the_rendered_files_are_those_that_were_agreed_on() {
    let live = rendered("c", "router");
    for (directory, plan, way) in CHOICES {
        let mut tree = rendered(plan, way);
        if directory != "c" {
            tree.retain(|path, content| live.get(path) != Some(content));
        }
        let tree: Tree = tree.into_iter().map(|(path, content)| legible(path, content)).collect();
        compare(&golden().join(directory), &tree);
    }
}

#[test]
fn the_same_inventory_is_rendered_into_the_same_bytes() {
    for (_, plan, way) in CHOICES {
        assert!(rendered(plan, way) == rendered(plan, way), "plan {plan}, way {way}");
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for artifact in render::artifacts(&lab("c", "router")) {
        assert!(!artifact.purpose.is_empty() && !artifact.purpose.contains('\n'), "{}", artifact.path);
    }
}

#[test]
fn every_file_stands_in_the_reference() {
    let page = fs::read_to_string(root().join("../docs/reference/lab-files.md")).expect("the page");
    let cells = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let patterns: Vec<_> = cells.collect();
    let mut used = vec![false; patterns.len()];
    for path in CHOICES.iter().flat_map(|(_, plan, way)| rendered(plan, way).into_keys()) {
        let at = patterns.iter().position(|pattern| fits(pattern, &path));
        used[at.unwrap_or_else(|| panic!("{path} is missing from docs/reference/lab-files.md"))] = true;
    }
    let unused: Vec<_> = patterns.iter().zip(used).filter(|(_, used)| !used).collect();
    assert!(unused.is_empty(), "docs/reference/lab-files.md names files that are not rendered: {unused:?}");
}

/// `*` stands for any text without a slash.
fn fits(pattern: &str, path: &str) -> bool {
    let (mut parts, mut names) = (pattern.split('/'), path.split('/'));
    let part = |pattern: &str, name: &str| match pattern.split_once('*') {
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
        None => pattern == name,
    };
    loop {
        match (parts.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if part(pattern, name) => {}
            _ => return false,
        }
    }
}

fn lab(plan: &str, way: &str) -> fmc_provision::lab::Lab {
    let text = fs::read_to_string(root().join("examples/flatcar-micro-cloud.toml")).expect("the example");
    let (checked, _) = fmc_provision::read(&text, "example").unwrap_or_else(|found| panic!("{}", found.render(false)));
    checked.lab(Some(plan), Some(way)).expect("the plan and the way exist")
}

fn rendered(plan: &str, way: &str) -> Tree {
    let artifacts = render::artifacts(&lab(plan, way)).into_iter();
    artifacts.map(|artifact| (artifact.path, artifact.content)).collect()
}

fn legible(path: String, content: Vec<u8>) -> (String, Vec<u8>) {
    if std::str::from_utf8(&content).is_ok_and(|text| !text.contains('\0')) {
        return (path, content);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, &content);
    let digits: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    (format!("{path}.sha256"), format!("{digits}\n").into_bytes())
}

fn compare(directory: &Path, tree: &Tree) {
    if std::env::var_os("BLESS").is_some() {
        let _there_may_be_none = fs::remove_dir_all(directory);
        for (path, content) in tree {
            let file = directory.join(path);
            fs::create_dir_all(file.parent().expect("it is below the directory")).expect("a directory");
            fs::write(file, content).expect("a golden file");
        }
    }
    let agreed = read(directory, directory);
    let shown = |content: Option<&Vec<u8>>| content.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    for path in agreed.keys().chain(tree.keys()) {
        let (agreed, rendered) = (agreed.get(path), tree.get(path));
        assert!(
            agreed == rendered,
            "{}/{path} differs (BLESS=1 takes the new one):\n--- agreed\n{}\n--- rendered\n{}",
            directory.display(),
            shown(agreed).unwrap_or("(no such file)".to_owned()),
            shown(rendered).unwrap_or("(no such file)".to_owned()),
        );
    }
}

fn read(directory: &Path, below: &Path) -> Tree {
    let mut tree = Tree::new();
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            tree.extend(read(&path, below));
        } else {
            let name = path.strip_prefix(below).expect("it is below").to_string_lossy().into_owned();
            tree.insert(name, fs::read(&path).expect("a golden file"));
        }
    }
    tree
}

fn golden() -> PathBuf {
    root().join("tests/golden")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
