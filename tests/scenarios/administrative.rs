//! What operators asked outlives whatever ends, and gives way to the configuration only.

use std::time::{Duration, Instant};

use fmc_api::backends::ServerStatus;
use fmc_api::status::Status;
use fmc_api::word::{AdminState, Answerer, Health};
use fmc_tests::balancer::{Balancer, Role, state_dir};
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, eventually_some};
use fmc_tests::lab::Lab;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;
use fmc_tests::tiny_disk::TinyDisk;
use nix::sys::signal::Signal;

/// A start, first checks included, on two busy cores.
const START: Duration = Duration::from_secs(8);

#[test]
fn a_node_in_maintenance_and_a_drained_server_stay_so_whatever_dies_or_restarts() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let mut pair = Pair::start(&lab, &shipped);
    pair.first.expect_ctl(&["drain", "workers/worker1", "--yes"]);
    pair.first.expect_ctl(&["maint", "masters/master3", "--yes"]);
    pair.first.expect_ctl(&["weight", "masters/master2", "7"]);
    pair.first.expect_ctl(&["maint", "node", NODES[0], "--yes"]);
    pair.wait_for(NODES[1]);
    let asked = Asked::of(&pair.first);
    assert_eq!(asked.node.admin_asked.map(|asked| asked.uid), Some(0));
    let moved = Instant::now();

    pair.first.signal(Role::Proxy, Signal::SIGKILL);
    asked.hold_again(&pair.first, "its proxy was killed");

    pair.first.kill_all();
    pair.first = Balancer::start(&lab, NODES[0], &shipped);
    asked.hold_again(&pair.first, "all its processes were killed");

    pair.first.terminate(Duration::from_secs(5));
    pair.first = Balancer::start(&lab, NODES[0], &shipped);
    asked.hold_again(&pair.first, "its service was restarted");

    // Every start has had the time in which a node claims what nobody seems to hold.
    std::thread::sleep(Duration::from_secs(2));
    for address in [API, WEB] {
        let claimed = pair.ownership.changed_after(moved, NODES[0], address, true);
        assert_eq!(claimed, None, "a node in maintenance took {address}");
    }
    let events = pair.first.expect_ctl(&["events"]);
    assert!(events.contains("workers/worker1: still in force: drain, asked by uid 0 at "), "{events}");

    pair.first.expect_ctl(&["ready", "node", NODES[0]]);
    pair.first.wait_until_ready();
}

#[test]
fn undo_takes_back_act_after_act_across_a_crash_until_nothing_is_left() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let first = &pair.first;
    first.expect_ctl(&["weight", "workers/worker1", "9"]);
    first.expect_ctl(&["drain", "worker1", "--yes"]);
    first.expect_ctl(&["drain", "node", NODES[0], "--yes"]);
    pair.wait_for(NODES[1]);

    let dry = first.expect_ctl(&["undo", "--dry-run"]);
    assert!(dry.contains(&format!("would take back: drain node {}, asked by uid 0", NODES[0])), "{dry}");
    assert_eq!(node(first).admin, AdminState::Drain, "a dry run changes nothing");
    let said = first.expect_ctl(&["undo", "--yes"]);
    assert!(said.contains(&format!("node {} went from drain to ready", NODES[0])), "{said}");

    first.signal(Role::Proxy, Signal::SIGKILL);
    wait_for_proxy(first);
    first.expect_ctl(&["undo", "--yes"]);
    let worker1 = server(first, "worker1");
    assert_eq!((worker1.admin, worker1.weight), (AdminState::Ready, 9));
    first.expect_ctl(&["undo", "--yes"]);
    assert_eq!(server(first, "worker1").weight, server(first, "worker1").configured_weight);

    let nothing = first.ctl(&["undo"]);
    assert_eq!(nothing.status.code(), Some(1), "the answer is no");
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("there is nothing to take back"));
}

#[test]
fn a_full_disk_stops_no_command_leaves_the_old_record_whole_and_is_said_until_it_is_over() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let disk = TinyDisk::mount(state_dir(&lab, NODES[0]));
    let balancer = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud());
    balancer.wait_until_ready();
    balancer.expect_ctl(&["drain", "workers/worker1", "--yes"]);
    let before = record(&disk);
    assert!(before.contains("workers/worker1"), "{before}");

    disk.fill();
    let drained = balancer.ctl(&["drain", "workers/worker2", "--yes"]);
    let said = String::from_utf8_lossy(&drained.stderr).into_owned();
    assert!(drained.status.success() && said.contains("not saved: No space left on device"), "{said}");
    assert_eq!(server(&balancer, "worker2").admin, AdminState::Drain, "it is done all the same");
    assert_eq!(record(&disk), before);
    let alarm = || node(&balancer).alarms.iter().any(|alarm| alarm.text.contains("is not saved"));
    eventually("an alarm says that it is not saved", Duration::from_secs(3), alarm);

    balancer.signal(Role::Proxy, Signal::SIGKILL);
    wait_for_proxy(&balancer);
    assert_eq!(server(&balancer, "worker1").admin, AdminState::Drain, "what was saved is in force");
    assert_eq!(server(&balancer, "worker2").admin, AdminState::Ready, "what was not is forgotten, as was said");
    eventually("the new proxy raises the alarm too", Duration::from_secs(5), alarm);
    balancer.expect_ctl(&["drain", "workers/worker3", "--yes"]);

    disk.make_room();
    eventually("it is tried again", Duration::from_secs(6), || record(&disk).contains("workers/worker3"));
    eventually("the alarm is over", Duration::from_secs(3), || !alarm());
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside_and_the_balancer_serves() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let record = state_dir(&lab, NODES[0]).join("administrative.toml");
    std::fs::create_dir(state_dir(&lab, NODES[0])).expect("a directory");
    for (text, why) in
        [("version = 9\n[[pins]]\n", "it is of version 9"), ("half a rec", "it is not a record of fmc-lb")]
    {
        std::fs::write(&record, text).expect("a file");
        let mut balancer = Balancer::start(&lab, NODES[0], &shipped);
        balancer.wait_until_ready();
        let events = balancer.expect_ctl(&["events"]);
        assert!(events.contains(why), "{events}");
        let aside = std::fs::read_to_string(record.with_extension("toml.set-aside")).expect("the file set aside");
        assert_eq!(aside, text);
        balancer.expect_ctl(&["drain", "workers/worker1", "--yes"]);
        assert!(std::fs::read_to_string(&record).expect("a new record").contains("worker1"));
        balancer.terminate(Duration::from_secs(5));
    }
}

#[test]
fn a_changed_configuration_wins_over_what_was_asked_before_and_says_so() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let mut balancer = Balancer::start(&lab, NODES[0], &shipped);
    balancer.wait_until_ready();
    balancer.expect_ctl(&["weight", "workers/worker1", "9"]);
    balancer.expect_ctl(&["drain", "workers/worker1", "--yes"]);
    balancer.expect_ctl(&["drain", "workers/worker3", "--yes"]);
    balancer.terminate(Duration::from_secs(5));

    let heavier = "worker1 = { address = \"10.17.4.24\", weight = 4 }";
    let changed = shipped.replace("worker1 = \"10.17.4.24\"", heavier).replace(", worker3 = \"10.17.4.26\"", "");
    let balancer = Balancer::start(&lab, NODES[0], &changed);
    balancer.wait_until_ready();
    let worker1 = server(&balancer, "worker1");
    assert_eq!((worker1.weight, worker1.weight_asked), (4, None));
    assert_eq!(worker1.admin, AdminState::Drain, "the file says nothing against the drain");
    let events = balancer.expect_ctl(&["events"]);
    for said in [
        "workers/worker1: no longer in force: weight 9, asked by uid 0",
        "the configuration says 4 now and said 1",
        "workers/worker3: no longer in force: drain, asked by uid 0",
    ] {
        assert!(events.contains(said), "{said:?} is not in\n{events}");
    }
}

/// What is in force on a node because somebody asked for it.
struct Asked {
    node: Status,
    servers: Vec<ServerStatus>,
}

impl Asked {
    fn of(balancer: &Balancer<'_>) -> Self {
        let servers = ["worker1", "master2", "master3"].map(|name| server(balancer, name));
        Self { node: node(balancer), servers: servers.into() }
    }

    /// Asserts that it is in force as soon as a new proxy answers, with the same signatures.
    fn hold_again(&self, balancer: &Balancer<'_>, after: &str) {
        wait_for_proxy(balancer);
        let now = Self::of(balancer);
        let node = |status: &Status| (status.admin, status.admin_asked);
        assert_eq!(node(&now.node), node(&self.node), "after {after}");
        let signed = |server: &ServerStatus| (server.admin, server.admin_asked, server.weight, server.weight_asked);
        for (now, then) in now.servers.iter().zip(&self.servers) {
            assert_eq!(signed(now), signed(then), "{} after {after}", now.name);
        }
        let probed = |name: &str| server(balancer, name).health != Health::Unknown;
        eventually("a drained server is probed", START, || probed("worker1"));
        assert!(!probed("master3"), "a server in maintenance is not probed, after {after}");
    }
}

fn node(balancer: &Balancer<'_>) -> Status {
    balancer.status().expect("a status")
}

fn server(balancer: &Balancer<'_>, name: &str) -> ServerStatus {
    let servers = balancer.backends().backends.into_iter().flat_map(|backend| backend.servers);
    servers.into_iter().find(|server| server.name.as_str() == name).expect("a server of that name")
}

/// Waits until a proxy answers that is not the one before: to be called after the old one is dead.
fn wait_for_proxy(balancer: &Balancer<'_>) {
    let by_proxy = || balancer.status().filter(|status| status.answered_by == Answerer::Proxy);
    eventually_some("a proxy answers", START, by_proxy);
}

fn record(disk: &TinyDisk) -> String {
    std::fs::read_to_string(disk.path().join("administrative.toml")).expect("a record")
}
