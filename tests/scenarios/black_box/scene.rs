//! One node, a router by scapy, and both families at once.

use std::time::Duration;

use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::figure::figure;
use fmc_tests::foreign_router::{Advert, ForeignRouter, Packet, Seen, What};
use fmc_tests::lab::Lab;

/// A virtual router of one family, and where its rivals speak from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) vip: &'static str,
    pub(crate) vrid: u8,
    pub(crate) group: &'static str,
    pub(crate) group_hardware: &'static str,
    /// Of the client's machine, from which scapy asks and pings.
    pub(crate) client: &'static str,
    /// A rival that wins among equals, and one that loses.
    pub(crate) rivals: [&'static str; 2],
}

pub(crate) const IPV4: Family = Family {
    vip: "192.168.0.33",
    vrid: 33,
    group: "224.0.0.18",
    group_hardware: "01:00:5e:00:00:12",
    client: "192.168.0.50",
    rivals: ["192.168.0.50", "192.168.0.2"],
};
pub(crate) const IPV6: Family = Family {
    vip: "fd00::33",
    vrid: 0x33,
    group: "ff02::12",
    group_hardware: "33:33:00:00:00:12",
    client: "fd00::50",
    rivals: ["fe80::ffff:ffff:ffff:ffff", "fe80::1"],
};
pub(crate) const FAMILIES: [Family; 2] = [IPV4, IPV6];

/// What the node says when it is fit.
pub(crate) const PRIORITY: u8 = 150;
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);
/// Three intervals and the skew of [`PRIORITY`], (256 - 150) / 256 of an interval (RFC 9568 §6.1).
pub(crate) const DOWN: f64 = 0.3 + SKEW;
pub(crate) const SKEW: f64 = 0.1 * (256 - PRIORITY as u16) as f64 / 256.0;
/// What a busy machine takes to schedule, send and read.
pub(crate) const NOISE: f64 = 0.25;
/// Scapy reads the time before it sends, the kernel takes it when a frame arrives.
pub(crate) const EARLY: f64 = 0.005;
/// Six detection times.
pub(crate) const LONG: Duration = Duration::from_secs(2);

const CONFIGURATION: &str = r#"
[nodes]
loadbalancer1 = "192.168.0.30"

[election]
priority = 150

[vips.web]
address = "192.168.0.33"

[vips.web6]
address = "fd00::33"

[frontends.web]
vip = "web"
port = 80
profile = "tcp"
backend = "workers"

[frontends.web6]
vip = "web6"
port = 80
profile = "tcp"
backend = "workers"

[backends.workers]
servers = { worker1 = "10.17.4.24" }

[backends.workers.check]
interval = "500ms"
fast_interval = "300ms"
timeout = "200ms"
fall = 2
"#;

pub(crate) fn configuration() -> Configuration {
    Configuration::from_text(CONFIGURATION.to_owned())
}

pub(crate) fn lab() -> Lab {
    let lab = Lab::flatcar_micro_cloud();
    lab.speak_ipv6();
    lab
}

/// An advertisement of a rival that wins among equals.
pub(crate) fn rival(family: Family, priority: u8) -> Packet {
    Packet::new(family.vrid, priority, family.vip, family.rivals[0], family.group)
}

/// The node's own: nobody else of the lab has its hardware address.
pub(crate) fn ours(router: &ForeignRouter, family: Family, since: f64) -> Vec<(f64, Advert)> {
    let is_ours = |advert: &Advert| advert.from_hardware != router.hardware();
    router.adverts(family.vrid, since).into_iter().filter(|(_, advert)| is_ours(advert)).collect()
}

pub(crate) fn advertises(router: &ForeignRouter, since: f64) {
    for family in FAMILIES {
        eventually(&format!("the node advertises {}", family.vip), Duration::from_secs(6), || {
            ours(router, family, since).iter().any(|(_, advert)| advert.priority != 0)
        });
    }
}

/// Where what was asked for is, by the answers since.
pub(crate) fn answers(router: &ForeignRouter, family: Family, since: f64) -> Vec<String> {
    let answer = |seen: Seen| match seen.what {
        What::Answer { address, hardware } if address == family.vip => Some(hardware),
        _ => None,
    };
    router.seen(since).into_iter().filter_map(answer).collect()
}

pub(crate) fn echoes(router: &ForeignRouter, family: Family, since: f64) -> usize {
    let is_it = |seen: &Seen| seen.what == What::Echo { address: family.vip.to_owned() };
    router.seen(since).iter().filter(|seen| is_it(seen)).count()
}

/// Asks for the address and pings it at the node's hardware address; says so in each family by itself.
pub(crate) fn ask_and_ping(router: &mut ForeignRouter, hardware: &str) {
    for family in FAMILIES {
        router.ask(family.vip, family.client);
        router.ping(family.vip, hardware, family.client);
    }
}

pub(crate) fn hardware_of(lab: &Lab, node: &str) -> String {
    let link = lab.machine(node).expect("ip", &["-brief", "link", "show", "eth0"]);
    link.split_whitespace().nth(2).expect("name, state, hardware address").to_owned()
}

/// From the last advertisement of `name` to the node's first after it. Nothing comes before `earliest`, and something soon after it.
pub(crate) fn takes_over(router: &ForeignRouter, name: &str, what: &str, earliest: f64) {
    for (family, name) in FAMILIES.into_iter().zip([format!("{name}4"), format!("{name}6")]) {
        let last = router.last_sent(&name);
        eventually(&format!("{what}: {} is claimed", family.vip), Duration::from_secs(3), || {
            !ours(router, family, last).is_empty()
        });
        let waited = ours(router, family, last)[0].0 - last;
        let (vip, formula) = (family.vip, earliest * 1000.0);
        figure(&format!("{what}: {vip} is claimed after (formula {formula:.1} ms)"), Duration::from_secs_f64(waited));
        assert!(waited > earliest - EARLY, "{what}: {vip} was claimed after {waited} s, before {earliest} s");
        assert!(waited < earliest + NOISE, "{what}: {vip} was claimed after {waited} s, long after {earliest} s");
    }
}

/// Both virtual routers of a rival, by `how` each of its advertisements.
pub(crate) fn rival_advertises(router: &mut ForeignRouter, name: &str, how: impl Fn(Family) -> Packet) {
    router.advertise(&format!("{name}4"), INTERVAL, &how(IPV4));
    router.advertise(&format!("{name}6"), INTERVAL, &how(IPV6));
}

pub(crate) fn rival_stops(router: &mut ForeignRouter, name: &str) {
    router.stop(&format!("{name}4"));
    router.stop(&format!("{name}6"));
    std::thread::sleep(Duration::from_millis(50));
}
