//! FRR 8.4 as the other router, in both roles: VRRPv3 of another vendor, with virtual MAC addresses.

use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::figure::figure;
use fmc_tests::frr::Frr;
use fmc_tests::lab::Lab;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, WEB};
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

/// Longer than three adverts and any skew.
const LONG: Duration = Duration::from_secs(2);

/// Proves V-15+, V-70.
/// Shows B-26.
#[test]
fn frr_stays_backup_under_our_adverts_and_takes_over_when_we_resign() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES[..1]);
    let mut ours = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud());
    ours.wait_until_ready();
    ownership.wait_for(NODES[0], WEB, Duration::from_secs(5));
    let frr = Frr::start(&lab, NODES[1], 100);
    let is = |role: &str| frr.roles().iter().all(|seen| seen == role);
    eventually("FRR is Backup", LONG, || is("Backup"));
    std::thread::sleep(LONG);
    assert!(is("Backup"), "FRR does not hear us: {:?}\n{}", frr.roles(), frr.log());
    assert_eq!([API, WEB].map(|address| ownership.claims(address)), [1, 1], "an address moved");

    let stopped = ours.signal(Role::Supervisor, Signal::SIGTERM);
    eventually("FRR is Master", LONG, || is("Master"));
    figure("we stop: FRR is Master, as it says, after", stopped.elapsed());
    assert!(ours.wait(Duration::from_secs(12)).success());
}

/// Proves V-15+, V-46.
/// Shows B-26.
#[test]
fn we_obey_a_better_frr_and_take_over_when_it_dies() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES[1..]);
    let capture = Capture::start(&lab, "br0");
    let frr = Frr::start(&lab, NODES[0], 200);
    eventually("FRR is Master", Duration::from_secs(5), || frr.roles().iter().all(|role| role == "Master"));
    let ours = Balancer::start(&lab, NODES[1], &Configuration::flatcar_micro_cloud());
    ours.wait_until_ready();
    std::thread::sleep(LONG);
    assert!(ownership.holders(WEB).is_empty(), "we claim beside a better owner");
    let node2 = lab.address(NODES[1]);
    let said = capture.adverts_since(Instant::now() - LONG, 33);
    assert!(said.iter().all(|(_, source, _)| *source != node2), "a Backup is silent");
    assert!(!said.is_empty(), "FRR does not advertise:\n{}", frr.log());

    let died = frr.kill();
    let taken = ownership.changed_within(died, NODES[1], WEB, true, LONG);
    figure("FRR is killed: we own after", taken);
}
