//! One of a node's three processes is killed or frozen.

use std::time::{Duration, Instant};

use fmc_api::status::{Owner, VipStatus};
use fmc_tests::balancer::Role;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

const PACE: Duration = Duration::from_millis(4);
/// The goals are 50 to 400 ms; this is the margin for two busy cores. The figures printed are what counts.
const MARGIN: Duration = Duration::from_secs(1);

#[test]
fn a_killed_proxy_is_replaced_by_the_other_node() {
    the_other_node_serves_after(Role::Proxy, Signal::SIGKILL);
}

#[test]
fn a_frozen_proxy_is_replaced_by_the_other_node() {
    the_other_node_serves_after(Role::Proxy, Signal::SIGSTOP);
}

#[test]
fn a_killed_keeper_takes_its_addresses_with_it() {
    the_addresses_leave_after(Role::Keeper, Signal::SIGKILL);
}

#[test]
fn a_killed_supervisor_takes_its_addresses_with_it() {
    the_addresses_leave_after(Role::Supervisor, Signal::SIGKILL);
}

#[test]
fn a_keeper_frozen_past_its_lease_never_owns_beside_the_other() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let keeper = pair.first.pid(Role::Keeper);

    let frozen = pair.first.signal(Role::Keeper, Signal::SIGSTOP);
    let gone = pair.ownership.changed_within(frozen, NODES[0], WEB, false, Duration::from_millis(2600));
    figure("keeper frozen: VIP gone after", gone);
    pair.wait_for(NODES[1]);
    std::thread::sleep(Duration::from_millis(2500).saturating_sub(frozen.elapsed()));
    // Only one owns it now, and that must stay so through the resumption.
    let alone = Instant::now();
    fmc_tests::process::signal_pid(keeper, Signal::SIGCONT);
    std::thread::sleep(Duration::from_secs(3));
    for address in [API, WEB] {
        let overlap = pair.ownership.longest_overlap_since(alone, address);
        assert_eq!(overlap, Duration::ZERO, "two owners of {address} after the keeper resumed");
    }
    pair.first.wait_until_ready();
    assert_eq!(pair.ownership.holders(WEB), [NODES[1]]);
}

/// The keeper finds the old proxy's hang-up and the new proxy's greeting in one turn.
#[test]
fn a_proxy_replaced_behind_a_late_keepers_back_still_costs_the_address() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());

    pair.first.signal(Role::Keeper, Signal::SIGSTOP);
    let killed = pair.first.signal(Role::Proxy, Signal::SIGKILL);
    std::thread::sleep(Duration::from_millis(60));
    pair.first.signal(Role::Keeper, Signal::SIGCONT);
    pair.ownership.changed_within(killed, NODES[1], WEB, true, MARGIN);
    let other = Owner::Node(NODES[1].parse().expect("a name"));
    eventually("the new proxy knows who owns what", Duration::from_secs(5), || {
        let knows = |vip: &VipStatus| vip.role.as_str() == "backup" && vip.owner == other;
        pair.first.status().is_some_and(|status| status.vips.iter().all(knows))
    });
}

#[test]
fn a_frozen_supervisor_stops_no_client() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(300));

    let frozen = pair.first.signal(Role::Supervisor, Signal::SIGSTOP);
    std::thread::sleep(Duration::from_secs(3));
    pair.first.signal(Role::Supervisor, Signal::SIGCONT);
    std::thread::sleep(Duration::from_secs(1));
    let record = load.stop();
    record.assert_all_served();
    figure("supervisor frozen: longest gap", record.longest_gap());
    assert!(record.longest_gap() < MARGIN, "{:?}", record.longest_gap());
    assert!(pair.ownership.longest_overlap_since(frozen, WEB) < Duration::from_millis(100));
}

fn the_other_node_serves_after(role: Role, signal: Signal) {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));

    let lost = pair.first.signal(role, signal);
    pair.ownership.changed_within(lost, NODES[1], WEB, true, Duration::from_secs(3));
    pair.wait_for(NODES[1]);
    std::thread::sleep(Duration::from_millis(500));
    let record = load.stop();
    let served = record.served_after(lost).expect("the other node serves");
    figure(&format!("{role:?} {signal}: other node serves after"), served);
    figure(&format!("{role:?} {signal}: longest gap between served connections"), record.longest_gap());
    assert!(served < MARGIN, "{served:?}");
    assert_eq!(record.failures_since(lost + served), 0, "{:?}", record.failures());
    // The role is started again, and what it left behind is not taken back.
    pair.first.wait_until_ready();
    assert_eq!(pair.ownership.holders(WEB), [NODES[1]]);
}

fn the_addresses_leave_after(role: Role, signal: Signal) {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(300));

    let lost = pair.first.signal(role, signal);
    for address in [API, WEB] {
        let gone = pair.ownership.changed_within(lost, NODES[0], address, false, MARGIN);
        figure(&format!("{role:?} {signal}: {address} gone after"), gone);
    }
    pair.wait_for(NODES[1]);
    std::thread::sleep(Duration::from_millis(500));
    let gap = load.stop().longest_gap();
    figure(&format!("{role:?} {signal}: longest gap between served connections"), gap);
    assert!(gap < MARGIN, "{gap:?}");
}
