//! The machine itself: kernel, systemd, C library, capabilities, users, SELinux, clock.

use std::path::Path;

use super::{Findings, Message};
use crate::program;

/// AlmaLinux 9's.
const KERNEL: [u32; 2] = [5, 14];
const SYSTEMD: [u32; 2] = [252, 0];
const GLIBC: [u32; 2] = [2, 34];

/// What the service starts with (capabilities(7)), by the bit of each.
const CAPABILITIES: [(&str, u32); 4] =
    [("CAP_NET_ADMIN", 12), ("CAP_NET_RAW", 13), ("CAP_NET_BIND_SERVICE", 10), ("CAP_SETUID", 7)];

const USERS: [&str; 2] = ["fmc-lb", "fmc-lb-keeper"];

/// The package puts it there.
const PROGRAM: &str = "/usr/bin/fmc-lb";

pub(super) fn examine(found: &mut Findings) {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    version("kernel", kernel.trim(), KERNEL, Message::Kernel, Message::OldKernel, found);
    match program::text("systemctl", &["--version"]) {
        Some(said) => {
            let said = said.split_whitespace().nth(1).unwrap_or_default();
            version("systemd", said, SYSTEMD, Message::Systemd, Message::OldSystemd, found);
        }
        None => found.note("systemd", &Message::NoSystemd()),
    }
    if let Some(said) = program::text("getconf", &["GNU_LIBC_VERSION"]) {
        let said = said.trim().trim_start_matches("glibc ");
        version("glibc", said, GLIBC, Message::Glibc, Message::OldGlibc, found);
    }
    capabilities(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), found);
    users(&std::fs::read_to_string("/etc/passwd").unwrap_or_default(), Path::new(PROGRAM).exists(), found);
    selinux(found);
    match program::text("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).as_deref().map(str::trim) {
        Some("yes") => found.good("clock", &Message::ClockSynchronised()),
        Some("no") => found.wrong("clock", &Message::ClockAlone()),
        // Nobody to ask, as in a container: the clock is somebody else's.
        Some(_) | None => {}
    }
}

type Versioned = fn(String, String) -> Message;

fn version(about: &'static str, said: &str, wanted: [u32; 2], good: Versioned, old: Versioned, found: &mut Findings) {
    let words = (said.to_owned(), format!("{}.{}", wanted[0], wanted[1]));
    match numbers(said) {
        Some(numbers) if numbers >= wanted => found.good(about, &good(words.0, words.1)),
        _ => found.wrong(about, &old(words.0, words.1)),
    }
}

/// The first two numbers of `5.14.0-503.el9`, `252`, `2.34`.
fn numbers(version: &str) -> Option<[u32; 2]> {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    let first = parts.next()?.ok()?;
    Some([first, parts.next().and_then(Result::ok).unwrap_or(0)])
}

fn capabilities(status: &str, found: &mut Findings) {
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bounding = bounding.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or(0);
    let missing = CAPABILITIES.iter().filter(|(_, bit)| bounding & (1 << bit) == 0).map(|(name, _)| *name);
    let missing: Vec<&str> = missing.collect();
    match missing.as_slice() {
        [] => found.good("capabilities", &Message::Capabilities()),
        some => found.wrong("capabilities", &Message::NoCapability(some.join(","))),
    }
}

fn users(passwd: &str, is_installed: bool, found: &mut Findings) {
    let exists = |user: &str| passwd.lines().any(|line| line.split(':').next() == Some(user));
    match USERS.into_iter().find(|user| !exists(user)) {
        None => found.good("users", &Message::Users()),
        Some(_) if !is_installed => found.note("users", &Message::NotInstalled()),
        Some(user) => found.wrong("users", &Message::NoUser(user.to_owned())),
    }
}

fn selinux(found: &mut Findings) {
    let mode = std::fs::read_to_string("/sys/fs/selinux/enforce").unwrap_or_default();
    let mode = match mode.trim() {
        "1" => "enforcing",
        "0" => "permissive",
        _ => "off",
    };
    let label = program::text("stat", &["--format=%C", PROGRAM]).unwrap_or_default();
    let label = label.trim();
    if mode == "enforcing" && label.contains(':') && !label.contains(":bin_t:") {
        return found.wrong("selinux", &Message::SelinuxLabel(PROGRAM.to_owned(), label.to_owned()));
    }
    found.good("selinux", &Message::SelinuxQuiet(mode.to_owned()));
}

#[cfg(test)]
mod tests {
    use super::super::{Language, Verdict};
    use super::*;

    fn verdicts(examine: impl FnOnce(&mut Findings)) -> Vec<(Verdict, String)> {
        let mut found = Findings { language: Language::En, all: Vec::new() };
        examine(&mut found);
        found.all.into_iter().map(|finding| (finding.verdict, finding.what)).collect()
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (said, numbers_of) in [("5.14.0-503.11.1.el9_5.x86_64", [5, 14]), ("252", [252, 0]), ("2.34", [2, 34])] {
            assert_eq!(numbers(said), Some(numbers_of));
        }
        assert!(numbers("6.1").unwrap() > KERNEL && numbers("5.4").unwrap() < KERNEL);
        assert_eq!(numbers("unknown"), None);
    }

    #[test]
    fn a_missing_capability_and_a_missing_user_are_named() {
        let all = "CapBnd:\t000001ffffffffff\n";
        assert_eq!(verdicts(|found| capabilities(all, found))[0].0, Verdict::Good);
        let none_raw = format!("CapBnd:\t{:016x}\n", 0x1ff_ffff_ffff_u64 & !(1 << 13));
        let said = verdicts(|found| capabilities(&none_raw, found));
        assert_eq!(said, [(Verdict::Wrong, "CAP_NET_RAW cannot be had here".to_owned())]);
        let said = verdicts(|found| users("root:x:0:0::/:/bin/sh\nfmc-lb:x:989:989::/:/bin/false\n", true, found));
        assert_eq!(said, [(Verdict::Wrong, "the system user fmc-lb-keeper is missing".to_owned())]);
        let said = verdicts(|found| users("root:x:0:0::/:/bin/sh\n", false, found));
        assert_eq!(said[0].0, Verdict::Note, "nobody can have what no package has brought");
    }
}
