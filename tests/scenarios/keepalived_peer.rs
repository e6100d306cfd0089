//! Keepalived 2.2.7 as the peer of a rolling migration, in both roles.

use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, WEB};
use fmc_tests::peer::{Peer, Program};
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

/// Longer than Keepalived's down interval (3 adverts and the skew) by far.
const LONG: Duration = Duration::from_secs(2);

#[test]
fn keepalived_stays_backup_under_our_adverts_and_takes_over_when_we_resign() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let mut ours = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud());
    ours.wait_until_ready();
    ownership.wait_for(NODES[0], WEB, Duration::from_secs(5));
    let peer = Peer::keepalived_v3(&lab, NODES[1], 100);
    std::thread::sleep(LONG);
    for address in [API, WEB] {
        assert_eq!(ownership.holders(address), [NODES[0]], "Keepalived does not hear us:\n{}", peer.log());
        assert_eq!(ownership.claims(address), 1, "an address moved");
    }

    let stopped = ours.signal(Role::Supervisor, Signal::SIGTERM);
    assert!(ours.wait(Duration::from_secs(12)).success());
    for address in [API, WEB] {
        let taken = ownership.changed_within(stopped, NODES[1], address, true, LONG);
        figure(&format!("we stop: Keepalived owns {address} after"), taken);
    }
}

#[test]
fn we_obey_a_better_keepalived_and_take_over_when_it_dies_or_resigns() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let capture = Capture::start(&lab, "br0");
    let peer = Peer::keepalived_v3(&lab, NODES[0], 255);
    ownership.wait_for(NODES[0], WEB, Duration::from_secs(5));
    let ours = Balancer::start(&lab, NODES[1], &Configuration::flatcar_micro_cloud());
    ours.wait_until_ready();
    std::thread::sleep(LONG);
    assert_eq!(ownership.holders(WEB), [NODES[0]], "we claim beside a better owner");
    let node2 = lab.address(NODES[1]);
    assert!(
        capture.adverts_since(Instant::now() - LONG, 33).iter().all(|(_, source, _)| *source != node2),
        "a Backup is silent"
    );

    let died = peer.kill(Program::Keepalived);
    let taken = ownership.changed_within(died, NODES[1], WEB, true, LONG);
    figure("Keepalived is killed: we own after", taken);
    drop(peer);
    lab.machine(NODES[0]).expect("ip", &["address", "flush", "dev", "eth0", "to", "192.168.0.32/31"]);

    let peer = Peer::keepalived_v3(&lab, NODES[0], 255);
    ownership.wait_for(NODES[0], WEB, Duration::from_secs(5));
    let stopped = peer.stop_keepalived();
    let taken = ownership.changed_within(stopped, NODES[1], WEB, true, LONG);
    figure("Keepalived is stopped: we own after", taken);
    assert!(taken < Duration::from_secs(1), "its resignation was not heard: {taken:?}");
}
