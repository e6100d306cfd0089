//! The Rust files of the workspace, for tests that read them as text.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory of the workspace.
///
/// # Panics
/// When the tests run where the workspace is not.
pub fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("the workspace")
}

/// The manifest of every member, by its directory.
///
/// # Panics
/// When the workspace's manifest lists no members, or one of them has no manifest.
pub fn manifests() -> BTreeMap<String, String> {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace's manifest");
    let line = workspace.lines().find(|line| line.starts_with("members")).expect("a list of members");
    let members = line.split('"').skip(1).step_by(2).map(str::to_owned);
    members.map(|member| (member.clone(), manifest(&member))).collect()
}

/// The manifest of one member.
///
/// # Panics
/// When it cannot be read.
pub fn manifest(member: &str) -> String {
    let path = root().join(member).join("Cargo.toml");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file of every member, in order.
///
/// # Panics
/// When hardly any is found: a test that looks at nothing must not pass.
pub fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for member in manifests().into_keys() {
        for folder in ["src", "tests", "scenarios", "benches"] {
            collect(&root().join(&member).join(folder), &mut found);
        }
    }
    assert!(found.len() > 50, "only {} source files were found", found.len());
    found.sort();
    found.dedup();
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
