//! What an idle relay costs. A test binary of its own, because memory is the whole process's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::net::TcpStream;

use fmc_lb::EndedBy;
use nix::sys::resource::{Resource, getrlimit};

#[path = "loopback/harness.rs"]
#[allow(dead_code, reason = "the other test binary uses more of it")]
mod harness;
use harness::{Setup, eventually, manual_server};

/// Both ends of both connections of a relay are in this process.
const DESCRIPTORS_PER_RELAY: u64 = 4;

/// User memory per idle relay: its record, its session, its place among the live ones. It is under 512 bytes; the rest is room for the
/// allocator, which gives memory out by the page.
const BOUND: u64 = 640;

#[test]
fn an_idle_relay_takes_little_user_memory() {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let relays = (soft.saturating_sub(200) / DESCRIPTORS_PER_RELAY).min(4000) as usize;
    let (address, accepted) = manual_server();
    let mut setup = Setup::with(&[address]);
    setup.frontend.max_connections = 10_000;
    setup.limits.max_connections = 10_000;
    let running = setup.start();
    let open = |count| -> Vec<(TcpStream, TcpStream)> {
        (0..count).map(|_| (running.connect(), accepted.recv().unwrap())).collect()
    };
    // Warms every pool and arena up, so that the difference is what relays add.
    let first = open(relays / 10);
    let before = resident();
    let rest = open(relays - first.len());
    eventually("all are open", || running.handle.sessions().len() == relays);
    let each = resident().saturating_sub(before) / rest.len() as u64;
    println!("{each} bytes of user memory per idle relay, over {} relays", rest.len());
    assert!(each <= BOUND, "{each} bytes per idle relay");
    drop((first, rest));
    eventually("all have ended", || running.handle.sessions().is_empty());
    assert_eq!(running.ended(EndedBy::InternalError), 0);
}

/// Resident anonymous memory in bytes (proc_pid_status(5)).
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
