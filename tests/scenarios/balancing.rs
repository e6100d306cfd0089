//! Which server a client gets, on either node, and after servers have died and returned.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fmc_api::rebalance::{RebalanceAnswer, RebalanceOutcome};
use fmc_api::word::Health;
use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::lab::Lab;
use fmc_tests::pair::{NODES, Pair};
use fmc_tests::server::Server;
use fmc_tests::stream::Streams;

/// Addresses that the client's machine connects from.
const CLIENTS: std::ops::RangeInclusive<u8> = 101..=124;

#[test]
fn source_hash_gives_each_client_the_same_server_on_both_nodes_and_a_dead_servers_clients_another() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &workers_that("balance = \"source-hash\""));
    for host in CLIENTS {
        lab.client().expect("ip", &["address", "add", &format!("192.168.0.{host}/24"), "dev", "eth0"]);
    }

    let on_the_first = servers_of_clients(&lab);
    let servers: BTreeSet<_> = on_the_first.values().cloned().collect();
    assert_eq!(servers.len(), 3, "every worker has clients: {on_the_first:?}");
    assert_eq!(servers_of_clients(&lab), on_the_first, "a client that comes again gets the same server");

    pair.first.expect_ctl(&["failover", "all", "--yes"]);
    pair.wait_for(NODES[1]);
    assert_eq!(servers_of_clients(&lab), on_the_first, "the other node chooses the same");

    workers[1].kill();
    pair.second.wait_for_health("worker2", Health::Unhealthy, Duration::from_secs(8));
    for (client, server) in servers_of_clients(&lab) {
        let before = &on_the_first[&client];
        assert!(
            server != "worker2" && (server == *before || before == "worker2"),
            "{client} went from {before} to {server}"
        );
    }
    workers[1].start();
    pair.second.wait_for_health("worker2", Health::Healthy, Duration::from_secs(8));
    assert_eq!(servers_of_clients(&lab), on_the_first, "its clients come back to it");
}

#[test]
fn a_backup_serves_only_while_the_others_are_dead() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let spare = "worker3 = { address = \"10.17.4.26\", backup = true }";
    let configuration = Configuration::flatcar_micro_cloud().replace("worker3 = \"10.17.4.26\"", spare);
    let pair = Pair::start(&lab, &configuration);
    assert_eq!(served_by(&lab), ["worker1", "worker2"]);

    workers[0].kill();
    pair.first.wait_for_health("worker1", Health::Unhealthy, Duration::from_secs(8));
    assert_eq!(served_by(&lab), ["worker2"]);
    workers[1].kill();
    pair.first.wait_for_health("worker2", Health::Unhealthy, Duration::from_secs(8));
    assert_eq!(served_by(&lab), ["worker3"]);
    let shown = pair.first.expect_ctl(&["backends"]);
    assert!(shown.contains("workers: no regular server is in service, so its backups serve"), "{shown}");

    workers[0].start();
    pair.first.wait_for_health("worker1", Health::Healthy, Duration::from_secs(8));
    assert_eq!(served_by(&lab), ["worker1"]);
    assert_eq!(pair.ownership.holders("192.168.0.33"), [NODES[0]], "no address moved for that");
}

#[test]
fn a_worker_that_returns_gets_its_share_of_idle_streams_by_rebalance_at_the_rate_asked_for() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &workers_that("balance = \"least-connections\""));
    let node = &pair.first;
    workers[0].kill();
    node.wait_for_health("worker1", Health::Unhealthy, Duration::from_secs(8));
    let streams = Streams::open(lab.client(), "192.168.0.33:7", 30, Duration::from_secs(60));
    workers[0].start();
    node.wait_for_health("worker1", Health::Healthy, Duration::from_secs(8));
    assert_eq!(open(node), [0, 15, 15]);

    std::thread::sleep(Duration::from_millis(400));
    let plan = rebalance(node, &["--dry-run"]);
    assert!(matches!(plan.outcome, RebalanceOutcome::WouldClose { .. }), "{plan:?}");
    assert_eq!(
        plan.servers.iter().map(|server| (server.limit, server.closed)).collect::<Vec<_>>(),
        [(12, 0), (12, 3), (12, 3)]
    );
    assert_eq!(streams.alive(), 30, "a dry run closes nothing");

    let asked = Instant::now();
    let done = rebalance(node, &["--yes"]);
    assert!(matches!(done.outcome, RebalanceOutcome::Evened { .. }), "{done:?}");
    assert!(
        asked.elapsed() >= Duration::from_millis(5 * 50),
        "six at 20/s take a quarter of a second, not {:?}",
        asked.elapsed()
    );
    eventually("six streams ended, no more", Duration::from_secs(2), || streams.alive() == 24);
    let again = Streams::open(lab.client(), "192.168.0.33:7", 6, Duration::from_secs(60));
    assert_eq!(open(node), [6, 12, 12], "those that come back go to the worker with the fewest");

    assert!(node.log().contains("ended_by=\"rebalanced\""), "the log line says why");
    assert!(matches!(rebalance(node, &["--yes"]).outcome, RebalanceOutcome::Even));
    assert_eq!((streams.alive(), again.alive()), (24, 6));
}

fn workers_that(line: &str) -> Configuration {
    let lab = Configuration::flatcar_micro_cloud().with_streams();
    lab.replace("[backends.workers]\n", &format!("[backends.workers]\n{line}\n"))
}

/// Which worker answers each of the client's addresses.
fn servers_of_clients(lab: &Lab) -> BTreeMap<String, String> {
    let served = |host| {
        let client = format!("192.168.0.{host}");
        let asked = ["-fsS", "--max-time", "2", "--interface", &client, "http://192.168.0.33/"];
        let output = lab.client().output("curl", &asked);
        assert!(output.status.success(), "{client}: {}", String::from_utf8_lossy(&output.stderr));
        (client, String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    CLIENTS.map(served).collect()
}

/// The workers that answer twelve connections, by name.
fn served_by(lab: &Lab) -> Vec<String> {
    let web = Target::http("192.168.0.33:80");
    let servers = (0..12).map(|_| fetch(lab.client(), &web).outcome.expect("a server answers"));
    servers.collect::<BTreeSet<_>>().into_iter().collect()
}

fn open(node: &Balancer<'_>) -> Vec<u64> {
    let backends = node.backends().backends.into_iter().filter(|backend| backend.name.as_str() == "workers");
    backends.flat_map(|backend| backend.servers).map(|server| server.connections).collect()
}

fn rebalance(node: &Balancer<'_>, flags: &[&str]) -> RebalanceAnswer {
    let words = ["--json", "rebalance", "workers", "--idle", "300ms", "--rate", "20/s"];
    let shown = node.expect_ctl(&[&words[..], flags].concat());
    serde_json::from_str(&shown).expect("an answer as the API types say")
}
