//! `fmc-lbctl explain`: what it says is what the pair does.

use std::time::Duration;

use fmc_api::explain::{BackendExplanation, VipExplanation};
use fmc_api::word::{Health, Prospect};
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{NODES, Pair};
use fmc_tests::server::Server;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Some looks of one node at another.
const HEARD: Duration = Duration::from_secs(5);

#[test]
fn each_node_knows_why_the_owner_owns_and_why_a_server_gets_nothing_new() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));

    let owner_says = vip(&pair, 0).sentence;
    assert!(owner_says.starts_with(&format!("{} serves 192.168.0.33 because ", NODES[0])), "{owner_says}");
    assert!(owner_says.ends_with(&format!("{} is fit too, and ranks below", NODES[1])), "{owner_says}");
    eventually("the other node gives the same reason, which only the owner knows", HEARD, || {
        vip(&pair, 1).sentence == owner_says
    });

    pair.second.expect_ctl(&["drain", "node", NODES[1], "--yes"]);
    eventually("who asked is said on the owner", HEARD, || {
        vip(&pair, 0).sentence.ends_with(&format!("{} is drained, asked by uid 0", NODES[1]))
    });

    workers[1].kill();
    pair.first.wait_for_health("worker2", Health::Unhealthy, Duration::from_secs(15));
    pair.first.expect_ctl(&["drain", "workers/worker3", "--yes"]);
    let explained: BackendExplanation = json(&pair, 0, &["explain", "backend", "workers"]);
    let prospects: Vec<Prospect> = explained.servers.iter().map(|server| server.prospect).collect();
    assert_eq!(prospects, [Prospect::Next, Prospect::LastResort, Prospect::Never], "{explained:#?}");
    assert!(explained.sentence.contains("the next client of workers goes to worker1: "), "{}", explained.sentence);
    assert!(explained.sentence.contains("worker3 gets none: drained, asked by uid 0"), "{}", explained.sentence);
    assert!(explained.servers[1].checks.iter().any(|check| !check.passed), "the checks behind it are shown");

    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(20));
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(load.stop().failures().len(), 0, "what is said to serve serves");
    let masters: BackendExplanation = json(&pair, 0, &["explain", "backend", "masters"]);
    assert!(masters.servers.iter().all(|server| server.why.contains("/ping")), "the rung is named: {masters:#?}");

    let nobody = pair.first.ctl(&["explain", "vip", "mail"]);
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(nobody.status.code() == Some(2) && said.contains("use one of api, web"), "{said}");
}

fn vip(pair: &Pair<'_>, node: usize) -> VipExplanation {
    json(pair, node, &["explain", "vip", "web"])
}

fn json<T: serde::de::DeserializeOwned>(pair: &Pair<'_>, node: usize, words: &[&str]) -> T {
    let node = [&pair.first, &pair.second][node];
    serde_json::from_str(&node.expect_ctl(&[&["--json"], words].concat())).expect("an answer as the API types say")
}
