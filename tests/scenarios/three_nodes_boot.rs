//! Three nodes come up behind late ports, and lose their proxies for good one after the other: the address is where service is.

use std::time::{Duration, Instant};

use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::ownership::Ownership;
use fmc_tests::plan::THREE_BALANCERS;
use fmc_tests::poison::Poison;
use fmc_tests::server::{Server, wait_until_served};
use fmc_tests::trio::{API, NODES, Trio, WEB};

const KEY: &str = "0123456789abcdef0123456789abcdef";
/// Two busy cores.
const SETTLED: Duration = Duration::from_secs(8);
/// Longer than anything in an election lasts after its first half second.
const LATE: Duration = Duration::from_secs(3);
/// The longest pause before a role is started again (10 s), and its start.
const NEXT_START: Duration = Duration::from_secs(14);

fn web() -> Target {
    Target::http("10.17.5.30:80")
}

#[test]
fn a_cold_boot_of_three_behind_late_ports_ends_with_one_owner_that_clients_reach() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    for node in NODES {
        lab.unplug(node);
    }
    let shipped = Configuration::example("plan-b.toml").with_key(&lab, KEY);
    let _nodes = NODES.map(|node| Balancer::start(&lab, node, &shipped));
    std::thread::sleep(LATE);
    let forwarding = NODES.map(|node| lab.plug(node))[2];
    for address in [API, WEB] {
        ownership.owner(address, SETTLED);
    }
    figure("three nodes, late ports: one owner after", forwarding.elapsed());
    wait_until_served(&lab, &web(), SETTLED);
    // Whoever finds its servers well first is better off; from then on nothing moves.
    std::thread::sleep(Duration::from_secs(3));
    let settled = Instant::now();
    let claims = [API, WEB].map(|address| ownership.claims(address));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!([API, WEB].map(|address| ownership.claims(address)), claims, "an address moved");
    for address in [API, WEB] {
        assert_eq!(ownership.longest_overlap_since(settled, address), Duration::ZERO, "two owners of {address}");
    }
}

#[test]
fn of_three_nodes_whose_proxies_die_at_each_start_the_one_that_lives_serves() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let trio = Trio::start(&lab, &Configuration::example("plan-b.toml").with_key(&lab, KEY), &[API, WEB]);
    wait_until_served(&lab, &web(), SETTLED);

    let first = Poison::give(&trio.nodes[0]);
    [API, WEB].iter().for_each(|address| trio.wait_for(NODES[1], address));
    let second = Poison::give(&trio.nodes[1]);
    [API, WEB].iter().for_each(|address| trio.wait_for(NODES[2], address));
    // A change up to 20 ms before a moment counts as after it.
    std::thread::sleep(Duration::from_millis(100));
    let (moved, load) = (Instant::now(), Load::start(lab.client(), web(), Duration::from_millis(5)));
    std::thread::sleep(Duration::from_secs(3));
    load.stop().assert_all_served();
    for (node, address) in [NODES[0], NODES[1]].into_iter().flat_map(|node| [(node, API), (node, WEB)]) {
        let claimed = trio.ownership.changed_after(moved, node, address, true);
        assert_eq!(claimed, None, "{node}, whose proxy keeps dying, took {address}");
    }

    let third = Poison::give(&trio.nodes[2]);
    for address in [API, WEB] {
        eventually("nobody holds an address that nobody serves", SETTLED, || {
            trio.ownership.holders(address).is_empty()
        });
    }
    drop(second);
    let cured = Instant::now();
    for address in [API, WEB] {
        trio.ownership.wait_for(NODES[1], address, NEXT_START);
    }
    figure("three nodes, all proxies died, one lives again: it owns after", cured.elapsed());
    eventually("clients are served", SETTLED, || fetch(lab.client(), &web()).outcome.is_ok());
    drop((first, third));
}
