//! `virtual_mac = true` in service: the roles under their own users, a client that keeps one MAC address, and what is left behind.

use std::time::Duration;

use fmc_tests::binaries::product;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::lab::Lab;
use fmc_tests::namespace::Namespace;
use fmc_tests::pair::{NODES, Pair, WEB};
use fmc_tests::server::Server;

const WITHIN: Duration = Duration::from_secs(10);
const VIRTUAL_MAC: &str = "00:00:5e:00:01:21";

fn configuration() -> Configuration {
    Configuration::flatcar_micro_cloud().replace("[vips.web]\n", "[vips.web]\nvirtual_mac = true\n")
}

fn neighbour(client: &Namespace) -> String {
    client.expect("ip", &["neigh", "show", WEB])
}

/// Interfaces of virtual MAC addresses, as `ip` shows them.
fn made(machine: &Namespace) -> Vec<String> {
    let links = machine.expect("ip", &["-o", "link", "show"]);
    links.lines().filter(|line| line.contains(" fmc4-")).map(str::to_owned).collect()
}

#[test]
fn a_client_keeps_its_neighbour_entry_over_a_failover_and_nothing_is_left_by_a_node_that_was_killed() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &configuration());
    let target = Target::http("192.168.0.33:80");
    let served = || eventually("the client is served", WITHIN, || fetch(lab.client(), &target).outcome.is_ok());
    served();
    assert!(neighbour(lab.client()).contains(VIRTUAL_MAC), "{}", neighbour(lab.client()));
    assert!(made(lab.machine(NODES[1])).iter().all(|line| line.contains("state DOWN")), "the Backup is quiet");

    pair.first.kill_all();
    pair.wait_for(NODES[1]);
    assert!(neighbour(lab.client()).contains(VIRTUAL_MAC), "{}", neighbour(lab.client()));
    served();
    assert!(neighbour(lab.client()).contains(VIRTUAL_MAC), "{}", neighbour(lab.client()));

    // The lease has taken the address; the interface waits for the next start, or for `fmc-lb cleanup`.
    let first = lab.machine(NODES[0]);
    assert_eq!(made(first).len(), 1);
    let runtime_dir = fmc_tests::balancer::runtime_dir(&lab, NODES[0]);
    let program = product("fmc-lb").display().to_string();
    first.expect(&program, &["cleanup", "--runtime-dir", &runtime_dir.display().to_string()]);
    eventually("the interface is gone", WITHIN, || made(first).is_empty());
}
