//! Somebody on the LAN forges what the nodes say to each other: their adverts, their heartbeats.

use std::time::Duration;

use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::{ADVERT_KEY, Configuration};
use fmc_tests::eventually::{eventually, throughout};
use fmc_tests::foreign_router::{ForeignRouter, Packet, now};
use fmc_tests::lab::Lab;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;

const PAIR_KEY: &str = "0123456789abcdef0123456789abcdef";
/// Where heartbeats go.
const PORT: u16 = 1112;
/// Ten detection times.
const LONG: Duration = Duration::from_secs(3);
const INTERVAL: Duration = Duration::from_millis(100);

/// What no other host may say: that it is better than every node, and that an owner resigns.
fn forge_adverts(forger: &mut ForeignRouter, owner: &str) {
    let claim = Packet::new(33, 255, WEB, "192.168.0.50", "224.0.0.18");
    forger.advertise("claim", INTERVAL, &claim);
    forger.advertise("resignation", INTERVAL, &claim.with("priority", 0).with("source", owner));
}

/// The value of a counter for a reason, over the rest of its labels.
fn counted(lab: &Lab, node: &str, counter: &str, reason: &str) -> f64 {
    let text = lab.machine(node).expect("curl", &["-fsS", "--max-time", "2", "http://127.0.0.1:9109/metrics"]);
    let label = format!("reason=\"{reason}\"");
    let lines = text.lines().filter(|line| line.starts_with(counter) && line.contains(&label));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

fn claims(pair: &Pair<'_>) -> [usize; 2] {
    [API, WEB].map(|address| pair.ownership.claims(address))
}

/// Proves V-102-.
#[test]
fn a_forger_of_adverts_moves_nothing_where_they_are_signed_and_is_counted_and_named_once() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair =
        Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_signed_adverts(&lab, ADVERT_KEY, "enforce"));
    let mut forger = ForeignRouter::start(&lab, "client");
    let claimed = claims(&pair);
    forge_adverts(&mut forger, "192.168.0.31");
    throughout("nothing moves", LONG, || claims(&pair) == claimed);
    for (balancer, node) in [&pair.first, &pair.second].into_iter().zip(NODES) {
        eventually("both forgeries are counted as unsigned", LONG, || {
            counted(&lab, node, "fmc_vrrp_discarded_total", "auth-hmac-missing") > 20.0
        });
        let log = balancer.log();
        let naming = "discards advertisements from 192.168.0.50:";
        assert_eq!(log.lines().filter(|line| line.contains(naming)).count(), 1, "{node} names it once:\n{log}");
    }
    eventually("status names it", LONG, || pair.first.expect_ctl(&["status"]).contains("auth_hmac: 192.168.0.50"));
}

#[test]
fn a_forger_of_unsigned_adverts_takes_an_address_is_named_as_its_owner_and_loses_it_when_it_falls_silent() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let mut forger = ForeignRouter::start(&lab, "client");
    forger.advertise("claim", INTERVAL, &Packet::new(33, 255, WEB, "192.168.0.50", "224.0.0.18"));
    eventually("nobody serves the web", LONG, || pair.ownership.holders(WEB).is_empty());
    assert_eq!(pair.ownership.holders(API), [NODES[0]], "the other address is not concerned");
    for node in [&pair.first, &pair.second] {
        let tells = |verb: &str, words: &str| {
            eventually(&format!("{} tells in {verb}: {words}", node.node()), Duration::from_secs(6), || {
                node.expect_ctl(&[verb]).contains(words)
            });
        };
        tells("vips", "192.168.0.50");
        tells("status", "web is held by 192.168.0.50, which is none of [nodes]");
        tells("events", "web is held by 192.168.0.50, which is none of [nodes]");
        let explained = node.expect_ctl(&["explain", "vip", "web"]);
        assert!(explained.contains("192.168.0.50, which is none of [nodes], advertises 192.168.0.33"), "{explained}");
    }
    forger.stop("claim");
    eventually("a node owns it again", LONG, || pair.ownership.holders(WEB).len() == 1);
}

#[test]
fn a_forger_of_heartbeats_moves_nothing_and_is_counted_by_reason_and_named_once() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, PAIR_KEY));
    let mut forger = ForeignRouter::start(&lab, NODES[1]);
    let capture = Capture::start(&lab, "br0");
    let began = now();
    let peer = "192.168.0.31";
    eventually("some heartbeats are recorded", LONG, || forger.heartbeats(peer, began).len() > 4);
    let recorded = forger.heartbeats(peer, began);
    let link = lab.machine(NODES[0]).expect("ip", &["-brief", "link", "show", "eth0"]);
    let hardware = link.split_whitespace().nth(2).expect("name, state, hardware address").to_owned();

    let wrong_key = flip_last(&recorded[0]);
    let oversized = [recorded[0].clone(), vec![0; 1400 - recorded[0].len()]].concat();
    let claimed = claims(&pair);
    let forgeries: [(&str, &str, &[u8]); 4] = [
        (peer, "forged", &wrong_key),
        (peer, "replayed", &recorded[1]),
        (peer, "length", &oversized),
        ("192.168.0.50", "stranger", &recorded[2]),
    ];
    let counter = "fmc_vrrp_heartbeats_refused_total";
    for (source, reason, payload) in forgeries {
        let before = counted(&lab, NODES[0], counter, reason);
        for _ in 0..60 {
            forger.datagram(source, "192.168.0.30", &hardware, PORT, payload);
            std::thread::sleep(Duration::from_millis(5));
        }
        eventually(&format!("{reason}: each is counted"), LONG, || {
            counted(&lab, NODES[0], counter, reason) >= before + 60.0
        });
        assert_eq!(claims(&pair), claimed, "{reason}: an address moved");
    }
    throughout("nothing moves", Duration::from_secs(1), || claims(&pair) == claimed);
    let silent = capture.adverts_since(std::time::Instant::now() - Duration::from_secs(1), 33).is_empty();
    assert!(!silent, "the owner goes on");
    let log = pair.first.log();
    for naming in ["refused a heartbeat of loadbalancer2:", "refused a heartbeat from 192.168.0.50:"] {
        let named = log.lines().filter(|line| line.contains(naming)).count();
        assert_eq!(named, 1, "{naming} stands once in the log:\n{log}");
    }
    let status = pair.first.expect_ctl(&["status"]);
    assert!(!status.contains("no heartbeat from"), "the other node's own heartbeats still count:\n{status}");
}

/// With a signature by another key.
fn flip_last(datagram: &[u8]) -> Vec<u8> {
    let mut forged = datagram.to_vec();
    forged.last_mut().into_iter().for_each(|octet| *octet ^= 1);
    forged
}
