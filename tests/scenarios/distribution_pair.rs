//! The distribution's HAProxy and Keepalived in the lab: what the harness measures is right before it judges ours.

use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, WEB};
use fmc_tests::peer::Peer;
use fmc_tests::server::{Server, wait_until_served};

#[test]
fn the_distributions_pair_forwards_and_a_cut_costs_its_clients_seconds() {
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let _masters = Server::masters(&lab, &authority);
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let _peers = Peer::lab_pair(&lab);
    let web = Target::http("192.168.0.33:80");
    let api = Target::https("192.168.0.32:6443", &authority);
    ownership.wait_for(NODES[0], WEB, Duration::from_secs(8));
    ownership.wait_for(NODES[0], API, Duration::from_secs(8));
    wait_until_served(&lab, &web, Duration::from_secs(8));
    assert!(fetch(lab.client(), &api).outcome.is_ok_and(|server| server.starts_with("master")));

    let load = Load::start(lab.client(), web, Duration::from_millis(10));
    std::thread::sleep(Duration::from_millis(500));
    let cut = lab.unplug(NODES[0]);
    std::thread::sleep(Duration::from_secs(5));
    let record = load.stop();
    let served = record.served_after(cut).expect("the other node serves");
    figure("distribution: node cut, first new connection served", served);
    assert!(served > Duration::from_secs(2), "VRRPv2 at one second cannot be as fast as {served:?}");
    assert!(served < Duration::from_secs(5), "{served:?} is longer than Keepalived needs");
    assert_eq!(record.spread().len(), 3, "round robin reaches every worker: {:?}", record.spread());
}
