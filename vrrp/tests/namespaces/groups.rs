//! Several addresses, one election: they come, stay and go together.

use std::time::Duration;

use fmc_vrrp::driver::{Command, Difference, FollowerSettings, KeeperSettings, Report};
use fmc_vrrp::router::role::Role;
use fmc_vrrp::tier::{Cause, Fitness, Tier};
use pnet::packet::Packet;
use pnet::packet::ethernet::EthernetPacket;
use pnet::packet::ipv4::Ipv4Packet;

use crate::keeper::{Running, octets, settings};
use crate::lab::{API, Namespace, WEB, always, eventually, pair};
use crate::sniffer::Sniffer;

/// Web follows API.
fn together(rank: u8) -> KeeperSettings {
    let mut settings = settings(rank);
    let web = settings.vips.remove(1);
    settings.vips[0].followers = vec![FollowerSettings { name: web.name, address: WEB, interface: None }];
    settings
}

fn both(namespace: &Namespace) -> [bool; 2] {
    [namespace.holds(API), namespace.holds(WEB)]
}

/// The first, which owns both, and the second, its backup.
fn elected(pair: &[Namespace; 2]) -> (Running, Running) {
    let first = Running::fit(&pair[0], together(0));
    eventually("the first owns both", Duration::from_secs(5), || both(&pair[0]) == [true; 2]);
    let second = Running::fit(&pair[1], together(1));
    eventually("the second is its backup", Duration::from_secs(5), || {
        second.roles() == [Role::Backup; 2] && first.snapshot().peers[0].vips.len() == 2
    });
    (first, second)
}

#[test]
fn one_election_gives_both_addresses_to_one_owner_and_tells_of_both() {
    let pair = pair();
    let (first, second) = elected(&pair);
    always("the second owns none", Duration::from_millis(500), || both(&pair[1]) == [false; 2]);
    let seen = first.snapshot().vips;
    assert_eq!((seen[0].follows.clone(), seen[1].follows.as_ref()), (None, Some(&seen[0].name)));
    assert_eq!((seen[1].address, seen[1].role, seen[1].installed), (WEB, Role::Active, true));
    let peers = second.snapshot().peers;
    let owned: Vec<_> = peers[0].vips.iter().map(|said| (said.vip.as_str(), said.role)).collect();
    assert_eq!(owned, [("api", Role::Active), ("web", Role::Active)]);
    let reports = first.reports.lock().unwrap();
    let changes = |name: &str| {
        let is_it = |report: &&Report| matches!(report, Report::RoleChanged { vip, change } if vip.as_str() == name && change.to == Role::Active);
        reports.iter().filter(is_it).count()
    };
    assert_eq!((changes("api"), changes("web")), (1, 1), "{reports:?}");
}

/// Proves V-26.
#[test]
fn adverts_list_every_address_in_the_order_of_the_configuration_and_each_is_announced() {
    let pair = pair();
    let sniffer = Sniffer::on(&pair[1], "eth0");
    let _first = Running::fit(&pair[0], together(0));
    eventually("the first owns both", Duration::from_secs(5), || both(&pair[0]) == [true; 2]);
    let adverts = || sniffer.frames().iter().filter_map(|(_, frame)| vrrp(frame)).collect::<Vec<_>>();
    eventually("an advert is seen", Duration::from_secs(2), || !adverts().is_empty());
    let wanted = [API, WEB].map(octets).concat();
    for advert in adverts() {
        assert_eq!((advert[1], advert[3], &advert[8..]), (32, 2, &wanted[..]), "{advert:02x?}");
    }
    eventually("each is announced", Duration::from_secs(2), || {
        let frames = sniffer.frames();
        [API, WEB]
            .iter()
            .all(|address| frames.iter().any(|(_, frame)| frame[12..14] == [8, 6] && frame[28..32] == octets(*address)))
    });
}

fn vrrp(frame: &[u8]) -> Option<Vec<u8>> {
    let ethernet = EthernetPacket::new(frame)?;
    let ip = Ipv4Packet::new(ethernet.payload()).filter(|_| ethernet.get_ethertype().0 == 0x0800)?;
    (ip.get_next_level_protocol().0 == 112).then(|| ip.payload().to_vec())
}

#[test]
fn a_planned_move_and_a_fall_move_both() {
    let pair = pair();
    let (first, second) = elected(&pair);
    first.command(Command::Resign { vip: Some("web".parse().unwrap()), to: Some("loadbalancer2".parse().unwrap()) });
    eventually("both have moved", Duration::from_secs(1), || {
        both(&pair[1]) == [true; 2] && both(&pair[0]) == [false; 2]
    });
    eventually("the first is a backup", Duration::from_secs(1), || first.roles() == [Role::Backup; 2]);
    second.command(Command::Fitness {
        vip: "api".parse().unwrap(),
        fitness: Fitness::serving(Tier::Degraded, Cause::Local),
    });
    eventually("both are back", Duration::from_secs(2), || both(&pair[0]) == [true; 2] && both(&pair[1]) == [false; 2]);
}

#[test]
fn an_address_that_somebody_removes_is_put_back_and_the_other_stays() {
    let pair = pair();
    let (first, _second) = elected(&pair);
    pair[0].ip("address del 192.168.0.33/32 dev eth0");
    eventually("it is there again", Duration::from_secs(1), || both(&pair[0]) == [true; 2]);
    always("nothing moves", Duration::from_millis(500), || both(&pair[0]) == [true; 2] && both(&pair[1]) == [false; 2]);
    assert_eq!(first.roles(), [Role::Active; 2]);
}

#[test]
fn nodes_whose_lists_differ_are_told_which_address_is_missing() {
    let pair = pair();
    let (_first, mut alone) = (Running::fit(&pair[0], together(0)), settings(1));
    alone.vips.remove(1);
    let second = Running::fit(&pair[1], alone);
    eventually("the second hears of an address more", Duration::from_secs(5), || {
        let found: Vec<_> = second.snapshot().vips[0].mismatches.iter().map(|mismatch| mismatch.difference).collect();
        found.contains(&Difference::AddressList { theirs: WEB })
    });
    drop(_first);
    let first = Running::fit(&pair[0], together(0));
    eventually("the first hears of one less", Duration::from_secs(5), || {
        let found: Vec<_> = first.snapshot().vips[0].mismatches.iter().map(|mismatch| mismatch.difference).collect();
        found.contains(&Difference::AddressMissing { ours: WEB })
    });
}
