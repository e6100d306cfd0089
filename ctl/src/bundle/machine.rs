//! What the machine says, as its own programs and files say it.

use super::Bundle;
use crate::program;

const PROGRAMS: [(&str, &[&str]); 16] = [
    ("machine/kernel.txt", &["uname", "-a"]),
    ("machine/addresses.txt", &["ip", "-d", "-s", "address"]),
    ("machine/routes.txt", &["ip", "-d", "route", "show", "table", "all"]),
    ("machine/rules.txt", &["ip", "rule"]),
    ("machine/neighbours.txt", &["ip", "-s", "neighbour"]),
    ("machine/listening.txt", &["ss", "-Hltunp"]),
    ("machine/connections.txt", &["ss", "-s"]),
    ("machine/firewall.txt", &["nft", "list", "ruleset"]),
    ("machine/firewalld.txt", &["firewall-cmd", "--list-all-zones"]),
    ("machine/selinux.txt", &["sestatus"]),
    ("machine/clock.txt", &["timedatectl"]),
    (
        "machine/settings.txt",
        &["sysctl", "-a", "-r", r"^net\.(ipv4\.(conf|ip_local|tcp_)|netfilter\.nf_conntrack)|^fs\.file"],
    ),
    ("service/unit.txt", &["systemctl", "cat", "fmc-lb"]),
    ("service/state.txt", &["systemctl", "show", "fmc-lb"]),
    (
        "service/journal.txt",
        &["journalctl", "--unit=fmc-lb", "--lines=5000", "--no-pager", "--output=short-iso-precise"],
    ),
    ("service/kernel-log.txt", &["journalctl", "--dmesg", "--lines=200", "--no-pager", "--output=short-iso-precise"]),
];

const FILES: [(&str, &str); 5] = [
    ("machine/os.txt", "/etc/os-release"),
    ("machine/memory.txt", "/proc/meminfo"),
    ("machine/pressure.txt", "/proc/pressure/cpu"),
    ("machine/tcp.txt", "/proc/net/netstat"),
    ("machine/sockets.txt", "/proc/net/sockstat"),
];

pub(super) fn gather(bundle: &mut Bundle) {
    for (name, words) in PROGRAMS {
        bundle.put(name, said_by(words));
    }
    for (name, path) in FILES {
        bundle.put(name, std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}")));
    }
}

/// In seconds: a journal or a firewall's daemon that hangs is a finding too, and must not hang the rest.
const WITHIN: &str = "10";

/// What a program prints, its complaints too: a refusal is a finding.
fn said_by(words: &[&str]) -> Result<String, String> {
    let output = program::output("timeout", &[&[WITHIN], words].concat());
    let output = output.map_err(|error| format!("{}: {error}", words[0]))?;
    match output.status.code() {
        Some(124) => return Err(format!("{} has not answered within {WITHIN} s", words[0])),
        Some(127) => return Err(format!("{} is not installed", words[0])),
        _ => {}
    }
    Ok([output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat())
}
