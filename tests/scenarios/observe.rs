//! `fmc-lb run --observe` beside the lab owner's live HAProxy and Keepalived: it sees, it tells, it touches nothing.

use std::time::{Duration, Instant};

use fmc_api::observed::{Observed, ObservedNote, ObservedVip};
use fmc_api::word::Comparison;
use fmc_tests::balancer::Balancer;
use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, eventually_some};
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::lab::Lab;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, WEB};
use fmc_tests::peer::{Peer, Program};
use fmc_tests::server::{Server, wait_until_served};

fn seen(node: &Balancer<'_>) -> Observed {
    let text = node.expect_ctl(&["--json", "report", "observed"]);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn note(node: &Balancer<'_>, words: &str, limit: Duration) -> ObservedNote {
    let find = || seen(node).notes.into_iter().find(|note| note.text.contains(words));
    eventually_some(&format!("{} says {words:?}", node.node()), limit, find).0
}

#[test]
fn an_observer_tells_what_it_would_have_done_and_nobody_notices_it() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let [first, _second] = Peer::lab_pair(&lab);
    ownership.wait_for(NODES[0], WEB, Duration::from_secs(8));
    let web = Target::http("192.168.0.33:80");
    wait_until_served(&lab, &web, Duration::from_secs(8));

    let capture = Capture::start(&lab, "br0");
    let began = Instant::now();
    // Other identifiers, another version and another interval than Keepalived's: the addresses tell what is meant.
    let observers = NODES.map(|node| Balancer::observe(&lab, node, &Configuration::flatcar_micro_cloud()));
    observers.iter().for_each(Balancer::wait_until_up);
    for observer in &observers {
        let status = observer.expect_ctl(&["status", "--this-node"]);
        assert!(status.contains("only observing"), "{status}");
        note(observer, "loadbalancer1 owns 192.168.0.32 with priority 110", Duration::from_secs(5));
    }
    std::thread::sleep(Duration::from_secs(2));
    for observer in &observers {
        let alarms = observer.status().expect("a status").alarms;
        assert!(alarms.is_empty(), "nothing is wrong, and an observer says that something is: {alarms:#?}");
    }
    assert_eq!((ownership.holders(API), ownership.holders(WEB)), (vec![NODES[0]], vec![NODES[0]]));
    assert_eq!(capture.adverts_since(began, 32), [], "an observer advertises");
    for observer in &observers {
        let listening = lab.machine(observer.node()).expect("ss", &["-Hltnp"]);
        let ours: Vec<_> = listening.lines().filter(|line| line.contains("fmc-lb")).collect();
        assert!(ours.iter().all(|line| !line.contains("192.168.0.3")), "an observer listens: {ours:#?}");
    }

    workers[0].kill();
    let gone = note(&observers[1], "I would send it nothing new from now on", Duration::from_secs(15));
    assert_eq!(gone.subject, "workers/worker1");

    first.kill(Program::Keepalived);
    let moved = |vip: &&ObservedVip| vip.moves == 1;
    for observer in &observers {
        eventually("both moves are seen", Duration::from_secs(10), || {
            seen(observer).vips.iter().filter(moved).count() == 2
        });
        let api = &seen(observer).vips[0];
        assert!(api.took_ms > 2_500 && api.would_have_taken_ms < 400, "three seconds beside three adverts: {api:?}");
        let told = note(observer, "loadbalancer2 owns 192.168.0.32", Duration::from_secs(1));
        assert!(told.text.contains("after loadbalancer1 was last heard: I would have needed 301 ms"), "{told:?}");
        assert_eq!(told.comparison, Comparison::Better);
    }

    drop(workers);
    let kept = note(&observers[1], "I would give 192.168.0.33 away", Duration::from_secs(30));
    assert_eq!(kept.comparison, Comparison::Better);
    let report = observers[1].expect_ctl(&["report", "observed"]);
    assert!(report.contains("1 move") && report.contains("kept for "), "{report}");
    drop(observers);
    let _servers_again = Server::workers(&lab);
    eventually("clients are served as before", Duration::from_secs(15), || fetch(lab.client(), &web).outcome.is_ok());
}
