//! Asking other programs, whose words are English whatever the locale.

use std::process::{Command, Stdio};

use serde_json::Value;

/// What a program prints; `None`: it is not installed, or it refuses.
pub(super) fn text(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).stderr(Stdio::null());
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same as JSON.
pub(super) fn json(program: &str, arguments: &[&str]) -> Option<Value> {
    serde_json::from_str(&text(program, arguments)?).ok()
}

/// A setting of the kernel, by its path below /proc/sys.
pub(super) fn setting(path: &str) -> Option<u64> {
    std::fs::read_to_string(format!("/proc/sys/{path}")).ok()?.trim().parse().ok()
}
