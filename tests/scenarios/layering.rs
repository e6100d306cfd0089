//! The arrows between the crates, and what the cores must not know.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fmc_tests::sources::{manifest, manifests, root, sources};

/// Which crates of ours a crate may import.
const ARROWS: [(&str, &[&str]); 10] = [
    ("config", &[]),
    ("vrrp", &["fmc-config"]),
    ("health", &["fmc-config"]),
    ("lb", &["fmc-config"]),
    ("ctl/api", &["fmc-config"]),
    ("ctl/import", &["fmc-config"]),
    ("lb/daemon", &["fmc-config", "fmc-vrrp", "fmc-health", "fmc-lb", "fmc-api"]),
    ("provision", &["fmc-config"]),
    ("ctl", &["fmc-config", "fmc-api", "fmc-import", "fmc-provision"]),
    ("bench", &["fmc-config", "fmc-vrrp", "fmc-health", "fmc-lb", "fmc-api"]),
];

/// What the libraries that meet packets leave to the daemon.
const LEFT_TO_THE_DAEMON: [&str; 5] = ["toml", "clap", "tracing-subscriber", "metrics-exporter-prometheus", "fmc-api"];

/// Files whose module documentation begins with `[core]`: time, entropy and bytes are their arguments.
const CORES: &[&str] = &[
    "ctl/src/doctor/iptables.rs",
    "ctl/src/doctor/nftables.rs",
    "ctl/src/doctor/packet.rs",
    "ctl/src/top/screen.rs",
    "ctl/src/verify/arp.rs",
    "ctl/src/verify/nfs/compound.rs",
    "ctl/src/verify/sntp.rs",
    "health/src/agent.rs",
    "health/src/schedule.rs",
    "health/src/step.rs",
    "health/src/verdict.rs",
    "lb/daemon/src/administrative.rs",
    "lb/daemon/src/explanation.rs",
    "lb/daemon/src/failover_history.rs",
    "lb/daemon/src/fitness.rs",
    "lb/daemon/src/history.rs",
    "lb/daemon/src/observations.rs",
    "lb/daemon/src/resolution.rs",
    "lb/src/balance.rs",
    "lb/src/pool/warm_up.rs",
    "lb/src/proxy_protocol.rs",
    "lb/src/rate.rs",
    "lb/src/relays/throttle.rs",
    "lb/src/route.rs",
    "lb/src/sni.rs",
    "lb/src/sources.rs",
    "lb/src/trouble.rs",
    "provision/src/ddns.rs",
    "provision/src/plan.rs",
    "provision/src/verify.rs",
    "vrrp/src/announce.rs",
    "vrrp/src/arp.rs",
    "vrrp/src/ndp.rs",
    "vrrp/src/virtual_mac.rs",
    "vrrp/src/boot_instant.rs",
    "vrrp/src/driver/discards.rs",
    "vrrp/src/driver/lateness.rs",
    "vrrp/src/driver/mismatch.rs",
    "vrrp/src/heartbeat.rs",
    "vrrp/src/interval.rs",
    "vrrp/src/lease/newest.rs",
    "vrrp/src/lease/tick.rs",
    "vrrp/src/observer.rs",
    "vrrp/src/packet.rs",
    "vrrp/src/priority.rs",
    "vrrp/src/router.rs",
];

/// What a core does not name.
const FOREIGN_TO_CORES: [&str; 14] = [
    "tokio",
    "socket2",
    "nix::",
    "Instant::now",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Mutex",
    "RwLock",
    "mpsc",
    "netlink",
    "std::fs",
    "std::env",
];

/// Files that may hold unsafe code: system calls that no crate of ours wraps safely, and an allocator that counts.
const UNSAFE: [&str; 4] =
    ["vrrp/src/socket.rs", "vrrp/src/realtime.rs", "lb/daemon/src/inherit.rs", "vrrp/tests/namespaces/allocation.rs"];

/// Names that say nothing of what a file is about.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "misc", "common", "helpers", "manager"];

#[test]
fn crates_import_only_along_the_arrows() {
    for (member, allowed) in ARROWS {
        let ours: BTreeSet<String> = dependencies(member).into_iter().filter(|name| name.starts_with("fmc-")).collect();
        let wrong: Vec<_> = ours.iter().filter(|name| !allowed.contains(&name.as_str())).collect();
        assert!(wrong.is_empty(), "{member} imports {wrong:?}");
    }
    let members: BTreeSet<String> = manifests().into_keys().collect();
    let known = ARROWS.iter().map(|(member, _)| (*member).to_owned()).chain(["tests".to_owned()]).collect();
    assert_eq!(members, known, "a crate without arrows");
}

#[test]
fn packet_libraries_leave_configuration_files_and_exporters_to_the_daemon() {
    for member in ["vrrp", "health", "lb"] {
        let named = dependencies(member);
        let wrong: Vec<_> = LEFT_TO_THE_DAEMON.iter().filter(|name| named.contains(**name)).collect();
        assert!(wrong.is_empty(), "{member} imports {wrong:?}");
    }
}

#[test]
fn cores_know_no_runtime_socket_or_clock() {
    for core in CORES {
        for file in with_children(core) {
            let code = code(&file);
            let found: Vec<_> = FOREIGN_TO_CORES.iter().filter(|word| code.contains(**word)).collect();
            assert!(found.is_empty(), "{} names {found:?}", file.display());
        }
    }
}

#[test]
fn a_file_that_calls_itself_a_core_is_on_the_list() {
    let listed: BTreeSet<PathBuf> = CORES.iter().flat_map(|core| with_children(core)).collect();
    for file in sources() {
        let first = fs::read_to_string(&file).expect("a source file").lines().next().unwrap_or_default().to_owned();
        let says_so = first.starts_with("//!") && first.contains("[core]");
        assert!(!says_so || listed.contains(&file), "{} is a core but not on the list of this test", file.display());
    }
}

#[test]
fn unsafe_code_stays_in_the_named_files() {
    let allowed: Vec<PathBuf> =
        UNSAFE.iter().flat_map(|file| [vec![root().join(file)], with_children_if_there(file)].concat()).collect();
    for file in sources().into_iter().filter(|file| !allowed.contains(file)) {
        let code = code(&file);
        let uses = code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("allow(unsafe_code");
        assert!(!uses, "{} uses unsafe code", file.display());
    }
}

#[test]
fn a_file_is_named_after_what_it_is_about_and_is_short() {
    for file in sources() {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        assert!(!EMPTY_NAMES.contains(&name.as_str()), "{} says nothing by its name", file.display());
        assert_ne!(name, "mod", "{}: use {{module}}.rs beside {{module}}/", file.display());
        let lines = fs::read_to_string(&file).expect("a source file").lines().count();
        assert!(lines <= 450, "{} has {lines} lines", file.display());
    }
}

/// The normal dependencies of a crate, by name.
fn dependencies(member: &str) -> BTreeSet<String> {
    let manifest = manifest(member);
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap_or_default();
    let names = section.lines().skip(1).filter_map(|line| line.split(['.', '=', ' ']).next());
    names.filter(|name| !name.is_empty() && !name.starts_with('#')).map(str::to_owned).collect()
}

/// A core and the files below it, its tests apart; a core that is gone fails the test.
fn with_children(core: &str) -> Vec<PathBuf> {
    let files = with_children_if_there(core);
    assert!(!files.is_empty(), "{core} is on the list of cores and does not exist");
    files
}

fn with_children_if_there(file: &str) -> Vec<PathBuf> {
    let file = root().join(file);
    let below = file.with_extension("");
    sources()
        .into_iter()
        .filter(|source| *source == file || source.starts_with(&below))
        .filter(|source| !is_test(source))
        .collect()
}

fn is_test(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

/// A file without its comments, its unit tests and this file's own lists.
fn code(file: &Path) -> String {
    if file.ends_with("scenarios/layering.rs") {
        return String::new();
    }
    let text = fs::read_to_string(file).expect("a source file");
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
