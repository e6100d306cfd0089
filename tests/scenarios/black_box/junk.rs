//! Adverts that break a rule.

use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::eventually::eventually;
use fmc_tests::figure::figure;
use fmc_tests::foreign_router::{ForeignRouter, Packet, now};
use fmc_tests::lab::Lab;
use fmc_tests::pair::NODES;
use fmc_tests::server::Server;

use crate::scene::{FAMILIES, INTERVAL, IPV4, IPV6, LONG, advertises, configuration, lab, ours, rival, rival_stops};

/// What is wrong with a claim that would win, and the counter that says so; one of another virtual router is not even read.
struct Junk {
    what: &'static str,
    counter: Option<&'static str>,
    spoil: fn(Packet) -> Packet,
}

const fn junk(what: &'static str, counter: &'static str, spoil: fn(Packet) -> Packet) -> Junk {
    Junk { what, counter: Some(counter), spoil }
}

const JUNK: [Junk; 9] = [
    junk("a wrong checksum", "checksum-errors", |claim| claim.with("checksum", 0xdead)),
    junk("a TTL of 64", "ip-ttl-errors", |claim| claim.with("ttl", 64)),
    junk("version 7", "version-errors", |claim| claim.with("version", 7)),
    junk("type 2", "invalid-type-pkts-rcvd", |claim| claim.with("type", 2)),
    junk("no address", "address-list-errors", |claim| claim.with("addresses", Vec::<&str>::new())),
    junk("more addresses than it carries", "packet-length-errors", |claim| claim.with("count", 200)),
    junk("an interval of zero", "interval-errors", |claim| claim.with("interval", 0)),
    junk("its end missing", "packet-length-errors", Packet::cut),
    Junk { what: "another virtual router", counter: None, spoil: |claim| claim.with("vrid", 77) },
];

/// Shows B-27, B-30.
#[test]
fn junk_that_claims_the_address_costs_no_advertisement_and_is_counted_by_what_is_wrong_with_it() {
    let lab = lab();
    let _workers = Server::workers(&lab);
    let mut router = ForeignRouter::start(&lab, "client");
    let _node = Balancer::start(&lab, NODES[0], &configuration());
    advertises(&router, 0.0);
    let began = now();
    for Junk { what, counter, spoil } in JUNK {
        let before = counter.map(|counter| discarded(&lab, counter));
        let started = now();
        for (name, family) in [("junk4", IPV4), ("junk6", IPV6)] {
            router.advertise(name, INTERVAL / 2, &spoil(rival(family, 255)));
        }
        std::thread::sleep(Duration::from_millis(600));
        rival_stops(&mut router, "junk");
        for family in FAMILIES {
            let said = ours(&router, family, started).len();
            assert!(said >= 6, "{what}: {said} advertisements of {} in 650 ms", family.vip);
        }
        if let Some((counter, before)) = counter.zip(before) {
            let all = || discarded(&lab, counter).iter().zip(before).all(|(counted, before)| *counted >= before + 12.0);
            eventually(&format!("{what} is counted as {counter} in each family"), LONG, all);
        }
    }
    for family in FAMILIES {
        let moments: Vec<f64> = ours(&router, family, began).into_iter().map(|(at, _)| at).collect();
        let silence = moments.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max);
        figure(&format!("junk: the longest silence of {}", family.vip), Duration::from_secs_f64(silence));
        assert!(silence < 0.3, "{silence}");
    }
}

/// Of IPv4 and of IPv6.
fn discarded(lab: &Lab, counter: &str) -> [f64; 2] {
    let metrics = lab.machine(NODES[0]).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    ["ipv4", "ipv6"].map(|family| {
        let is_it = |line: &&str| {
            line.starts_with("fmc_vrrp_discarded_total") && line.contains(counter) && line.contains(family)
        };
        let line = metrics.lines().find(is_it).unwrap_or_default();
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or_default()
    })
}
