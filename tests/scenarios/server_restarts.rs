//! All servers die or roll, at moments the two nodes see differently: no address moves for that.

use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, throughout};
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::lab::Lab;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;

/// Short beside the checks of the masters, and long: some of these outages are seen by both nodes, by one, or by none.
const PAUSES: [u64; 6] = [70, 900, 310, 1500, 40, 620];

#[test]
fn masters_that_are_replaced_one_after_the_other_move_no_address() {
    let lab = Lab::flatcar_micro_cloud();
    let mut masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let claims = [API, WEB].map(|address| pair.ownership.claims(address));
    for (turn, pause) in PAUSES.into_iter().enumerate() {
        let master = &mut masters[turn % 3];
        master.kill();
        std::thread::sleep(Duration::from_millis(pause));
        master.start();
        std::thread::sleep(Duration::from_millis(pause / 2));
    }
    throughout("no address moves for what the checks find afterwards", Duration::from_secs(3), || {
        [API, WEB].map(|address| pair.ownership.claims(address)) == claims
    });
    assert_eq!(pair.ownership.holders(API), [NODES[0]]);
}

#[test]
fn servers_that_die_and_return_at_any_moment_move_no_address() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let claims = [API, WEB].map(|address| pair.ownership.claims(address));

    // Pauses from a fixed sequence around the checks' intervals: the same jitter in every run.
    for pause in [30, 410, 170, 890, 60, 1300, 240, 700] {
        for worker in &mut workers {
            worker.kill();
            std::thread::sleep(Duration::from_millis(pause / 3));
        }
        std::thread::sleep(Duration::from_millis(pause));
        for worker in &mut workers {
            worker.start();
            std::thread::sleep(Duration::from_millis(pause / 5));
        }
    }
    let web = Target::http("192.168.0.33:80");
    eventually("the web is back", Duration::from_secs(8), || fetch(lab.client(), &web).outcome.is_ok());
    assert_eq!([API, WEB].map(|address| pair.ownership.claims(address)), claims, "an address moved");
    assert_eq!(pair.ownership.holders(WEB), [NODES[0]]);
}
