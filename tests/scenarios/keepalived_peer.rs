//! Keepalived 2.2.7 as the peer of a rolling migration, in both roles and both versions of VRRP.

use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::{ADVERT_KEY, Configuration};
use fmc_tests::eventually::eventually;
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, WEB};
use fmc_tests::peer::{Peer, Program, Speaks};
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

/// What both speak.
struct Spoken {
    name: &'static str,
    /// The lab has addresses of IPv6.
    over_ipv6: bool,
    /// Of the API and of the Web.
    addresses: [&'static str; 2],
    /// Of the Web.
    virtual_router_id: u8,
    configuration: fn(&Lab) -> Configuration,
    keepalived: Speaks,
    /// Longer than the down interval (3 adverts and the skew).
    long: Duration,
    /// A resignation is heard: far below the down interval.
    skew: Duration,
}

fn version_3() -> Spoken {
    Spoken {
        name: "VRRPv3, 100 ms",
        over_ipv6: false,
        addresses: [API, WEB],
        virtual_router_id: 33,
        configuration: |_| Configuration::flatcar_micro_cloud(),
        keepalived: Speaks::Version3,
        long: Duration::from_secs(2),
        skew: Duration::from_secs(1),
    }
}

/// Keepalived 2.4; who has none first in `PATH` sees the configuration refused.
fn signed(anti_replay: &'static str) -> Spoken {
    Spoken {
        name: "VRRPv3, 100 ms, signed",
        configuration: |lab| Configuration::flatcar_micro_cloud().with_signed_adverts(lab, ADVERT_KEY, "enforce"),
        keepalived: Speaks::Signed { anti_replay },
        ..version_3()
    }
}

fn version_2() -> Spoken {
    const COMPAT: &str = "[election]\nprofile = \"compat\"\npassword = \"labpair\"\n";
    Spoken {
        name: "VRRPv2, 1 s, PASS",
        configuration: |_| Configuration::flatcar_micro_cloud().with(COMPAT),
        keepalived: Speaks::Version2,
        long: Duration::from_secs(5),
        skew: Duration::from_secs(2),
        ..version_3()
    }
}

/// The elected ones of IPv6; the API with a link-local address first, as RFC 9568 has it, the Web without.
fn over_ipv6() -> Spoken {
    const LINK_LOCAL: &str =
        "[vips.api-link]\naddress = \"fe80::32\"\ninterface = \"eth0\"\n\n[vips.api]\nfollows = \"api-link\"\n";
    Spoken {
        name: "VRRPv3, 100 ms, IPv6",
        over_ipv6: true,
        addresses: ["fd00::32", "fd00::33"],
        virtual_router_id: 0x33,
        configuration: |_| {
            Configuration::flatcar_micro_cloud()
                .replace("[vips.api]\n", LINK_LOCAL)
                .replace("192.168.0.32", "fd00::32")
                .replace("192.168.0.33", "fd00::33")
                .replace("\"192.168.0.0/24\"", "\"fd00::/16\"")
        },
        keepalived: Speaks::Version3OverIpv6,
        ..version_3()
    }
}

/// The lab of what is spoken.
fn lab_of(spoken: &Spoken) -> Lab {
    let lab = Lab::flatcar_micro_cloud();
    if spoken.over_ipv6 {
        lab.speak_ipv6();
    }
    lab
}

/// What a reboot would take away.
fn forget(lab: &Lab, addresses: [&str; 2]) {
    for address in addresses.iter().chain(["fe80::32"].iter().filter(|_| addresses[0].contains(':'))) {
        lab.machine(NODES[0]).expect("ip", &["address", "flush", "dev", "eth0", "to", address]);
    }
}

fn keepalived_stays_backup_and_takes_over_when_we_resign(spoken: &Spoken) {
    let Spoken { name, configuration, keepalived, long, skew, addresses, .. } = spoken;
    let [api, web] = *addresses;
    let lab = lab_of(spoken);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let mut ours = Balancer::start(&lab, NODES[0], &configuration(&lab));
    ours.wait_until_ready();
    ownership.wait_for(NODES[0], web, *long);
    let peer = Peer::keepalived(&lab, NODES[1], *keepalived, 100);
    std::thread::sleep(*long);
    for address in [api, web] {
        assert_eq!(ownership.holders(address), [NODES[0]], "Keepalived does not hear us:\n{}", peer.log());
        assert_eq!(ownership.claims(address), 1, "an address moved");
    }

    let stopped = ours.signal(Role::Supervisor, Signal::SIGTERM);
    assert!(ours.wait(Duration::from_secs(12)).success());
    for address in [api, web] {
        let taken = ownership.changed_within(stopped, NODES[1], address, true, *long);
        figure(&format!("{name}: we stop: Keepalived owns {address} after"), taken);
        assert!(taken < *skew, "our resignation was not heard: {taken:?}");
    }
}

fn we_obey_a_better_keepalived_and_take_over_when_it_dies_or_resigns(spoken: &Spoken) {
    let Spoken { name, configuration, keepalived, long, skew, addresses, virtual_router_id, .. } = spoken;
    let [_, web] = *addresses;
    let lab = lab_of(spoken);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ownership = Ownership::watch(&lab, &NODES);
    let capture = Capture::start(&lab, "br0");
    let peer = Peer::keepalived(&lab, NODES[0], *keepalived, 255);
    ownership.wait_for(NODES[0], web, Duration::from_secs(5));
    let ours = Balancer::start(&lab, NODES[1], &configuration(&lab));
    ours.wait_until_ready();
    std::thread::sleep(*long);
    assert_eq!(ownership.holders(web), [NODES[0]], "we claim beside a better owner");
    let adverts = capture.adverts_since(Instant::now() - *long, *virtual_router_id);
    let theirs = adverts.first().expect("Keepalived advertises").1;
    assert!(adverts.iter().all(|(_, source, _)| *source == theirs), "a Backup is silent");
    let status = ours.expect_ctl(&["status"]);
    assert!(!status.contains("advertises"), "it is told to be configured otherwise:\n{status}");

    let died = peer.kill(Program::Keepalived);
    let taken = ownership.changed_within(died, NODES[1], web, true, *long);
    figure(&format!("{name}: Keepalived is killed: we own after"), taken);
    drop(peer);
    forget(&lab, *addresses);

    let peer = Peer::keepalived(&lab, NODES[0], *keepalived, 255);
    ownership.wait_for(NODES[0], web, Duration::from_secs(5));
    let stopped = peer.stop_keepalived();
    let taken = ownership.changed_within(stopped, NODES[1], web, true, *long);
    figure(&format!("{name}: Keepalived is stopped: we own after"), taken);
    assert!(taken < *skew, "its resignation was not heard: {taken:?}");
}

/// Proves V-15+, V-70.
/// Shows B-23, B-24.
#[test]
fn keepalived_stays_backup_under_our_adverts_and_takes_over_when_we_resign() {
    keepalived_stays_backup_and_takes_over_when_we_resign(&version_3());
}

/// Proves V-15+, V-73.
/// Shows B-24, B-25.
#[test]
fn we_obey_a_better_keepalived_and_take_over_when_it_dies_or_resigns_in_version_3() {
    we_obey_a_better_keepalived_and_take_over_when_it_dies_or_resigns(&version_3());
}

/// Proves V-12, V-59+, V-70.
/// Shows B-23.
#[test]
fn keepalived_of_version_2_stays_backup_and_takes_over_when_we_resign() {
    keepalived_stays_backup_and_takes_over_when_we_resign(&version_2());
}

/// Proves V-12, V-45, V-59+.
/// Shows B-25.
#[test]
fn we_obey_a_better_keepalived_of_version_2_and_take_over_when_it_dies_or_resigns() {
    we_obey_a_better_keepalived_and_take_over_when_it_dies_or_resigns(&version_2());
}

/// Proves V-08, V-17, V-58, V-70.
/// Shows B-23.
#[test]
fn keepalived_over_ipv6_stays_backup_and_takes_over_when_we_resign() {
    keepalived_stays_backup_and_takes_over_when_we_resign(&over_ipv6());
}

/// Proves V-08, V-17, V-58, V-73.
/// Shows B-25.
#[test]
fn we_obey_a_better_keepalived_over_ipv6_and_take_over_when_it_dies_or_resigns() {
    we_obey_a_better_keepalived_and_take_over_when_it_dies_or_resigns(&over_ipv6());
}

/// Proves V-102+.
#[test]
#[ignore = "needs Keepalived 2.4 first in PATH, which Debian 12 does not have"]
fn a_keepalived_that_signs_stays_backup_and_takes_over_when_we_resign() {
    for anti_replay in ["time", "monotonic"] {
        keepalived_stays_backup_and_takes_over_when_we_resign(&signed(anti_replay));
    }
}

/// Proves V-102+.
#[test]
#[ignore = "needs Keepalived 2.4 first in PATH, which Debian 12 does not have"]
fn we_obey_a_better_keepalived_that_signs_and_take_over_when_it_dies_or_resigns() {
    for anti_replay in ["time", "monotonic"] {
        we_obey_a_better_keepalived_and_take_over_when_it_dies_or_resigns(&signed(anti_replay));
    }
}

/// Proves V-51.
#[test]
fn a_keepalived_of_another_version_is_named_in_status_events_and_log_with_what_mends_it() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ours = Balancer::start(&lab, NODES[0], &(version_3().configuration)(&lab));
    ours.wait_until_ready();
    let _peer = Peer::keepalived(&lab, NODES[1], Speaks::Version2, 100);
    let link = lab.machine(NODES[1]).expect("ip", &["-brief", "link", "show", "eth0"]);
    let hardware = link.split_whitespace().nth(2).expect("name, state, hardware address");
    let who = format!("{} ({hardware})", lab.address(NODES[1]));
    let text = format!(
        "version: {who} speaks VRRPv2 for api, this node VRRPv3: neither hears the other, and both may own the address"
    );
    eventually("status names it", Duration::from_secs(15), || ours.expect_ctl(&["status"]).contains(&text));
    let status = ours.expect_ctl(&["status"]);
    assert!(status.contains("vrrp_version 3"), "the fix is missing:\n{status}");
    for (place, told) in [("events", ours.expect_ctl(&["events"])), ("log", ours.log())] {
        assert_eq!(told.matches(&text).count(), 1, "{place} tells it once:\n{told}");
    }
}
