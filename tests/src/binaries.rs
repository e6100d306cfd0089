//! Where the programs under test are: beside the test, built by the same cargo.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

static BUILT: Once = Once::new();

/// `./check` has built both before all tests and says so here: while some run, cargo must not put another file in the place of one.
const IS_BUILT: &str = "FMC_PRODUCT_IS_BUILT";

/// The path of `fmc-lb` or `fmc-lbctl`.
///
/// Run by cargo, it first builds both once, so that no scenario ever judges an old binary: cargo itself builds only the
/// binaries of the package under test.
///
/// # Panics
/// When the build fails, or the binary is not there.
pub fn product(name: &str) -> PathBuf {
    BUILT.call_once(build);
    beside(name)
}

/// The path of a binary of this package.
///
/// # Panics
/// When it is not there.
pub fn beside(name: &str) -> PathBuf {
    let path = directory().join(name);
    assert!(path.exists(), "{} is missing; run: cargo build --workspace", path.display());
    path
}

fn build() {
    if std::env::var_os(IS_BUILT).is_some() {
        return;
    }
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "-p", "fmc-daemon", "-p", "fmc-ctl"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if directory().ends_with("release") {
        command.arg("--release");
    }
    // What cargo says of this package to its tests would be news to build scripts that look at it (ring's does), and they and all
    // that depends on them would be built again in each run.
    let of_this_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| of_this_package(name)) {
        command.env_remove(name);
    }
    let status = command.status().expect("cargo starts");
    assert!(status.success(), "fmc-lb and fmc-lbctl do not build");
}

/// `target/debug` or `target/release`; test executables are one level below, in `deps`.
fn directory() -> PathBuf {
    let executable = std::env::current_exe().expect("a path of this executable");
    let beside = executable.parent().unwrap_or(Path::new("."));
    let above = if beside.ends_with("deps") { beside.parent().unwrap_or(beside) } else { beside };
    above.to_owned()
}
