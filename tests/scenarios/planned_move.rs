//! An operator moves the addresses, stops a node, or brings a better one back.

use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::throughout;
use fmc_tests::exchange::Target;
use fmc_tests::figure::{figure, figure_count};
use fmc_tests::lab::Lab;
use fmc_tests::load::{Load, Record};
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::process;
use fmc_tests::server::Server;

const PACE: Duration = Duration::from_millis(2);

/// A SYN that nobody answers is sent again after this long (RFC 6298 §2).
const SYN_AGAIN: Duration = Duration::from_secs(1);

#[test]
fn a_planned_failover_and_the_way_back_cost_no_new_connection() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));

    let asked = Instant::now();
    pair.first.expect_ctl(&["failover", "all", "--yes"]);
    pair.wait_for(NODES[1]);
    std::thread::sleep(Duration::from_millis(500));
    pair.second.expect_ctl(&["failover", "web", "--to", NODES[0], "--yes"]);
    pair.ownership.wait_for(NODES[0], WEB, Duration::from_secs(2));
    assert_eq!(pair.ownership.holders(API), [NODES[1]], "the address that was not named stays");
    std::thread::sleep(Duration::from_millis(300));
    let record = load.stop();

    let moved = record.between(asked - Duration::from_millis(50), Instant::now());
    figure("planned failover: longest gap between served connections", moved.longest_gap());
    figure("planned failover: worst exchange", moved.latency(1.0));
    assert_only_open_ones_failed(&pair, &record);
    assert!(moved.longest_gap() < Duration::from_millis(300), "{:?}", moved.longest_gap());
}

/// What the profiles are about is how soon a death is noticed; a move that was asked for waits for none of it.
#[test]
fn a_planned_failover_costs_no_new_connection_of_a_thousand_a_second_in_any_profile() {
    for profile in ["standard", "fast", "compat"] {
        let lab = Lab::flatcar_micro_cloud();
        let _masters = Server::masters(&lab, &Authority::new());
        let _workers = Server::workers(&lab);
        let election = format!("[election]\nprofile = \"{profile}\"\n");
        let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with(&election));
        let began = Instant::now();
        let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(1));
        std::thread::sleep(Duration::from_millis(500));
        let asked = Instant::now();
        pair.first.expect_ctl(&["failover", "all", "--yes"]);
        pair.wait_for(NODES[1]);
        std::thread::sleep(Duration::from_millis(500));
        let record = load.stop();

        let moved = record.between(asked, Instant::now());
        let rate = record.attempts().len() * 1000 / began.elapsed().as_millis().max(1) as usize;
        figure_count(&format!("planned failover, {profile}: connections a second, about"), rate);
        figure(&format!("planned failover, {profile}: longest gap between served connections"), moved.longest_gap());
        figure(&format!("planned failover, {profile}: worst exchange"), moved.latency(1.0));
        assert_only_open_ones_failed(&pair, &record);
        let resent = moved.attempts().iter().filter(|attempt| attempt.latency() >= SYN_AGAIN).count();
        assert_eq!(resent, 0, "{profile}: connections waited for a second SYN");
    }
}

#[test]
fn a_stopped_node_hands_over_and_leaves_nothing_behind() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let pids = [Role::Keeper, Role::Proxy].map(|role| pair.first.pid(role));
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));

    let status = pair.first.terminate(Duration::from_secs(12));
    assert!(status.success(), "{status}");
    assert_eq!(pair.ownership.holders(WEB), [NODES[1]]);
    std::thread::sleep(Duration::from_millis(300));
    let record = load.stop();
    assert_only_open_ones_failed(&pair, &record);
    figure("SIGTERM: longest gap between served connections", record.longest_gap());

    assert!(!pids.into_iter().any(process::is_alive), "a role outlives its supervisor");
    let addresses = lab.machine(NODES[0]).expect("ip", &["-4", "-o", "address", "show", "dev", "eth0"]);
    assert_eq!(addresses.lines().count(), 1, "only the node's own address stays:\n{addresses}");
    let left: Vec<_> =
        std::fs::read_dir(pair.first.path("")).into_iter().flatten().flatten().map(|file| file.path()).collect();
    assert!(left.is_empty(), "files stay in the runtime directory: {left:?}");
}

#[test]
fn a_better_ranked_node_that_returns_takes_nothing_back_by_default() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud();
    let mut pair = Pair::start(&lab, &configuration);
    pair.first.terminate(Duration::from_secs(12));
    pair.wait_for(NODES[1]);
    let claims = pair.ownership.claims(WEB);
    pair.first = Balancer::start(&lab, NODES[0], &configuration);
    pair.first.wait_until_ready();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(pair.ownership.claims(WEB), claims, "the address moved");
    assert_eq!(pair.ownership.holders(WEB), [NODES[1]]);
}

#[test]
fn a_better_ranked_node_that_returns_takes_back_when_failback_is_always() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with("[election]\nfailback = \"always\"\n");
    let mut pair = Pair::start(&lab, &configuration);
    pair.first.terminate(Duration::from_secs(12));
    pair.wait_for(NODES[1]);
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(300));
    pair.first = Balancer::start(&lab, NODES[0], &configuration);
    pair.wait_for(NODES[0]);
    std::thread::sleep(Duration::from_millis(500));
    let record = load.stop();
    figure("failback: longest gap between served connections", record.longest_gap());
    assert_only_open_ones_failed(&pair, &record);
}

#[test]
fn a_better_ranked_node_that_returns_takes_back_when_it_was_fit_for_as_long_as_failback_says() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with("[election]\nfailback = \"after 3s\"\n");
    let mut pair = Pair::start(&lab, &configuration);
    pair.first.terminate(Duration::from_secs(12));
    pair.wait_for(NODES[1]);
    pair.first = Balancer::start(&lab, NODES[0], &configuration);
    pair.first.wait_until_ready();
    throughout("it waits", Duration::from_secs(2), || pair.ownership.holders(WEB) == [NODES[1]]);
    pair.wait_for(NODES[0]);
}

/// A connection whose SYN follows the move is served. One that is open at that very moment is cut, as a relay cannot
/// follow its address; how many were is printed.
fn assert_only_open_ones_failed(pair: &Pair<'_>, record: &Record) {
    figure_count("planned: connections cut because they were open at the move", record.failures().len());
    let others = record.failures_not_under_way_at(&pair.ownership.moments(WEB));
    assert!(others.is_empty(), "{} of {} connections failed: {others:?}", others.len(), record.attempts().len());
}
