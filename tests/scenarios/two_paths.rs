//! Adverts and heartbeats are two paths between the nodes, and each may be cut alone; the path to the servers is a third.

use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, throughout};
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::link;
use fmc_tests::load::Load;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;

/// Ten detection times.
const LONG: Duration = Duration::from_secs(3);

/// So that what the servers cause acts in seconds: found dead in 1.2 s, settled after twice that.
const QUICK_CHECKS: &str =
    "[backends.workers.check]\ninterval = \"500ms\"\nfast_interval = \"300ms\"\ntimeout = \"200ms\"\nfall = 2\n";

fn claims(pair: &Pair<'_>) -> [usize; 2] {
    [API, WEB].map(|address| pair.ownership.claims(address))
}

fn told(node: &Balancer<'_>, what: &str) {
    eventually(&format!("{} tells: {what}", node.node()), Duration::from_secs(10), || {
        node.expect_ctl(&["status"]).contains(what) || node.expect_ctl(&["events"]).contains(what)
    });
}

#[test]
fn adverts_that_do_not_arrive_move_nothing_while_heartbeats_say_that_the_owner_lives() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let claimed = claims(&pair);
    link::drop_incoming(lab.machine(NODES[1]), "ip protocol 112");
    throughout("there is one owner", LONG, || claims(&pair) == claimed);
    told(&pair.second, "adverts of loadbalancer1 do not arrive, but its heartbeat says that it is Active");

    // The heartbeat holds a claim back only while its sender lives.
    let died = pair.first.kill_all();
    pair.ownership.changed_within(died, NODES[1], WEB, true, Duration::from_secs(3));
    link::stop_dropping(lab.machine(NODES[1]));
}

#[test]
fn heartbeats_that_do_not_arrive_move_nothing_and_leave_the_election_to_the_adverts() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let claimed = claims(&pair);
    for node in NODES {
        link::drop_incoming(lab.machine(node), "udp dport 1112");
    }
    throughout("there is one owner", LONG, || claims(&pair) == claimed);
    told(&pair.first, "no heartbeat from loadbalancer2");
    told(&pair.second, "no heartbeat from loadbalancer1");

    let died = pair.first.kill_all();
    pair.ownership.changed_within(died, NODES[1], WEB, true, Duration::from_secs(3));
    for node in NODES {
        link::stop_dropping(lab.machine(node));
    }
}

#[test]
fn who_loses_the_path_to_the_workers_gives_the_web_away_and_keeps_the_api_unless_the_other_lost_it_too() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with(QUICK_CHECKS));
    let claimed = claims(&pair);
    for node in NODES {
        link::drop_incoming(lab.machine(node), "ip saddr 10.17.4.24-10.17.4.26");
    }
    let unfit = |node: &Balancer<'_>| node.expect_ctl(&["vips"]).contains("unfit");
    eventually("both find every worker dead", Duration::from_secs(15), || unfit(&pair.first) && unfit(&pair.second));
    throughout("moving would help nobody", Duration::from_secs(6), || claims(&pair) == claimed);

    link::stop_dropping(lab.machine(NODES[1]));
    pair.ownership.wait_for(NODES[1], WEB, Duration::from_secs(20));
    assert_eq!(pair.ownership.holders(API), [NODES[0]], "the masters are within reach of both");
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(10));
    std::thread::sleep(Duration::from_secs(1));
    load.stop().assert_all_served();
    link::stop_dropping(lab.machine(NODES[0]));
    throughout("who is well again takes nothing back", Duration::from_secs(5), || {
        (pair.ownership.holders(WEB), pair.ownership.holders(API)) == (vec![NODES[1]], vec![NODES[0]])
    });
}
