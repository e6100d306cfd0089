//! Nodes with a key act as one: what is asked on one is done on all, what happens on one is known on all, and none needs the others.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use fmc_api::backends::ServerStatus;
use fmc_api::status::Owner;
use fmc_api::word::{AdminState, Health};
use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, throughout};
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::plan::THREE_BALANCERS;
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const NEXT_KEY: &str = "fedcba9876543210fedcba9876543210";

/// Some looks of one node at another.
const HEARD: Duration = Duration::from_secs(5);

#[test]
fn what_is_asked_on_one_node_is_done_on_both_and_taken_back_from_either() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));

    let said = pair.second.expect_ctl(&["drain", "workers/worker1", "--yes"]);
    assert!(said.contains("loadbalancer1: the same"), "{said}");
    assert_eq!(both(&pair, "worker1"), [AdminState::Drain; 2], "at once, on both");
    pair.first.expect_ctl(&["weight", "workers/worker2", "7"]);
    assert_eq!([&pair.first, &pair.second].map(|node| server(node, "worker2").weight), [7; 2]);

    let dry = pair.second.expect_ctl(&["undo", "--dry-run"]);
    assert!(dry.contains("weight workers/worker2 7"), "the last act, wherever it was asked: {dry}");
    pair.second.expect_ctl(&["undo", "--yes"]);
    assert_eq!([&pair.first, &pair.second].map(|node| server(node, "worker2").weight), [1; 2]);
    pair.first.expect_ctl(&["undo", "--yes"]);
    assert_eq!(both(&pair, "worker1"), [AdminState::Ready; 2]);

    pair.first.expect_ctl(&["--this-node", "drain", "workers/worker3", "--yes"]);
    assert_eq!(server(&pair.first, "worker3").admin, AdminState::Drain);
    eventually("the other node takes it over by itself", HEARD, || {
        server(&pair.second, "worker3").admin == AdminState::Drain
    });
}

#[test]
fn a_node_is_drained_moved_from_and_looked_at_from_the_other_one() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));

    let owner = Owner::Node(NODES[0].parse().expect("a name"));
    eventually("the other node knows who owns what", HEARD, || {
        pair.second.status().is_some_and(|status| status.vips.iter().all(|vip| vip.owner == owner))
    });
    let said = pair.second.expect_ctl(&["failover", "web", "--yes"]);
    assert!(said.contains(NODES[1]), "its owner moves it: {said}");
    pair.ownership.wait_for(NODES[1], WEB, Duration::from_secs(5));

    pair.second.expect_ctl(&["failover", "all", "--to", NODES[0], "--yes"]);
    pair.wait_for(NODES[0]);

    pair.second.expect_ctl(&["drain", "node", NODES[0], "--yes"]);
    pair.wait_for(NODES[1]);
    let there = pair.second.expect_ctl(&["--node", NODES[0], "status"]);
    assert!(there.starts_with(NODES[0]) && there.contains("drained"), "{there}");
    let nobody = pair.second.ctl(&["--node", "loadbalancer9", "status"]);
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(nobody.status.code() == Some(2) && said.contains("use one of loadbalancer1, loadbalancer2"), "{said}");
}

#[test]
fn what_was_asked_while_a_node_was_dead_is_in_force_when_it_returns() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with_key(&lab, KEY);
    let mut pair = Pair::start(&lab, &configuration);
    pair.second.expect_ctl(&["drain", "masters/master1", "--yes"]);
    pair.first.kill_all();
    pair.wait_for(NODES[1]);

    pair.second.expect_ctl(&["ready", "masters/master1"]);
    pair.second.expect_ctl(&["drain", "workers/worker1", "--yes"]);
    let later = pair.second.expect_ctl(&["maint", "node", NODES[0], "--yes"]);
    assert!(later.contains("loadbalancer1 will do it once it is reached"), "{later}");
    pair.second.expect_ctl(&["pin", "1h"]);

    let returned = Instant::now();
    pair.first = Balancer::start(&lab, NODES[0], &configuration);
    eventually("its proxy answers", HEARD, || pair.first.ctl(&["backends"]).status.success());
    eventually("the node that returned has heard of everything", HEARD, || {
        let admin = |name| server(&pair.first, name).admin;
        let node = pair.first.status().is_some_and(|status| status.admin == AdminState::Maint);
        node && admin("worker1") == AdminState::Drain && admin("master1") == AdminState::Ready
    });
    std::thread::sleep(Duration::from_secs(2));
    for address in [API, WEB] {
        assert_eq!(pair.ownership.changed_after(returned, NODES[0], address, true), None, "it took {address}");
    }
    let events = pair.first.expect_ctl(&["events"]);
    assert!(events.contains("taken over from loadbalancer2"), "{events}");
    let pins = pair.first.expect_ctl(&["explain", "vip", "web"]).matches("pinned").count();
    assert_eq!(pins, 2, "the pin was of all nodes, of the one that was away too");
}

#[test]
fn each_node_tells_what_happens_on_the_other_and_what_it_sees_otherwise() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with_key(&lab, KEY);
    let mut pair = Pair::start(&lab, &configuration);
    let second = lab.machine(NODES[1]);
    second.expect("nft", &["add", "table", "ip", "cut"]);
    second.expect("nft", &["add", "chain", "ip", "cut", "out", "{ type filter hook output priority 0; }"]);
    second.expect("nft", &["add", "rule", "ip", "cut", "out", "ip", "daddr", "10.17.4.24", "drop"]);
    pair.second.wait_for_health("worker1", Health::Unhealthy, Duration::from_secs(20));

    eventually("the first node knows what the second one sees", HEARD, || {
        let worker = server(&pair.first, "worker1");
        worker.health == Health::Healthy && worker.elsewhere.iter().any(|said| said.health == Health::Unhealthy)
    });
    let sentence = "workers/worker1 works for loadbalancer1 and fails for loadbalancer2";
    eventually("that is an alarm", Duration::from_secs(25), || {
        pair.first.status().is_some_and(|status| status.alarms.iter().any(|alarm| alarm.text == sentence))
    });
    pair.second.kill_all();
    let events = pair.first.expect_ctl(&["events"]);
    let told = events.lines().any(|line| line.contains("loadbalancer2  workers/worker1: unhealthy"));
    assert!(told, "the dead node's last events are still known here: {events}");
}

#[test]
fn a_configuration_lands_on_both_nodes_or_on_none() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud().with_key(&lab, KEY);
    let mut pair = Pair::start(&lab, &shipped);
    let before = hashes(&pair);
    let more = shipped.clone().replace("ports = [80, 443]", "ports = [80, 443, 8080]");
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(4));

    // Nothing anywhere, because one node cannot.
    let taken = lab.machine(NODES[1]).spawn(
        fmc_tests::process::Spawn::new("socat", lab.path("socat.log"))
            .args(["tcp-listen:8080,reuseaddr,fork", "stdout"]),
    );
    eventually("the port is taken", HEARD, || apply(&lab, &pair.first, &more, &[]).is_err());
    let refused = apply(&lab, &pair.first, &more, &[]).unwrap_err();
    assert!(refused.contains("loadbalancer2") && refused.contains("nothing has changed on any node"), "{refused}");
    assert_eq!(hashes(&pair), before);
    drop(taken);

    // Everywhere.
    apply(&lab, &pair.first, &more, &[]).expect("both can now");
    let after = hashes(&pair);
    assert!(after[0] == after[1] && after[0] != before[0], "{before:?} {after:?}");
    throughout("nobody is on trial, and nobody goes back", Duration::from_secs(1), || hashes(&pair) == after);

    // Not while one is dead, unless it is meant for one.
    pair.second.kill_all();
    let refused = apply(&lab, &pair.first, &shipped, &[]).unwrap_err();
    assert!(refused.contains("--this-node"), "{refused}");
    assert_eq!(pair.first.status().expect("a status").config.hash, after[0]);
    load.stop().assert_all_served();

    // What came from another node survives a restart of the service although its file is the old one.
    pair.second = Balancer::start(&lab, NODES[1], &shipped);
    pair.second.wait_until_ready();
    assert_eq!(hashes(&pair), after);
    eventually("it says so", HEARD, || {
        pair.second.expect_ctl(&["status"]).contains("is not what is in force, which was applied on another node")
    });
    pair.second.expect_ctl(&["save"]);
    assert_eq!(std::fs::read_to_string(lab.path("loadbalancer2.toml")).unwrap(), more.text());
    eventually("and then the file says it", HEARD, || {
        let status = pair.second.status().expect("a status");
        !status.alarms.iter().any(|alarm| alarm.text.contains("not what is in force"))
    });
}

#[test]
fn a_configuration_on_trial_goes_by_itself_unless_it_is_confirmed() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud().with_key(&lab, KEY);
    let mut pair = Pair::start(&lab, &shipped);
    let before = hashes(&pair);
    let more = shipped.clone().replace("ports = [80, 443]", "ports = [80, 443, 8080]");

    apply(&lab, &pair.first, &more, &["--confirm-within", "3s"]).expect("on trial");
    let tried = hashes(&pair);
    assert!(tried[0] == tried[1] && tried[0] != before[0]);
    assert!(apply(&lab, &pair.second, &shipped, &[]).is_err(), "one trial at a time");
    assert_eq!(hashes(&pair), tried, "whoever is refused a second one ends nobody's first");
    let back = eventually("both go back by themselves", Duration::from_secs(8), || hashes(&pair) == before);
    assert!(back > Duration::from_secs(1), "{back:?}: that was not the end of the trial");

    apply(&lab, &pair.first, &more, &["--confirm-within", "30s"]).expect("on trial");
    pair.second.expect_ctl(&["rollback"]);
    assert_eq!(hashes(&pair), before, "whoever is asked, both go back");

    apply(&lab, &pair.first, &more, &["--confirm-within", "2s"]).expect("on trial");
    pair.second.expect_ctl(&["confirm"]);
    throughout("what is confirmed stays", Duration::from_secs(4), || hashes(&pair) == tried);

    // A node that dies on trial has gone back; the other one follows when its time is over.
    apply(&lab, &pair.first, &shipped, &["--confirm-within", "3s"]).expect("on trial");
    pair.second.signal(Role::Proxy, Signal::SIGKILL);
    pair.second.wait_until_ready();
    eventually("both have what was confirmed", Duration::from_secs(8), || hashes(&pair) == tried);
    pair.first.terminate(Duration::from_secs(5));
}

#[test]
fn a_key_is_replaced_on_a_running_pair_and_no_heartbeat_is_refused() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));
    let claims = || [API, WEB].map(|address| pair.ownership.claims(address));
    let (claimed, refused) = (claims(), [0, 1].map(|node| refused_heartbeats(&lab, NODES[node])));

    for (step, keys) in ["{KEY}\n{NEXT}\n", "{NEXT}\n{KEY}\n", "{NEXT}\n"].iter().enumerate() {
        lab.write("pair.key", &keys.replace("{KEY}", KEY).replace("{NEXT}", NEXT_KEY));
        for node in [&pair.first, &pair.second] {
            node.expect_ctl(&["reload", "--yes"]);
            // With one node ahead and one behind.
            std::thread::sleep(Duration::from_millis(700));
        }
        let worker = ["worker1", "worker2", "worker3"][step];
        let said = pair.first.expect_ctl(&["drain", &format!("workers/{worker}"), "--yes"]);
        assert!(said.contains("loadbalancer2: the same"), "step {step}: {said}");
    }

    let now = [0, 1].map(|node| refused_heartbeats(&lab, NODES[node]));
    assert_eq!((claims(), now), (claimed, refused), "nothing moved and nothing was refused");
}

#[test]
fn whoever_has_no_key_is_told_nothing_and_commands_nothing() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));
    let client = lab.client();
    // From an address that is no node's: the connection is closed before a byte is said.
    let curl = ["-sk", "--max-time", "2", "-o", "/dev/null", "https://192.168.0.30:1112/v1/pair"];
    assert!(!client.output("curl", &curl).status.success());
    // From the other node's own address, but without the key: no handshake. Half-open ones do not keep the nodes apart either.
    let second = lab.machine(NODES[1]);
    assert!(!second.output("curl", &curl).status.success());
    let silent: Vec<_> = (0..40)
        .map(|number| {
            second.spawn(fmc_tests::process::Spawn::new("socat", lab.path(&format!("silent{number}.log"))).args([
                "-u",
                "tcp:192.168.0.30:1112",
                "stdout",
            ]))
        })
        .collect();
    let deadline = Instant::now() + Duration::from_secs(8);
    while !pair.second.ctl(&["--node", NODES[0], "status"]).status.success() {
        assert!(Instant::now() < deadline, "forty silent connections keep the other node out for good");
    }
    drop(silent);
    let refused: u64 = metric(&lab, NODES[0], "fmc_pair_connections_refused_total");
    assert!(refused >= 2, "{refused}");
}

#[test]
fn a_pin_keeps_an_address_from_failing_back_and_outlives_the_keeper() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration =
        Configuration::flatcar_micro_cloud().with_key(&lab, KEY).with("[election]\nfailback = \"always\"\n");
    let pair = Pair::start(&lab, &configuration);
    let said = pair.second.expect_ctl(&["pin", "10m"]);
    assert!(said.contains("loadbalancer1: the same"), "{said}");
    pair.first.expect_ctl(&["failover", "all", "--yes"]);
    pair.wait_for(NODES[1]);
    let stays = || [API, WEB].iter().all(|address| pair.ownership.holders(address) == [NODES[1]]);
    throughout("the addresses stay where they were moved", Duration::from_secs(2), stays);

    pair.first.signal(Role::Keeper, Signal::SIGKILL);
    std::thread::sleep(Duration::from_secs(1));
    throughout("a new keeper is told of the pin", Duration::from_secs(3), stays);
    let left = pair.first.status().and_then(|status| status.pinned).map(|pinned| pinned.left_ms);
    assert!(left.is_some_and(|left| (500_000..600_000).contains(&left)), "{left:?}");

    pair.first.expect_ctl(&["undo", "--yes"]);
    pair.wait_for(NODES[0]);
}

#[test]
fn three_nodes_on_two_bridges_act_as_one() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::example("plan-b.toml").with_key(&lab, KEY);
    let names = ["loadbalancer1", "loadbalancer2", "k8s-api-lb"];
    let mut nodes = names.map(|node| Balancer::start(&lab, node, &configuration));
    nodes.iter().for_each(Balancer::wait_until_ready);

    let worker = nodes[0]
        .backends()
        .backends
        .iter()
        .find(|backend| backend.name.as_str() == "workers")
        .map(|backend| backend.servers[0].name.to_string());
    let worker = worker.expect("plan B has workers");
    nodes[2].kill_all();
    let said = nodes[1].expect_ctl(&["drain", &format!("workers/{worker}"), "--yes"]);
    assert!(said.contains("loadbalancer1: the same") && said.contains("k8s-api-lb will do it"), "{said}");
    nodes[2] = Balancer::start(&lab, names[2], &configuration);
    nodes[2].wait_until_ready();
    eventually("the third node hears of it", HEARD, || server(&nodes[2], &worker).admin == AdminState::Drain);

    let more = configuration.clone().with("[election]\nfailback = \"after 10m\"\n");
    apply(&lab, &nodes[2], &more, &[]).expect("all three can");
    let hashes: Vec<String> = nodes.iter().map(|node| node.status().expect("a status").config.hash).collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
}

/// Applies a file; the error is what the tool said.
fn apply(lab: &Lab, on: &Balancer<'_>, next: &Configuration, more: &[&str]) -> Result<(), String> {
    let file: PathBuf = next.write(lab, "next.toml");
    let words: Vec<&str> =
        ["apply", file.to_str().expect("a name of ours"), "--yes"].into_iter().chain(more.iter().copied()).collect();
    let output = on.ctl(&words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(said) }
}

fn hashes(pair: &Pair<'_>) -> [String; 2] {
    [&pair.first, &pair.second].map(|node| node.status().map(|status| status.config.hash).unwrap_or_default())
}

fn both(pair: &Pair<'_>, name: &str) -> [AdminState; 2] {
    [&pair.first, &pair.second].map(|node| server(node, name).admin)
}

fn server(balancer: &Balancer<'_>, name: &str) -> ServerStatus {
    let servers = balancer.backends().backends.into_iter().flat_map(|backend| backend.servers);
    servers.into_iter().find(|server| server.name.as_str() == name).unwrap_or_else(|| panic!("no server {name}"))
}

fn refused_heartbeats(lab: &Lab, node: &str) -> u64 {
    metric(lab, node, "fmc_vrrp_heartbeats_refused_total")
}

/// The sum of a metric over its labels.
fn metric(lab: &Lab, node: &str, name: &str) -> u64 {
    let text = lab.machine(node).expect("curl", &["-fsS", "--max-time", "2", "http://127.0.0.1:9109/metrics"]);
    let lines = text.lines().filter(|line| line.starts_with(name));
    let values = lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    values.sum::<f64>() as u64
}
