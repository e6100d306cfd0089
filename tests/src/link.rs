//! Links between the machines of a lab, and how they are broken without netem.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::namespace::Namespace;

/// Runs lines of `ip -batch` in one process: a lab is ~80 of them, and a process each would take seconds.
///
/// # Panics
/// With what `ip` said, when a line fails.
pub fn ip_batch(namespace: Option<&Namespace>, lines: &[String]) {
    let mut command = Command::new("ip");
    if let Some(namespace) = namespace {
        command.args(["-n", namespace.name()]);
    }
    command.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("ip (package iproute2) starts");
    let mut input = child.stdin.take().expect("standard input is piped");
    input.write_all((lines.join("\n") + "\n").as_bytes()).expect("ip reads its lines");
    drop(input);
    let output = child.wait_with_output().expect("ip ends");
    assert!(output.status.success(), "ip -batch: {}\n{}", String::from_utf8_lossy(&output.stderr), lines.join("\n"));
}

/// The port of a bridge that a machine is plugged into.
#[derive(Debug)]
pub struct Port<'a> {
    /// The namespace that holds the bridge.
    pub host: &'a Namespace,
    /// The bridge.
    pub bridge: &'a str,
    /// The bridge's side of the cable.
    pub name: &'a str,
}

impl Port<'_> {
    /// Takes the port out of the bridge: no frame passes, yet the machine's carrier stays up, as behind a dead switch.
    pub fn unplug(&self) {
        self.host.expect("ip", &["link", "set", self.name, "nomaster"]);
    }

    /// Puts it back.
    pub fn plug(&self) {
        self.host.expect("ip", &["link", "set", self.name, "master", self.bridge]);
    }
}

/// Drops what comes in to a machine by nftables, `rule` being a match such as `tcp dport 443`; empty: everything.
pub fn drop_incoming(machine: &Namespace, rule: &str) {
    let table =
        format!("table inet fmc_lab {{ chain in {{ type filter hook input priority -10; {rule} counter drop; }}; }}");
    machine.expect("nft", &[&table]);
}

/// Refuses `percent` of the new connections to a port of a machine, at random, as a server that keeps crashing does;
/// those that are open go on. Ended by [`stop_dropping`].
pub fn refuse_incoming(machine: &Namespace, port: u16, percent: u8) {
    let some = format!("tcp dport {port} tcp flags & (syn | ack) == syn numgen random mod 100 < {percent}");
    let chain = format!("chain in {{ type filter hook input priority -10; {some} counter reject with tcp reset; }}");
    machine.expect("nft", &[&format!("table inet fmc_lab {{ {chain}; }}")]);
}

/// Ends [`drop_incoming`] and [`refuse_incoming`].
pub fn stop_dropping(machine: &Namespace) {
    machine.expect("nft", &["delete table inet fmc_lab"]);
}
