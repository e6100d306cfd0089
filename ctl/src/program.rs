//! Asking other programs, whose words are English whatever the locale.

use std::io;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// Runs a program to its end.
///
/// # Errors
/// It is not installed.
pub(crate) fn output(program: &str, arguments: &[&str]) -> io::Result<Output> {
    Command::new(program).args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).output()
}

/// What a program prints; `None`: it is not installed, or it refuses.
pub(crate) fn text(program: &str, arguments: &[&str]) -> Option<String> {
    let output = output(program, arguments).ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same as JSON.
pub(crate) fn json(program: &str, arguments: &[&str]) -> Option<Value> {
    serde_json::from_str(&text(program, arguments)?).ok()
}

/// A setting of the kernel, by its path below /proc/sys.
pub(crate) fn setting(path: &str) -> Option<u64> {
    std::fs::read_to_string(format!("/proc/sys/{path}")).ok()?.trim().parse().ok()
}
