//! A balancer is lost whole: its cable, its power, its processes.

use std::time::{Duration, Instant};

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::exchange::Target;
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;

const PACE: Duration = Duration::from_millis(5);
/// The kernel ends a lease of 1 s within 2 s of its last renewal; the rest is for a busy machine.
const LEASE_GONE: Duration = Duration::from_millis(2600);

#[test]
fn a_node_without_power_is_replaced_within_three_adverts() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));

    let cut = lab.unplug(NODES[0]);
    pair.first.kill_all();
    pair.ownership.changed_within(cut, NODES[1], WEB, true, Duration::from_secs(3));
    std::thread::sleep(Duration::from_millis(1500));
    let record = load.stop();
    let served = record.served_after(cut).expect("the other node serves");
    figure("node cut: first new connection served after", served);
    assert!(served < Duration::from_millis(800), "{served:?}");
    assert_eq!(record.failures_since(cut + served), 0, "{:?}", record.failures());
}

#[test]
fn a_node_whose_processes_are_all_killed_loses_its_addresses_by_itself() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));

    let killed = pair.first.kill_all();
    for address in [API, WEB] {
        let gone = pair.ownership.changed_within(killed, NODES[0], address, false, LEASE_GONE);
        figure(&format!("everything killed, link up: {address} gone after"), gone);
        pair.ownership.wait_for(NODES[1], address, Duration::from_secs(1));
    }
    std::thread::sleep(Duration::from_millis(500));
    let served = load.stop().served_after(killed).expect("the other node serves");
    figure("everything killed, link up: first new connection served after", served);
    assert!(served < Duration::from_secs(1), "{served:?}");
}

#[test]
fn a_node_that_freezes_whole_and_thaws_never_owns_beside_the_other() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());

    let frozen = pair.first.freeze_all();
    let gone = pair.ownership.changed_within(frozen, NODES[0], WEB, false, LEASE_GONE);
    figure("everything frozen, link up: VIP gone after", gone);
    pair.wait_for(NODES[1]);
    // Only one owns it now, and that must stay so through the thaw.
    let alone = Instant::now();
    pair.first.thaw_all();
    std::thread::sleep(Duration::from_secs(3));
    for address in [API, WEB] {
        let overlap = pair.ownership.longest_overlap_since(alone, address);
        assert_eq!(overlap, Duration::ZERO, "two owners of {address} after the thaw");
        assert_eq!(pair.ownership.holders(address), [NODES[1]], "a node that comes back takes nothing back");
    }
    pair.first.wait_until_ready();
}

/// Detection takes three adverts and a skew, over 300 ms. A stall well below it is a stall, and nobody's end.
#[test]
fn stalls_below_the_detection_time_move_nothing_and_kill_nobody() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let claims = [API, WEB].map(|address| pair.ownership.claims(address));

    for stall in [60, 90, 120, 150, 80, 110, 140, 70, 100, 130, 60, 150].map(Duration::from_millis) {
        pair.first.freeze_all();
        std::thread::sleep(stall);
        pair.first.thaw_all();
        std::thread::sleep(Duration::from_millis(400));
    }
    assert_eq!([API, WEB].map(|address| pair.ownership.claims(address)), claims, "a VIP moved:\n{}", pair.first.log());
    assert_eq!(pair.ownership.holders(WEB), [NODES[0]]);
    let roles = pair.first.status().expect("a status").roles;
    assert_eq!((roles.keeper.restarts, roles.proxy.restarts), (0, 0), "{}", pair.first.log());
}
