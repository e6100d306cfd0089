//! One election carries both addresses of the lab: `follows = "api"` in `[vips.web]`.

use std::time::Duration;

use fmc_api::status::Owner;
use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::lab::Lab;
use fmc_tests::link;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

fn grouped() -> Configuration {
    Configuration::flatcar_micro_cloud().replace("[vips.web]\n", "[vips.web]\nfollows = \"api\"\n")
}

fn owners(node: &Balancer<'_>) -> Vec<Owner> {
    node.status().map(|status| status.vips.into_iter().map(|vip| vip.owner).collect()).unwrap_or_default()
}

#[test]
fn a_move_of_one_address_of_a_group_moves_the_other_too_and_every_command_says_so() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &grouped());
    let moves = pair.first.expect_ctl(&["failover", "web", "--to", NODES[1], "--yes"]);
    assert!(moves.contains("api") && moves.contains("web"), "{moves}");
    pair.wait_for(NODES[1]);
    let vips = pair.second.expect_ctl(&["vips"]);
    assert!(vips.contains("web 192.168.0.33, follows api on "), "{vips}");
    let why = pair.second.expect_ctl(&["explain", "vip", "web"]);
    assert!(why.contains("one election carries api and web; loadbalancer2 serves 192.168.0.33"), "{why}");
    for node in [&pair.first, &pair.second] {
        let wanted = Owner::Node(NODES[1].parse().unwrap());
        eventually("both nodes know the owner of both", Duration::from_secs(3), || {
            owners(node) == [wanted.clone(), wanted.clone()]
        });
    }
}

#[test]
fn who_cannot_serve_one_of_a_group_gives_all_of_it_away() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &grouped());
    // Only the first node loses its path to the workers: by itself that would be Web's fall alone.
    link::drop_incoming(lab.machine(NODES[0]), "ip saddr 10.17.4.24-10.17.4.26");
    pair.ownership.wait_for(NODES[1], API, Duration::from_secs(20));
    pair.ownership.wait_for(NODES[1], WEB, Duration::from_secs(1));
    let why = pair.second.expect_ctl(&["explain", "vip", "api"]);
    assert!(why.contains("one election carries api and web; loadbalancer2 serves 192.168.0.32"), "{why}");
    assert!(why.contains("loadbalancer1 is only "), "{why}");
    link::stop_dropping(lab.machine(NODES[0]));
}

#[test]
fn the_last_word_of_a_dead_keeper_speaks_for_the_whole_group() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &grouped());
    let capture = Capture::start(&lab, "br0");
    let killed = pair.first.signal(Role::Keeper, Signal::SIGKILL);
    pair.wait_for(NODES[1]);
    eventually("a resignation is heard", Duration::from_secs(1), || {
        capture.adverts_since(killed, 32).iter().any(|(_, _, priority)| *priority == 0)
    });
    let alarms = pair.second.status().expect("a status").alarms;
    assert!(!alarms.iter().any(|alarm| alarm.text.contains("without 192.168.0.33")), "{alarms:?}");
}
