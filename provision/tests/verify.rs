//! What must be so of the example, as seen from several places in and outside of it.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use fmc_provision::lab::Lab;
use fmc_provision::verify::{self, Expectation, Lifetime, Port, Reach, Seen, Vantage, Verdict, What, judge};

fn lab() -> Lab {
    lab_under("c", "router")
}

fn lab_under(plan: &str, way: &str) -> Lab {
    let text = include_str!("../examples/flatcar-micro-cloud.toml");
    let (checked, _) = fmc_provision::read(text, "example").expect("the example is right");
    checked.lab(Some(plan), Some(way)).expect("the plan and the way exist")
}

fn from(lab: &Lab, own: &str) -> Vantage {
    let own: Ipv4Addr = own.parse().expect("an address");
    let public = Some(Ipv4Addr::new(203, 0, 113, 7));
    let sources = verify::destinations(lab, public).into_iter().map(|to| (to, own)).collect();
    Vantage { own: BTreeSet::from([own]), sources, public, has_ca: true }
}

/// What must become of connections to each port, as `ADDRESS:PORT`.
fn reach(lab: &Lab, own: &str, to: &str) -> Option<Reach> {
    verify::expectations(lab, &from(lab, own)).into_iter().find_map(|expectation| match expectation.what {
        What::Port { to: at, reach, .. } if at.to_string() == to => Some(reach),
        _ => None,
    })
}

const ADMINISTRATOR: &str = "192.168.0.50";
const GUEST: &str = "192.168.0.77";
const WORKER: &str = "10.17.4.24";
const DATABASE: &str = "10.17.3.14";
const PHONE: &str = "10.17.0.10";
const STRANGER: &str = "198.51.100.9";

#[test]
fn what_a_flow_opens_is_open_and_what_none_opens_is_shut_where_the_hypervisor_stands_between() {
    let lab = lab();
    for (own, to, expected) in [
        (GUEST, "192.168.0.32:6443", Some(Reach::Open)),
        (GUEST, "192.168.0.33:443", Some(Reach::Open)),
        (GUEST, "10.17.3.14:5432", Some(Reach::Shut)),
        (GUEST, "10.17.4.21:22", Some(Reach::Shut)),
        (GUEST, "10.17.4.24:10250", Some(Reach::Shut)),
        (GUEST, "10.17.4.27:2049", Some(Reach::Shut)),
        (GUEST, "192.168.0.40:3389", Some(Reach::Shut)),
        (ADMINISTRATOR, "10.17.4.21:22", Some(Reach::Open)),
        (ADMINISTRATOR, "192.168.0.40:3389", Some(Reach::Open)),
        (ADMINISTRATOR, "10.17.3.14:5432", Some(Reach::Shut)),
        (PHONE, "10.17.4.21:22", Some(Reach::Open)),
        (PHONE, "192.168.0.32:6443", Some(Reach::Open)),
        (WORKER, "10.17.3.14:5432", Some(Reach::Open)),
        (WORKER, "192.168.0.32:6443", Some(Reach::Open)),
        (WORKER, "192.168.0.40:22", Some(Reach::Shut)),
        (WORKER, "192.168.0.40:9100", Some(Reach::Open)),
        (DATABASE, "10.17.4.27:2049", Some(Reach::Open)),
        (DATABASE, "10.17.4.21:6443", Some(Reach::Shut)),
        ("192.168.0.30", "10.17.4.21:6443", Some(Reach::Open)),
        ("192.168.0.30", "10.17.4.24:443", Some(Reach::Open)),
        ("192.168.0.30", "10.17.4.24:10250", Some(Reach::Shut)),
        // Nobody stands between the machines of one network, nor before the hypervisor's own packets.
        (WORKER, "10.17.4.21:2379", None),
        (GUEST, "192.168.0.30:22", None),
        ("192.168.0.40", "10.17.3.14:5432", None),
        // And it has no way to private addresses from outside.
        (STRANGER, "10.17.3.14:5432", None),
    ] {
        assert_eq!(reach(&lab, own, to), expected, "{own} -> {to}");
    }
}

#[test]
fn from_outside_the_forwards_are_open_and_nothing_else_of_the_lab_is() {
    let lab = lab();
    for (port, expected) in [
        (8080, Reach::Open),
        (2053, Reach::Open),
        (443, Reach::NotOffered),
        (6443, Reach::NotOffered),
        (22, Reach::NotOffered),
        (5432, Reach::NotOffered),
        (2049, Reach::NotOffered),
    ] {
        assert_eq!(reach(&lab, STRANGER, &format!("203.0.113.7:{port}")), Some(expected), "{port}");
    }
    assert_eq!(reach(&lab, GUEST, "203.0.113.7:8080"), None, "a router need not turn its own people around");
    assert_eq!(reach(&lab_under("c", "vps"), STRANGER, "203.0.113.7:443"), Some(Reach::Open));
}

#[test]
fn an_export_is_shown_to_its_clients_and_hidden_from_those_who_reach_its_server_for_another() {
    let lab = lab();
    let shown = |own: &str| -> Vec<(String, bool)> {
        let expectations = verify::expectations(&lab, &from(&lab, own)).into_iter();
        let exports = expectations.filter_map(|expectation| match expectation.what {
            What::Export { path, shown, .. } => Some((path, shown)),
            _ => None,
        });
        exports.collect()
    };
    let export = |path: &str, shown| (path.to_owned(), shown);
    let (backup, shared) = ("/srv/nfs/postgresql", "/srv/nfs/shared");
    assert_eq!(shown(DATABASE), [export(backup, true), export(shared, false)]);
    assert_eq!(shown(WORKER), [export(backup, false), export(shared, true)]);
    assert_eq!(shown("10.17.4.21"), [export(backup, false), export(shared, false)], "it is in the same network");
    assert_eq!(shown(GUEST), [], "its port is shut for them");
}

#[test]
fn the_owner_of_a_virtual_address_is_judged_from_its_own_network_alone() {
    let lab = lab();
    let unjudged = |own: &str| {
        let expectations = verify::expectations(&lab, &from(&lab, own)).into_iter();
        let owners = expectations.filter(|expectation| matches!(expectation.what, What::Owner { .. }));
        owners.map(|expectation| expectation.unjudged).collect::<Vec<_>>()
    };
    assert_eq!(unjudged(GUEST), [None, None]);
    assert_eq!(
        unjudged(WORKER),
        [Some("ask from the network lan".to_owned()), Some("ask from the network lan".to_owned())]
    );
}

#[test]
fn a_machine_is_held_to_its_own_routes_and_named() {
    let lab = lab();
    let vantage = from(&lab, "192.168.0.30");
    let routes = verify::expectations(&lab, &vantage).into_iter().filter_map(|expectation| match expectation.what {
        What::Route { to, via } => Some(format!("{to} {via}")),
        _ => None,
    });
    let expected = [
        "0.0.0.0/0 192.168.0.1",
        "10.17.3.0/24 192.168.0.40",
        "10.17.4.0/24 192.168.0.40",
        "10.17.0.0/24 192.168.0.40",
    ];
    assert_eq!(routes.collect::<Vec<_>>(), expected);
    assert_eq!(verify::seat(&lab, &vantage), "loadbalancer1");
    assert_eq!(verify::seat(&lab, &from(&lab, GUEST)), "192.168.0.77, a guest of the network lan");
    assert_eq!(verify::seat(&lab, &from(&lab, PHONE)), "10.17.0.10, in the tunnel");
    assert_eq!(verify::seat(&lab, &from(&lab, STRANGER)), "outside the lab");
}

#[test]
fn every_expectation_says_why_and_where_to_look() {
    for (plan, way) in [("a", "router"), ("b", "router"), ("c", "router"), ("c", "vps")] {
        let lab = lab_under(plan, way);
        for own in [GUEST, ADMINISTRATOR, WORKER, DATABASE, PHONE, STRANGER] {
            for Expectation { what, purpose, look, .. } in verify::expectations(&lab, &from(&lab, own)) {
                assert!(!purpose.is_empty() && !look.is_empty(), "{what:?} from {own}");
            }
        }
    }
}

fn port(reach: Reach) -> What {
    What::Port { from: Ipv4Addr::LOCALHOST, to: "10.17.4.21:22".parse().expect("an address"), reach }
}

#[test]
fn a_refusal_shows_that_the_way_is_open_so_a_shut_port_must_be_silent() {
    let unreachable = Port::Unreachable("no route to host".to_owned());
    for (reach, seen, verdict) in [
        (Reach::Open, Port::Served, Verdict::True),
        (Reach::Open, Port::Closed, Verdict::False),
        (Reach::Open, Port::Refused, Verdict::False),
        (Reach::Open, Port::Silent, Verdict::False),
        (Reach::Shut, Port::Silent, Verdict::True),
        (Reach::Shut, unreachable, Verdict::True),
        (Reach::Shut, Port::Refused, Verdict::False),
        (Reach::Shut, Port::Served, Verdict::False),
        (Reach::NotOffered, Port::Refused, Verdict::True),
        (Reach::NotOffered, Port::Closed, Verdict::True),
        (Reach::NotOffered, Port::Served, Verdict::False),
    ] {
        assert_eq!(judge(&port(reach), &Seen::Port(seen.clone())).verdict, verdict, "{reach:?} {seen:?}");
    }
    let unasked = Seen::Unasked("it needs root".to_owned());
    assert_eq!(judge(&port(Reach::Open), &unasked).verdict, Verdict::Unjudged);
}

#[test]
fn a_virtual_address_has_one_owner_and_that_is_a_balancer() {
    let name = |name: &str| serde_json::from_str(&format!("{name:?}")).expect("a name");
    let balancers = vec![("aa".to_owned(), name("loadbalancer1")), ("bb".to_owned(), name("loadbalancer2"))];
    let what = What::Owner { vip: name("api"), address: Ipv4Addr::new(192, 168, 0, 32), balancers };
    for (heard, own, verdict, found) in [
        (vec!["aa"], false, Verdict::True, "loadbalancer1"),
        (vec![], true, Verdict::True, "this machine"),
        (vec![], false, Verdict::False, "nobody"),
        (vec!["aa", "bb"], false, Verdict::False, "loadbalancer1 and loadbalancer2"),
        (vec!["bb"], true, Verdict::False, "this machine and loadbalancer2"),
        (vec!["cc"], false, Verdict::False, "cc, which is no balancer"),
    ] {
        let judgement = judge(&what, &Seen::Owners(heard.into_iter().map(str::to_owned).collect(), own));
        assert_eq!((judgement.verdict, judgement.found.as_str()), (verdict, found));
    }
}

#[test]
fn a_certificate_must_be_good_for_two_weeks_more() {
    let what = What::Certificate { at: "192.168.0.32:6443".parse().expect("an address"), name: None };
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    for (age, left, verdict) in [
        (days(1), days(364), Verdict::True),
        (days(360), days(13), Verdict::False),
        (days(400), None, Verdict::False),
        (None, days(400), Verdict::False),
    ] {
        assert_eq!(judge(&what, &Seen::Lifetime(Lifetime { age, left })).verdict, verdict, "{age:?} {left:?}");
    }
}
