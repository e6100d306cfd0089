//! What a Prometheus reads of a pair, and what the shipped dashboard and alerts make of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::exposition::{Exposition, promtool};
use fmc_tests::lab::Lab;
use fmc_tests::pair::Pair;
use fmc_tests::server::Server;

const LOCAL: &str = "http://127.0.0.1:9109/metrics";
const FROM_ELSEWHERE: &str = "http://192.168.0.30:9109/metrics";

/// Prometheus runs in the cluster: on the LAN its packets come from the worker that it runs on.
const PROMETHEUS_MAY: &str = "[admin]\nlisten = [\"127.0.0.1:9109\", \"node:9109\"]\nallow = [\"10.17.4.24/32\"]\n";

/// Every key that a label may have; each one's values come from the configuration or from a list of words in the code.
const LABELS: [&str; 19] = [
    "address",
    "backend",
    "direction",
    "ended_by",
    "error",
    "failure",
    "family",
    "frontend",
    "hello",
    "interface",
    "le",
    "node",
    "of",
    "reason",
    "result",
    "role",
    "server",
    "severity",
    "to",
];
const OF_ELECTION: [&str; 2] = ["version", "vip"];

#[test]
fn promtool_finds_nothing_to_say_and_every_name_of_dashboard_and_alerts_exists() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with(PROMETHEUS_MAY));
    (0..20).for_each(|_| drop(fetch(lab.client(), &Target::http("192.168.0.33:80"))));

    let page = Exposition::read(lab.machine("worker1"), FROM_ELSEWHERE);
    let other = Exposition::read(lab.machine(pair.second.node()), LOCAL);
    for page in [&page, &other] {
        assert_eq!(promtool(&["check", "metrics"], page.text()).as_deref(), Ok(""), "{}", page.text());
        let known: BTreeSet<&str> = LABELS.into_iter().chain(OF_ELECTION).collect();
        let strange: Vec<&str> = page.label_keys().into_iter().filter(|key| !known.contains(key)).collect();
        assert!(strange.is_empty(), "labels that no list knows: {strange:?}");
    }
    assert_eq!(page.value("fmc_vrrp_active{vip=\"web\"}") + other.value("fmc_vrrp_active{vip=\"web\"}"), 1.0);
    assert!(page.value("fmc_connections_total{frontend=\"web\"}") >= 20.0);

    for file in ["prometheus/fmc-lb.rules.yml", "grafana/fmc-lb.json"] {
        let named = names_in(&std::fs::read_to_string(dist(file)).expect("the file"));
        assert!(!named.is_empty());
        let there = page.names();
        let missing: Vec<&String> = named.difference(&there).collect();
        assert!(missing.is_empty(), "{file} names what no balancer has: {missing:?}");
    }

    let stranger = lab.client().output("curl", &["-sS", "--max-time", "2", FROM_ELSEWHERE]);
    assert!(!stranger.status.success(), "only the allow list may look");
    let virtual_address = ["-sS", "--max-time", "2", "http://192.168.0.33:9109/metrics"];
    assert!(!lab.machine("worker1").output("curl", &virtual_address).status.success(), "no virtual address answers");
}

#[test]
fn every_query_of_the_dashboard_is_one() {
    let text = std::fs::read_to_string(dist("grafana/fmc-lb.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels").iter();
    let targets = panels.filter_map(|panel| panel["targets"].as_array()).flatten();
    let annotations = dashboard["annotations"]["list"].as_array().expect("annotations").iter();
    let queries: Vec<&str> = targets.chain(annotations).filter_map(|from| from["expr"].as_str()).collect();
    assert!(queries.len() > 25, "{} queries", queries.len());
    let rules = queries.iter().enumerate().map(|(number, query)| {
        let query = query.replace("$__rate_interval", "1m").replace("$job", "fmc-lb").replace("$node", ".*");
        assert!(!query.contains('$'), "a variable that this test does not know: {query}");
        format!("{{\"record\": \"query{number}\", \"expr\": {}}}", serde_json::Value::from(query))
    });
    let file = format!("{{\"groups\": [{{\"name\": \"all\", \"rules\": [{}]}}]}}", rules.collect::<Vec<_>>().join(","));
    let scratch = std::env::temp_dir().join(format!("fmc-dashboard-{}.json", std::process::id()));
    std::fs::write(&scratch, file).expect("a scratch file");
    let verdict = promtool(&["check", "rules", &scratch.display().to_string()], "");
    std::fs::remove_file(&scratch).expect("the scratch file");
    verdict.expect("queries that Prometheus understands");
}

#[test]
fn every_alert_has_its_section_at_3_in_the_morning_in_both_languages() {
    let rules = std::fs::read_to_string(dist("prometheus/fmc-lb.rules.yml")).expect("the rules");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for page in ["at-3-am.md", "a-las-3-de-la-manana.md"] {
        let text = std::fs::read_to_string(dist("../docs/how-to").join(page)).expect("the page");
        let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let apart: Vec<&&str> = alerts.iter().filter(|alert| !sections.contains(alert)).collect();
        assert!(apart.is_empty() && sections.len() == alerts.len(), "{page} lacks {apart:?} or has more");
        for alert in &alerts {
            assert!(rules.contains(&format!("at-3-am.md#{}", alert.to_lowercase())), "{alert} does not say where");
        }
    }
}

#[test]
fn counters_survive_reloads_and_a_server_that_goes_and_comes_back() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud();
    let pair = Pair::start(&lab, &configuration);
    let ask = |times: u32| (0..times).for_each(|_| drop(fetch(lab.client(), &Target::http("192.168.0.33:80"))));
    let read = || Exposition::read(lab.machine(pair.first.node()), LOCAL);
    ask(30);
    let mut before = read();
    let worker3 = "fmc_server_connections_total{backend=\"workers\",server=\"worker3\"}";
    let began = before.value(worker3);
    assert!(began > 0.0);

    let without = configuration.clone().replace(", worker3 = \"10.17.4.26\"", "").write(&lab, "without.toml");
    let with = configuration.with("[limits]\nmax_connections = 9000\n").write(&lab, "with.toml");
    for file in [without, with] {
        pair.first.expect_ctl(&["apply", &file.display().to_string(), "--yes"]);
        let after = read();
        for (series, value) in before.series() {
            let is_counter = series.split('{').next().is_some_and(|name| name.ends_with("_total"));
            let now = after.series().get(series).copied();
            assert!(!is_counter || now >= Some(value), "{series} fell from {value} to {now:?}");
        }
        before = after;
    }
    eventually("worker3 is counted on from where it was", Duration::from_secs(10), || {
        ask(3);
        read().value(worker3) > began
    });
}

fn dist(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").join(file)
}

/// Every word that begins as our metrics do.
fn names_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    words.filter(|word| word.starts_with("fmc_")).map(str::to_owned).collect()
}
