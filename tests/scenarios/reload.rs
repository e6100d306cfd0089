//! The configuration changes under traffic: nobody is lost, nothing moves that need not, and a bad file changes nothing.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::{figure, figure_count};
use fmc_tests::lab::Lab;
use fmc_tests::load::{Load, Record};
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::process::{Process, Spawn};
use fmc_tests::server::Server;
use fmc_tests::stream::Streams;
use nix::sys::signal::Signal;

/// Rounds of one scenario, a reload on each node; `FMC_RELOAD_ROUNDS` asks for more.
const ROUNDS: usize = 100;

/// Clients that open a connection each 4 ms; `FMC_RELOAD_CLIENTS` asks for more.
const CLIENTS: usize = 1;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Two intervals of the shipped configuration: a virtual machine may be stalled for a moment, an election that begins anew is
/// silent for longer.
const SILENCE: Duration = Duration::from_millis(200);

/// Between two advertisements, by the shipped configuration.
const INTERVAL: Duration = Duration::from_millis(100);

#[test]
fn reloads_under_load_lose_nobody_cut_no_stream_and_disturb_no_advertisement() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud().with_streams();
    let pair = Pair::start(&lab, &shipped);
    let changed = shipped
        .clone()
        .replace("worker3 = \"10.17.4.26\"", "spare = { address = \"10.17.4.26\", backup = true }")
        .replace("[backends.workers]\n", "[backends.workers]\nbalance = \"power-of-two\"\n")
        .with("[frontends.more]\nvip = \"web\"\nport = 8080\nprofile = \"tcp\"\nbackend = \"more\"\n")
        .with("[backends.more]\nservers = { worker1 = \"10.17.4.24:80\" }\n")
        .with("[election]\nfailback = \"after 10m\"\n");
    let capture = Capture::start(&lab, "br0");
    let streams = Streams::open(lab.client(), "192.168.0.33:7", 6, Duration::from_millis(50));
    let clients = asked("FMC_RELOAD_CLIENTS").unwrap_or(CLIENTS);
    let client = |_| Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(4));
    let load: Vec<Load> = (0..clients).map(client).collect();
    let (begun, claims) = (Instant::now(), [API, WEB].map(|address| pair.ownership.claims(address)));

    for round in 0..asked("FMC_RELOAD_ROUNDS").unwrap_or(ROUNDS) {
        let next = if round % 2 == 0 { &changed } else { &shipped };
        for balancer in [&pair.first, &pair.second] {
            reload(&lab, balancer, next);
        }
        let is_served = serves(&lab, "192.168.0.33:8080");
        assert_eq!(is_served, round % 2 == 0, "port 8080 is there when it is configured, and only then");
    }

    let took = begun.elapsed();
    let served: Vec<Record> = load.into_iter().map(Load::stop).collect();
    served.iter().for_each(Record::assert_all_served);
    let connections: usize = served.iter().map(|record| record.attempts().len()).sum();
    figure_count("reloads: connections a second", connections / took.as_secs().max(1) as usize);
    assert_eq!(streams.alive(), 6, "a reload cuts nobody");
    assert_eq!([API, WEB].map(|address| pair.ownership.claims(address)), claims, "an address moved");
    let silences = silences(&capture, begun);
    let late = silences.iter().filter(|silence| **silence > INTERVAL * 6 / 5).count();
    figure_count(&format!("reloads: of {} times between two advertisements, over 1.2 intervals", silences.len()), late);
    let silence = silences.into_iter().max().unwrap_or_default();
    figure("reloads: longest time between two advertisements of the owner, at 100 ms", silence);
    assert!(silence < SILENCE, "{silence:?}");
}

#[test]
fn a_file_that_is_wrong_or_cannot_be_served_changes_nothing_and_says_why() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let pair = Pair::start(&lab, &shipped);
    let hash = || pair.first.status().expect("a status").config.hash;
    let before = hash();
    let taken = occupy(&lab, NODES[0], 8080);
    let key = lab.write("pair.key", KEY);
    let on_8080 = format!("[pair]\nkey_file = \"{}\"\nport = 8080\n", key.display());
    for (next, says) in [
        (shipped.clone().with("[admin]\nlisten = [\"127.0.0.1:8080\"]\n"), "cannot be served at 127.0.0.1:8080"),
        (shipped.clone().with(&on_8080), "192.168.0.30:8080: free it, or change [pair] port"),
        (shipped.clone().replace("profile = \"k8s-api\"", "profile = \"k8s\""), "k8s-api"),
        (shipped.clone().replace("[vips.web]\n", "[vips.web]\ninterface = \"eth9\"\n"), "eth9"),
        (shipped.clone().replace("loadbalancer1", "balancer1"), "which this node is"),
        (shipped.clone().replace("ports = [80, 443]", "ports = [80, 443, 8080]"), "the port is taken by"),
        (shipped.clone().with("[pair]\nkey_file = \"/nowhere/pair.key\"\n"), "/nowhere/pair.key"),
    ] {
        next.write(&lab, "loadbalancer1.toml");
        let refused = pair.first.ctl(&["reload", "--yes"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{says}: {said}");
        assert!(said.contains(says), "the refusal does not say {says:?}:\n{said}");
        assert_eq!(hash(), before, "{says}: another configuration is in force");
    }
    drop(taken);
    shipped.write(&lab, "loadbalancer1.toml");
    let same = pair.first.expect_ctl(&["reload", "--yes"]);
    assert!(same.contains("nothing to change"), "{same}");
    assert_eq!(pair.ownership.holders(WEB), [NODES[0]], "no address moved for that");
}

#[test]
fn what_was_applied_is_what_a_restarted_proxy_and_a_restarted_service_work_by() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let mut pair = Pair::start(&lab, &shipped);
    let next = shipped.clone().with(
        "[frontends.more]\nvip = \"web\"\nports = { 8080 = 80 }\nprofile = \"traefik-web\"\nbackend = \"workers\"\n",
    );
    let file = next.write(&lab, "next.toml");
    let file = file.to_str().expect("a path of letters");

    let planned = pair.first.expect_ctl(&["plan", file]);
    assert!(planned.contains("+ frontends.more = "), "{planned}");
    assert!(planned.contains("no address moves") && planned.contains("no connection is cut"), "{planned}");
    for balancer in [&pair.first, &pair.second] {
        balancer.expect_ctl(&["apply", file, "--yes"]);
    }
    assert!(serves(&lab, "192.168.0.33:8080"), "the new frontend does not serve");

    pair.first.expect_ctl(&["failover", "web", "--yes"]);
    pair.second.signal(Role::Proxy, Signal::SIGKILL);
    pair.ownership.wait_for(NODES[0], WEB, Duration::from_secs(3));
    pair.second.wait_until_ready();
    pair.first.expect_ctl(&["failover", "web", "--yes"]);
    pair.ownership.wait_for(NODES[1], WEB, Duration::from_secs(3));
    assert!(serves(&lab, "192.168.0.33:8080"), "the new frontend does not serve");

    // The service's own file is what was applied.
    let own = lab.path("loadbalancer1.toml");
    assert_eq!(
        std::fs::read_to_string(own).expect("the file of the service"),
        std::fs::read_to_string(file).expect("it")
    );
    pair.first.terminate(Duration::from_secs(8));
    pair.first = Balancer::start(&lab, NODES[0], &next);
    pair.first.wait_until_ready();
    let hashes = [&pair.first, &pair.second].map(|balancer| balancer.status().expect("a status").config.hash);
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn addresses_come_and_go_and_nobody_on_the_others_notices() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let pair = Pair::start(&lab, &shipped);
    let more = shipped
        .clone()
        .with("[vips.more]\naddress = \"192.168.0.34\"\n")
        .with("[frontends.more]\nvip = \"more\"\nport = 80\nprofile = \"traefik-web\"\nbackend = \"workers\"\n");
    let file = more.write(&lab, "more.toml");
    let planned = pair.first.expect_ctl(&["plan", file.to_str().expect("a path of letters")]);
    assert!(planned.contains("in place"), "nobody who stays is touched: {planned}");
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(4));
    let claims = || [API, WEB].map(|address| pair.ownership.claims(address));
    let before = claims();

    for round in 0..3 {
        // The owner of the others first: whoever is alone with a new address takes it.
        for balancer in [&pair.first, &pair.second] {
            reload(&lab, balancer, &more);
        }
        eventually("one node owns the new address", Duration::from_secs(5), || {
            pair.ownership.holders("192.168.0.34").len() == 1
        });
        eventually("the new address serves", Duration::from_secs(3), || serves(&lab, "192.168.0.34:80"));
        // The second time it goes where it is owned last, the third time both have it gone at once.
        let order = if round == 0 { [&pair.second, &pair.first] } else { [&pair.first, &pair.second] };
        for balancer in order {
            reload(&lab, balancer, &shipped);
        }
        eventually("the address is gone", Duration::from_secs(5), || pair.ownership.holders("192.168.0.34").is_empty());
    }

    // The same name at another place.
    let elsewhere = more.clone().replace("192.168.0.34", "192.168.0.35");
    for next in [&more, &elsewhere] {
        [&pair.first, &pair.second].into_iter().for_each(|balancer| reload(&lab, balancer, next));
    }
    eventually("it is there", Duration::from_secs(5), || serves(&lab, "192.168.0.35:80"));
    eventually("and not here", Duration::from_secs(5), || pair.ownership.holders("192.168.0.34").is_empty());

    assert_eq!(claims(), before, "no other address has moved");
    load.stop().assert_all_served();
}

#[test]
fn a_start_with_a_wrong_file_works_by_the_last_configuration_that_was_in_force_and_says_so() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = Configuration::flatcar_micro_cloud();
    let wrong = shipped.clone().replace("profile = \"k8s-api\"", "profile = \"k8s\"");
    let (status, log) = fmc_tests::balancer::run_to_end(&lab, NODES[0], &wrong, &[]);
    assert_eq!(status.code(), Some(78), "with nothing to fall back on a wrong file is refused:\n{log}");

    let mut first = Balancer::start(&lab, NODES[0], &shipped);
    first.wait_until_ready();
    let hash = first.status().expect("a status").config.hash;
    first.terminate(Duration::from_secs(8));
    let first = Balancer::start(&lab, NODES[0], &wrong);
    first.wait_until_ready();
    let alarm = || first.status().expect("a status").alarms.into_iter().find(|alarm| alarm.text.contains("is wrong"));
    eventually("the alarm is raised", Duration::from_secs(3), || alarm().is_some());
    assert_eq!(first.status().expect("a status").config.hash, hash);
    assert!(first.log().contains("unknown-word"), "the log shows every error:\n{}", first.log());

    reload(&lab, &first, &shipped.with("[limits]\nmax_connections = 5000\n"));
    eventually("the alarm is over", Duration::from_secs(3), || alarm().is_none());
}

#[test]
fn a_start_finds_ports_taken_raises_alarms_and_serves_them_once_they_are_free() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with_key(&lab, KEY);
    let taken = [9109, 1112].map(|port| occupy(&lab, NODES[0], port));
    let [first, second] = NODES.map(|node| Balancer::start(&lab, node, &configuration));
    first.wait_until_up();
    second.wait_until_ready();
    let alarms = || first.status().expect("a status").alarms;
    for says in ["the status page cannot be served at 127.0.0.1:9109", "there is no channel to the other nodes"] {
        eventually(says, Duration::from_secs(3), || alarms().iter().any(|alarm| alarm.text.contains(says)));
    }

    drop(taken);
    eventually("the alarms are over", Duration::from_secs(5), || alarms().is_empty());
    lab.machine(NODES[0]).expect("curl", &["-fsS", "http://127.0.0.1:9109/healthz"]);
    let there = second.expect_ctl(&["--node", NODES[0], "status"]);
    assert!(there.starts_with(NODES[0]), "the channel works: {there}");
}

/// A stranger listens on a port of a node.
fn occupy(lab: &Lab, node: &str, port: u16) -> Process {
    let process = lab.machine(node).spawn(
        Spawn::new("socat", lab.path(&format!("socat-{port}.log")))
            .args([&format!("tcp-listen:{port},reuseaddr,fork"), "stdout"]),
    );
    let listens = || !lab.machine(node).expect("ss", &["-Hltn", &format!("sport = :{port}")]).is_empty();
    eventually("the port is taken", Duration::from_secs(3), listens);
    process
}

fn asked(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().map(|number| number.parse().expect("a number"))
}

fn reload(lab: &Lab, balancer: &Balancer<'_>, next: &Configuration) {
    next.write(lab, &format!("{}.toml", balancer.node()));
    balancer.expect_ctl(&["reload", "--yes"]);
}

fn serves(lab: &Lab, address: &str) -> bool {
    fetch(lab.client(), &Target::http(address)).outcome.is_ok()
}

/// The times between the owner's advertisements.
fn silences(capture: &Capture, since: Instant) -> Vec<Duration> {
    let owner: IpAddr = "192.168.0.30".parse().expect("an address");
    let adverts = capture.adverts_since(since, 33).into_iter().filter(|(_, source, _)| *source == owner);
    let moments: Vec<Instant> = adverts.map(|(at, ..)| at).collect();
    assert!(moments.len() > 10, "{} advertisements", moments.len());
    moments.windows(2).map(|pair| pair[1] - pair[0]).collect()
}
