//! A site comes up in the wrong order, or crashes again and again: it ends with one owner, where service is.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role, runtime_dir};
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::poison::Poison;
use fmc_tests::server::Server;
use fmc_tests::tiny_disk::TinyDisk;
use nix::sys::signal::Signal;

const PACE: Duration = Duration::from_millis(5);
/// Two busy cores.
const SETTLED: Duration = Duration::from_secs(8);
/// A switch with spanning tree forwards nothing for 15 or 30 s after a port comes up. Nothing in an election lasts longer than its
/// first half second, so that this is as good; `FMC_LATE_LINK_S=30` takes the real time.
const LATE: Duration = Duration::from_secs(3);
/// The longest pause before a role is started again (10 s), and its start.
const NEXT_START: Duration = Duration::from_secs(14);

#[test]
fn a_cold_boot_behind_ports_that_forward_late_ends_with_one_owner_that_clients_reach() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    for node in NODES {
        lab.unplug(node);
    }
    let shipped = Configuration::flatcar_micro_cloud();
    let _balancers = NODES.map(|node| Balancer::start(&lab, node, &shipped));
    std::thread::sleep(late());
    // Each alone on its side of the port, where no client is.
    for address in [API, WEB] {
        assert_eq!(ownership.holders(address), NODES, "a node without any peer owns what it is configured to");
    }
    let forwarding = NODES.map(|node| lab.plug(node))[1];
    ends_with_one_owner(&lab, &ownership, forwarding);
}

#[test]
fn a_cold_boot_without_carrier_claims_nothing_until_there_is_a_link() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let link = |node: &str, state: &str| drop(lab.hypervisor().expect("ip", &["link", "set", node, state]));
    NODES.iter().for_each(|node| link(node, "down"));
    let shipped = Configuration::flatcar_micro_cloud();
    let _balancers = NODES.map(|node| Balancer::start(&lab, node, &shipped));
    std::thread::sleep(late());
    for address in [API, WEB] {
        assert_eq!(ownership.claims(address), 0, "{address} was claimed on an interface without carrier");
    }
    NODES.iter().for_each(|node| link(node, "up"));
    ends_with_one_owner(&lab, &ownership, Instant::now());
}

/// Machines of the lab have no name server either: nothing here ever resolved a name.
#[test]
fn a_clock_that_is_a_year_off_and_then_jumps_moves_no_address_and_spoils_no_signature() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let key = lab.write("pair.key", "a secret of at least thirty-two bytes");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a mode");
    let signed = Configuration::flatcar_micro_cloud().with(&format!("[pair]\nkey_file = \"{}\"\n", key.display()));
    let clock = lab.write("clock", "-365d");
    let (library, file) = (faketime(), format!("FAKETIME_TIMESTAMP_FILE={}", clock.display()));
    let preload = format!("LD_PRELOAD={library}");
    let wrapper = ["env", &preload, &file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];

    let ownership = Ownership::watch(&lab, &NODES);
    let first = Balancer::start(&lab, NODES[0], &signed);
    let second = Balancer::start_wrapped(&lab, NODES[1], NODES[1], &signed, &wrapper);
    let pair = Pair { ownership, first, second };
    pair.first.wait_until_ready();
    pair.second.wait_until_ready();
    assert_ne!(year_of(&pair.first), year_of(&pair.second), "the clock is off");
    pair.wait_for(NODES[0]);
    let claims = [API, WEB].map(|address| pair.ownership.claims(address));
    fs::write(&clock, "+365d").expect("the clock jumps two years");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!([API, WEB].map(|address| pair.ownership.claims(address)), claims, "a clock moved an address");
    let alarms = pair.first.status().expect("an answer").alarms;
    assert!(alarms.is_empty(), "heartbeats count, and are not judged by a clock: {alarms:?}");

    pair.first.signal(Role::Proxy, Signal::SIGKILL);
    pair.wait_for(NODES[1]);
}

#[test]
fn a_proxy_that_dies_at_each_start_leaves_the_address_to_the_other_node_and_on_both_to_nobody_until_one_lives() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());

    let first_poisoned = Poison::give(&pair.first);
    pair.wait_for(NODES[1]);
    // A change up to 20 ms before a moment counts as after it.
    std::thread::sleep(Duration::from_millis(100));
    let (moved, load) = (Instant::now(), Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE));
    std::thread::sleep(Duration::from_secs(3));
    load.stop().assert_all_served();
    for address in [API, WEB] {
        let claimed = pair.ownership.changed_after(moved, NODES[0], address, true);
        assert_eq!(claimed, None, "a node whose proxy keeps dying took {address}");
    }

    let second_poisoned = Poison::give(&pair.second);
    for address in [API, WEB] {
        eventually("nobody holds an address that nobody serves", SETTLED, || {
            pair.ownership.holders(address).is_empty()
        });
    }
    std::thread::sleep(Duration::from_secs(1));
    drop((first_poisoned, second_poisoned));
    let cured = Instant::now();
    for address in [API, WEB] {
        pair.ownership.owner(address, NEXT_START);
    }
    figure("proxies of both nodes died at each start, and no longer: an owner after", cured.elapsed());
    let web = Target::http("192.168.0.33:80").within(Duration::from_millis(500));
    eventually("clients are served", SETTLED, || fetch(lab.client(), &web).outcome.is_ok());
}

#[test]
fn a_reboot_in_the_middle_of_a_reload_a_drain_or_a_move_ends_with_one_owner_and_a_whole_state() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let mut pair = Pair::start(&lab, &shipped);
    let acts: [&[&str]; 3] =
        [&["reload", "--yes"], &["drain", "workers/worker1", "--yes"], &["failover", "all", "--yes"]];
    for act in acts {
        let owner = pair.ownership.owner(API, SETTLED);
        let (owning, other) =
            if owner == NODES[0] { (&mut pair.first, NODES[1]) } else { (&mut pair.second, NODES[0]) };
        std::thread::scope(|scope| {
            let asking = &*owning;
            let asked = scope.spawn(move || asking.ctl(act));
            // About the middle of an act that takes 5 to 15 ms.
            std::thread::sleep(Duration::from_millis(6));
            asking.crash();
            drop(asked.join());
        });
        owning.kill_all();
        reboot(&lab, owner);
        for address in [API, WEB] {
            pair.ownership.wait_for(other, address, SETTLED);
        }
        let alone = Instant::now();
        *owning = Balancer::start(&lab, owner, &shipped);
        owning.wait_until_ready();
        let events = owning.expect_ctl(&["events"]);
        assert!(!events.contains("set aside"), "what was saved is whole: {events}");
        std::thread::sleep(Duration::from_millis(500));
        for address in [API, WEB] {
            assert_eq!(pair.ownership.holders(address), [other], "who came back took {address}, after {act:?}");
            assert_eq!(pair.ownership.longest_overlap_since(alone, address), Duration::ZERO, "after {act:?}");
        }
    }
}

#[test]
fn a_journal_that_reads_nothing_and_a_log_on_a_full_disk_stop_no_relay_and_no_advert() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let journal = lab.path("journal");
    nix::unistd::mkfifo(&journal, nix::sys::stat::Mode::from_bits_truncate(0o666)).expect("a pipe");
    // Open at both ends, as systemd holds it for a journal that is stopped; nobody reads.
    let mut pipe = OpenOptions::new().read(true).write(true).custom_flags(nix::libc::O_NONBLOCK).open(&journal);
    let pipe = pipe.as_mut().expect("both ends of the pipe");
    let into = |file: &str| format!("exec \"$@\" >{file} 2>&1");
    let (stopped, full) = (into(&journal.display().to_string()), into("/dev/full"));
    let shipped = Configuration::flatcar_micro_cloud();
    let ownership = Ownership::watch(&lab, &NODES);
    let talkative = ["env", "RUST_LOG=trace", "sh", "-c"];
    let start = |node, command: &str| {
        let wrapper = [&talkative[..], &[command, "sh"]].concat();
        Balancer::start_wrapped(&lab, node, node, &shipped, &wrapper)
    };
    let (first, second) = (start(NODES[0], &stopped), start(NODES[1], &full));
    let mut pair = Pair { ownership, first, second };
    pair.first.wait_until_ready();
    pair.second.wait_until_ready();
    pair.wait_for(NODES[0]);

    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    eventually("the pipe is full", SETTLED, || is_full(pipe));
    let claims = [API, WEB].map(|address| pair.ownership.claims(address));
    std::thread::sleep(Duration::from_secs(2));
    load.stop().assert_all_served();
    assert_eq!([API, WEB].map(|address| pair.ownership.claims(address)), claims, "an address moved");

    pair.first.signal(Role::Keeper, Signal::SIGKILL);
    pair.wait_for(NODES[1]);
    pair.first.wait_until_ready();
    pair.first.signal(Role::Proxy, Signal::SIGKILL);
    pair.first.wait_until_ready();
    assert!(pair.first.terminate(Duration::from_secs(8)).success(), "it ends although nobody reads its last words");
    assert_eq!(pair.ownership.holders(WEB), [NODES[1]]);
}

#[test]
fn a_full_runtime_directory_stops_no_move_no_restart_and_no_client() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let disks = NODES.map(|node| TinyDisk::mount(runtime_dir(&lab, node)));
    let shipped = Configuration::flatcar_micro_cloud();
    let mut pair = Pair::start(&lab, &shipped);
    disks.iter().for_each(TinyDisk::fill);
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    pair.first.expect_ctl(&["failover", "all", "--yes"]);
    pair.wait_for(NODES[1]);
    pair.second.signal(Role::Keeper, Signal::SIGKILL);
    pair.wait_for(NODES[0]);
    pair.second.wait_until_ready();
    pair.first.signal(Role::Proxy, Signal::SIGKILL);
    pair.wait_for(NODES[1]);
    pair.first.wait_until_ready();
    pair.first.kill_all();
    pair.first = Balancer::start(&lab, NODES[0], &shipped);
    pair.first.wait_until_ready();
    std::thread::sleep(Duration::from_millis(300));
    let moves = [API, WEB].map(|address| pair.ownership.moments(address)).concat();
    let record = load.stop();
    assert!(record.longest_gap() < Duration::from_secs(1), "{:?}", record.longest_gap());
    figure("full runtime directory, four moves: longest gap", record.longest_gap());
    assert!(moves.len() >= 8, "the addresses moved: {}", moves.len());
}

fn late() -> Duration {
    let seconds = std::env::var("FMC_LATE_LINK_S").ok().and_then(|seconds| seconds.parse().ok());
    seconds.map_or(LATE, Duration::from_secs)
}

/// The nodes find their servers well at different moments, and whoever does so first is better off: an address may move once or
/// twice meanwhile. From then on: one owner, and never two.
fn ends_with_one_owner(lab: &Lab, ownership: &Ownership, forwarding: Instant) {
    for address in [API, WEB] {
        ownership.owner(address, SETTLED);
    }
    figure("late link: one owner after", forwarding.elapsed());
    let web = Target::http("192.168.0.33:80").within(Duration::from_millis(500));
    eventually("clients are served", SETTLED, || fetch(lab.client(), &web).outcome.is_ok());
    std::thread::sleep(Duration::from_secs(3));
    let (settled, owner) = (Instant::now(), ownership.owner(WEB, SETTLED));
    std::thread::sleep(Duration::from_secs(2));
    for address in [API, WEB] {
        assert_eq!(ownership.longest_overlap_since(settled, address), Duration::ZERO, "two owners of {address}");
    }
    assert_eq!(ownership.holders(WEB), [owner], "and it stays");
}

/// What a reboot leaves of a machine: its disk.
fn reboot(lab: &Lab, node: &'static str) {
    fs::remove_dir_all(runtime_dir(lab, node)).expect("a runtime directory");
    for address in [API, WEB] {
        let _was_not_here =
            lab.machine(node).output("ip", &["address", "delete", &format!("{address}/32"), "dev", "eth0"]);
    }
}

fn is_full(mut pipe: &fs::File) -> bool {
    matches!(pipe.write(b"\n"), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

fn faketime() -> String {
    let of = |machine: &str| format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1");
    let found = ["x86_64", "aarch64"].map(of).into_iter().find(|path| fs::exists(path).unwrap_or_default());
    found.expect("libfaketime (Debian: apt-get install libfaketime)")
}

/// What a node takes the year to be.
fn year_of(balancer: &Balancer<'_>) -> String {
    let status = balancer.expect_ctl(&["--json", "status"]);
    let now = status.split("\"now\": \"").nth(1).unwrap_or_else(|| panic!("no moment in {status}"));
    now[..4].to_owned()
}
