//! The driver: verdicts over time, many servers, failed dials, its end.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use fmc_config::model::backend::{Backend, Balance, Queue, Server as ServerModel, Weight};
use fmc_config::model::health_check::{Probe, TlsProbe};
use fmc_health::{Checker, Failure, Finding, HISTORY, OBSERVATION_DEPTH, Observation, Verdict};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::health_check;
use super::server::{Server, closed, closed_at, silent};

/// Settled servers are probed rarely here, so that what a test sees was caused by something else.
const HOUR: Duration = Duration::from_secs(3600);

fn backend(servers: &[(&str, &[SocketAddr])], probe: Probe) -> Backend {
    let mut check = health_check(probe, Duration::from_millis(500));
    (check.interval, check.fast_interval) = (HOUR, Duration::from_millis(20));
    Backend {
        name: "workers".parse().unwrap(),
        servers: servers.iter().map(|(name, ports)| server(name, ports)).collect(),
        named: Vec::new(),
        balance: Balance::RoundRobin,
        check,
        proxy_protocol: None,
        has_flows: false,
        connect_timeout: Duration::from_secs(1),
        hedge_after: None,
        slow_start: None,
        observe: None,
        agent: None,
        queue: Queue { length: 0, timeout: Duration::from_secs(5) },
        attempts: 3,
    }
}

fn server(name: &str, addresses: &[SocketAddr]) -> ServerModel {
    ServerModel {
        name: name.parse().unwrap(),
        address: "127.0.0.1".parse().unwrap(),
        port: None,
        weight: Weight::new(1).unwrap(),
        max_connections: None,
        backup: false,
        check_address: None,
        found_by: None,
        serving_ports: addresses.iter().map(|address| NonZeroU16::new(address.port()).unwrap()).collect(),
    }
}

fn start(backend: &Backend) -> (Checker, mpsc::Receiver<Observation>) {
    let (told, observations) = mpsc::channel(OBSERVATION_DEPTH);
    (Checker::start(std::slice::from_ref(backend), told, &Handle::current()), observations)
}

async fn next(observations: &mut mpsc::Receiver<Observation>) -> Observation {
    timeout(Duration::from_secs(5), observations.recv()).await.expect("no observation").unwrap()
}

#[tokio::test]
async fn every_server_has_its_verdict_at_once() {
    let (up, (_held, down)) = (Server::tcp(b"").await, closed());
    let started = Instant::now();
    let (checker, mut observations) = start(&backend(&[("up", &[up.address]), ("down", &[down])], Probe::Tcp));
    assert!(checker.status().iter().all(|server| server.verdict == Verdict::Unknown));
    let mut told = [next(&mut observations).await, next(&mut observations).await];
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    told.sort_by_key(|observation| observation.server.clone());
    let verdicts = told.map(|observation| (observation.server.to_string(), observation.verdict));
    assert_eq!(verdicts, [("down".to_owned(), Verdict::Unhealthy), ("up".to_owned(), Verdict::Healthy)]);
    let status: Vec<_> =
        checker.status().into_iter().map(|server| (server.server.to_string(), server.verdict)).collect();
    assert_eq!(status, [("up".to_owned(), Verdict::Healthy), ("down".to_owned(), Verdict::Unhealthy)]);
}

#[tokio::test]
async fn failed_dials_bring_a_dead_server_down_without_waiting_for_the_interval() {
    let (listener, address) = silent().await;
    let (checker, mut observations) = start(&backend(&[("w1", &[address])], Probe::Tcp));
    let first = next(&mut observations).await;
    assert_eq!(first.verdict, Verdict::Healthy);
    drop(listener);
    let _held = closed_at(address);
    assert!(checker.recheck(&first.backend, &first.server));
    let down = loop {
        let observation = next(&mut observations).await;
        if let Some(transition) = observation.transition {
            break (observation, transition);
        }
    };
    assert_eq!((down.1.from, down.1.to), (Verdict::Healthy, Verdict::Unhealthy));
    assert_eq!(down.0.outcome.finding, Finding::Fail(Failure::Refused));
    assert_eq!(checker.status()[0].history.len(), 4);
}

#[tokio::test]
async fn a_thousand_failed_dials_are_few_probes() {
    let (_listener, address) = silent().await;
    let (checker, mut observations) = start(&backend(&[("w1", &[address])], Probe::Tcp));
    let first = next(&mut observations).await;
    let started = Instant::now();
    for _ in 0..1000 {
        checker.recheck(&first.backend, &first.server);
    }
    next(&mut observations).await;
    let extra = timeout(Duration::from_millis(300), observations.recv()).await;
    assert!(extra.is_err(), "a second probe for one burst of dials, {:?} after it", started.elapsed());
    assert!(!checker.recheck(&first.backend, &"nobody".parse().unwrap()));
}

#[tokio::test]
async fn a_server_that_returns_rises_and_its_history_stays_short() {
    let (port, address) = closed();
    let mut workers = backend(&[("w1", &[address])], Probe::Tcp);
    workers.check.interval = Duration::from_millis(20);
    let (checker, mut observations) = start(&workers);
    assert_eq!(next(&mut observations).await.verdict, Verdict::Unhealthy);
    let _listener = port.listen(8).unwrap();
    while next(&mut observations).await.verdict != Verdict::Healthy {}
    for _ in 0..HISTORY {
        next(&mut observations).await;
    }
    let status = checker.status().remove(0);
    assert_eq!((status.history.len(), status.flaps, status.verdict), (HISTORY, 1, Verdict::Healthy));
}

#[tokio::test]
async fn one_port_of_two_that_fails_fails_the_server() {
    let (web, (_held, secure)) = (Server::tcp(b"").await, closed());
    let (_checker, mut observations) = start(&backend(&[("w1", &[web.address, secure])], Probe::Tcp));
    let observation = next(&mut observations).await;
    assert_eq!(observation.verdict, Verdict::Unhealthy);
    assert_eq!(observation.outcome.detail, format!("port {}: connection refused", secure.port()));
    assert!(observation.outcome.accepted);
}

#[tokio::test]
async fn a_silent_server_delays_no_other() {
    let (_stopped, silent) = silent().await;
    let up = Server::tls(super::authority::Authority::new().server(), |_| None).await;
    let mut masters = backend(&[("silent", &[silent]), ("up", &[up.address])], Probe::Tls(TlsProbe::default()));
    masters.check.timeout = Duration::from_secs(60);
    let (_checker, mut observations) = start(&masters);
    let first = next(&mut observations).await;
    assert_eq!((first.server.as_str(), first.verdict), ("up", Verdict::Healthy));
}

#[tokio::test]
async fn a_full_channel_drops_repetitions_but_no_transition() {
    let (port, address) = closed();
    let mut workers = backend(&[("w1", &[address])], Probe::Tcp);
    workers.check.interval = Duration::from_millis(10);
    let (told, mut observations) = mpsc::channel(1);
    let checker = Checker::start(&[workers], told, &Handle::current());
    while checker.status()[0].history.len() < HISTORY {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let _listener = port.listen(8).unwrap();
    while checker.status()[0].verdict != Verdict::Healthy {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let told = [next(&mut observations).await, next(&mut observations).await];
    let transitions = told.each_ref().map(|observation| observation.transition.map(|transition| transition.to));
    assert_eq!(transitions, [Some(Verdict::Unhealthy), Some(Verdict::Healthy)], "{told:?}");
}

#[tokio::test]
async fn a_server_without_a_port_stays_unknown_and_is_not_probed() {
    let (checker, mut observations) = start(&backend(&[("w1", &[])], Probe::Tcp));
    assert!(timeout(Duration::from_millis(50), observations.recv()).await.is_err(), "nothing is told");
    assert_eq!(checker.status()[0].verdict, Verdict::Unknown);
    drop(checker);
    assert_eq!(observations.recv().await, None, "no task holds the channel");
}

#[tokio::test]
async fn dropping_the_checker_ends_every_probe() {
    let up = Server::tcp(b"").await;
    let (checker, mut observations) = start(&backend(&[("w1", &[up.address])], Probe::Tcp));
    next(&mut observations).await;
    drop(checker);
    assert_eq!(timeout(Duration::from_secs(5), observations.recv()).await, Ok(None));
}

#[tokio::test]
async fn a_server_in_maintenance_is_left_alone_until_it_is_back() {
    let (_held, down) = closed();
    let backend = backend(&[("down", &[down])], Probe::Tcp);
    let (checker, mut observations) = start(&backend);
    let (name, server) = (backend.name.clone(), backend.servers[0].name.clone());
    next(&mut observations).await;
    assert!(checker.pause(&name, &server));
    assert!(checker.recheck(&name, &server), "a failed dial asks for a probe");
    let told = timeout(Duration::from_millis(300), observations.recv()).await;
    assert!(told.is_err(), "it was probed although it is paused: {told:?}");
    assert!(checker.resume(&name, &server));
    next(&mut observations).await;
}

#[tokio::test]
async fn a_server_with_a_check_address_is_asked_there() {
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let mut workers = backend(&[("w1", &[elsewhere.local_addr().unwrap()])], Probe::Tcp);
    workers.servers[0].check_address = Some("127.0.0.2".parse().unwrap());
    let (checker, mut observations) = start(&workers);
    assert_eq!(next(&mut observations).await.verdict, Verdict::Healthy);
    assert_eq!(checker.status()[0].addresses, [elsewhere.local_addr().unwrap()]);
}

#[tokio::test]
async fn an_inspection_asks_every_port_and_counts_for_nothing() {
    let (web, (_held, secure)) = (Server::tcp(b"").await, closed());
    let (checker, mut observations) = start(&backend(&[("w1", &[web.address, secure])], Probe::Tcp));
    let first = next(&mut observations).await;
    let inspected = checker.inspect(&first.backend, &first.server).unwrap().run().await;
    let found: Vec<_> = inspected.iter().map(|port| (port.address, port.outcome.passed())).collect();
    assert_eq!(found, [(web.address, true), (secure, false)]);
    assert_eq!(inspected[1].steps.last().unwrap().words, "connection refused");
    assert_eq!(checker.status()[0].history.len(), 1);
    assert!(checker.inspect(&first.backend, &"nobody".parse().unwrap()).is_none());
}

#[tokio::test]
async fn a_server_that_refuses_is_gone_after_fall_probes_unless_another_port_was_asked() {
    for port in [None, Some(())] {
        let (_held, down) = closed();
        let mut workers = backend(&[("w1", &[down])], Probe::Tcp);
        workers.check.interval = Duration::from_millis(20);
        workers.check.port = port.and_then(|()| NonZeroU16::new(down.port()));
        let (_checker, mut observations) = start(&workers);
        let mut gone = Vec::new();
        for _ in 0..4 {
            gone.push(next(&mut observations).await.gone_since.is_some());
        }
        assert_eq!(gone, if port.is_none() { [false, false, true, true] } else { [false; 4] });
    }
}

#[tokio::test]
async fn a_backend_that_tracks_another_has_the_verdicts_of_its_servers() {
    let (listener, address) = silent().await;
    let workers = backend(&[("w1", &[address])], Probe::Tcp);
    let (_held, elsewhere) = closed();
    let mut follower = backend(&[("w1", &[elsewhere])], Probe::Tcp);
    follower.name = "plain".parse().unwrap();
    follower.check.track = Some(workers.name.clone());
    let (told, mut observations) = mpsc::channel(OBSERVATION_DEPTH);
    let checker = Checker::start(&[follower, workers], told, &Handle::current());
    let both = [next(&mut observations).await, next(&mut observations).await];
    let heard = both.each_ref().map(|told| (told.backend.as_str(), told.verdict));
    assert_eq!(heard, [("plain", Verdict::Healthy), ("workers", Verdict::Healthy)]);
    let (plain, w1) = (&both[0].backend, &both[0].server);
    assert_eq!(checker.status().iter().map(|server| server.backend.as_str()).collect::<Vec<_>>(), ["plain", "workers"]);
    assert!(checker.pause(&both[1].backend, w1), "the one that is asked is in maintenance");
    assert!(!checker.is_paused(&both[1].backend, w1), "but is asked on, for those who follow");
    drop(listener);
    let _held = closed_at(address);
    assert!(checker.recheck(plain, w1), "a failed dial of the follower asks for a probe of the leader");
    let down = loop {
        let told = next(&mut observations).await;
        if told.verdict == Verdict::Unhealthy {
            break told;
        }
    };
    assert_eq!((down.backend.as_str(), down.gone_since), ("plain", None), "its own port was not asked");
    let leader = next(&mut observations).await;
    assert_eq!((leader.backend.as_str(), leader.gone_since.is_some()), ("workers", true));
}

#[tokio::test]
async fn a_new_configuration_disturbs_no_check_that_stays_and_believes_what_was_known_of_one_that_changes() {
    let (up, (_held, down)) = (Server::tcp(b"").await, closed());
    let before = backend(&[("stays", &[up.address]), ("changes", &[up.address]), ("goes", &[down])], Probe::Tcp);
    let (mut checker, mut observations) = start(&before);
    for _ in 0..3 {
        next(&mut observations).await;
    }
    let probes_of = |checker: &Checker, name: &str| {
        let status = checker.status().into_iter().find(|status| status.server.as_str() == name);
        status.map(|status| (status.verdict, status.history.len()))
    };
    let (_also_held, another) = closed();
    let mut after = backend(&[("stays", &[up.address]), ("changes", &[down]), ("comes", &[another])], Probe::Tcp);
    after.check.rise = before.check.rise;
    checker.reconfigure(std::slice::from_ref(&after));
    assert_eq!(probes_of(&checker, "stays"), Some((Verdict::Healthy, 1)));
    assert_eq!(probes_of(&checker, "changes"), Some((Verdict::Healthy, 1)), "the machine is the same, the port is not");
    assert_eq!((probes_of(&checker, "goes"), probes_of(&checker, "comes")), (None, Some((Verdict::Unknown, 0))));

    let mut told = std::collections::BTreeSet::new();
    while probes_of(&checker, "changes") == Some((Verdict::Healthy, 1)) || told.len() < 2 {
        told.insert(next(&mut observations).await.server.to_string());
    }
    assert_eq!(told.into_iter().collect::<Vec<_>>(), ["changes", "comes"], "who stays is not asked before its hour");
    assert!(checker.recheck(&after.name, &"stays".parse().unwrap()), "the tasks of who stays still serve");
    while probes_of(&checker, "stays") == Some((Verdict::Healthy, 1)) {
        next(&mut observations).await;
    }
}

#[tokio::test]
async fn a_probe_under_way_of_a_server_that_is_taken_out_is_closed_properly_and_tells_nothing() {
    let (listener, address) = silent().await;
    let mut slow = backend(&[("w1", &[address])], Probe::Tls(TlsProbe::default()));
    slow.check.timeout = Duration::from_millis(200);
    let (mut checker, mut observations) = start(&slow);
    let (mut asked, _) = listener.accept().await.unwrap();
    checker.reconfigure(&[]);
    assert!(checker.status().is_empty());
    let mut hello = Vec::new();
    timeout(Duration::from_secs(5), tokio::io::AsyncReadExt::read_to_end(&mut asked, &mut hello))
        .await
        .unwrap()
        .unwrap();
    assert!(!hello.is_empty(), "it asked to the end of its time");
    assert!(timeout(Duration::from_millis(100), observations.recv()).await.is_err(), "nobody waits for the answer");
}
