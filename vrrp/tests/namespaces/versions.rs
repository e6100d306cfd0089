//! VRRPv2 and unicast between two keepers, read off the wire.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fmc_config::model::election::{Centiseconds, Password, Transport, Version};
use fmc_vrrp::driver::{Command, KeeperSettings};
use fmc_vrrp::router::role::Role;

use crate::keeper::{Running, octets, settings};
use crate::lab::{API, Namespace, always, eventually, pair, pairs};
use crate::sniffer::Sniffer;
use crate::wire::adverts;

fn version_2(rank: u8) -> KeeperSettings {
    let version = Version::V2(Password::new("labpair"));
    KeeperSettings { version, interval: Centiseconds::new(100).unwrap(), ..settings(rank) }
}

fn by_unicast(rank: u8) -> KeeperSettings {
    KeeperSettings { transport: Transport::Unicast, ..settings(rank) }
}

/// Proves V-12, V-21.
#[test]
fn two_keepers_of_version_2_elect_the_first_and_say_the_password_in_each_advert() {
    let [one, two] = pair();
    let sniffer = Sniffer::on(&two, "eth0");
    let first = Running::fit(&one, version_2(0));
    let second = Running::fit(&two, version_2(1));
    eventually("the first owns it", Duration::from_secs(6), || one.holds(API));
    eventually("some adverts", Duration::from_secs(6), || adverts(&sniffer, 32).len() > 2);
    assert_eq!((first.roles(), second.roles()), ([Role::Active; 2], [Role::Backup; 2]));
    for advert in adverts(&sniffer, 32) {
        assert_eq!(advert.message[..6].first_chunk(), Some(&[0x21, 32, 254, 1, 1, 1]));
        assert_eq!((&advert.message[8..12], &advert.message[12..]), (&octets(API)[..], &b"labpair\0"[..]));
    }
    assert_eq!(second.snapshot().interfaces[0].discarded.iter().sum::<u64>(), 0);
}

/// Proves V-95.
#[test]
fn a_pair_leaves_version_2_without_a_move_when_its_owner_goes_first() {
    let [one, two] = pair();
    let first = Running::fit(&one, version_2(0));
    eventually("the first owns it", Duration::from_secs(6), || one.holds(API));
    let second = Running::fit(&two, version_2(1));
    eventually("the second hears it", Duration::from_secs(6), || second.snapshot().vips[0].last_heard.is_some());
    let unmoved = || one.holds(API) && !two.holds(API);
    first.command(Command::Retune(Box::new(settings(0))));
    always("the heartbeat alone holds the claim back", Duration::from_secs(5), unmoved);
    second.command(Command::Retune(Box::new(settings(1))));
    always("nothing moves", Duration::from_secs(1), unmoved);
    let heard = second.snapshot();
    assert!(heard.at.saturating_duration_since(heard.vips[0].last_heard.unwrap().at) < Duration::from_secs(1));
}

/// Proves V-59-.
#[test]
fn a_keeper_with_another_password_is_not_heard_and_the_reason_is_counted() {
    let [one, two] = pair();
    let other = KeeperSettings { version: Version::V2(Password::new("another")), ..version_2(1) };
    let _first = Running::fit(&one, version_2(0));
    eventually("the first owns it", Duration::from_secs(6), || one.holds(API));
    let second = Running::fit(&two, other);
    let said = |line: &String| line.contains("192.168.0.30") && line.contains("its password is not ours");
    eventually("it is told", Duration::from_secs(10), || second.lines().iter().any(said));
    let place = fmc_vrrp::packet::Discarded::COUNTERS.iter().position(|name| *name == "auth-failures").unwrap();
    assert!(second.snapshot().interfaces[0].discarded[place] > 0);
}

/// Proves V-16, V-18, V-84+, V-85+.
#[test]
fn two_keepers_by_unicast_elect_the_first_and_send_nothing_to_the_group() {
    let [one, two] = pair();
    let sniffer = Sniffer::on(&two, "eth0");
    let first = Running::fit(&one, by_unicast(0));
    let second = Running::fit(&two, by_unicast(1));
    eventually("the first owns it", Duration::from_secs(3), || one.holds(API));
    always("the second does not", Duration::from_secs(1), || !two.holds(API));
    assert_eq!((first.roles(), second.roles()), ([Role::Active; 2], [Role::Backup; 2]));
    let seen = adverts(&sniffer, 32);
    assert!(seen.len() > 5, "{} adverts", seen.len());
    assert!(
        seen.iter().all(|advert| advert.destination == IpAddr::V4(Ipv4Addr::new(192, 168, 0, 31)) && advert.ttl == 255),
        "{seen:?}"
    );
    drop(first);
    let taken = eventually("the second owns it", Duration::from_secs(2), || two.holds(API));
    assert!(taken < Duration::from_secs(1), "the resignation came by unicast too: {taken:?}");
}

/// Each side of a pair goes and returns: whoever leaves resigns, and whoever returns takes nothing back.
fn restart_each_side(pair: &[Namespace; 2], how: impl Fn(u8) -> KeeperSettings) {
    let [one, two] = pair;
    let first = Running::fit(one, how(0));
    eventually("the first owns it", Duration::from_secs(8), || one.holds(API));
    let second = Running::fit(two, how(1));
    eventually("the second is its backup", Duration::from_secs(8), || second.roles() == [Role::Backup; 2]);
    drop(second);
    let second = Running::fit(two, how(1));
    let unmoved = || one.holds(API) && !two.holds(API);
    always("a Backup that returns moves nothing", how(1).interval.duration() * 2, unmoved);
    eventually("it is the backup again", Duration::from_secs(8), || second.roles() == [Role::Backup; 2]);
    drop(first);
    let resigned = how(1).interval.duration() + Duration::from_secs(1);
    eventually("the second owns it", resigned, || two.holds(API));
    let first = Running::fit(one, how(0));
    let unmoved = || two.holds(API) && !one.holds(API);
    always("an owner that returns takes nothing back", how(0).interval.duration() * 4, unmoved);
    assert_eq!((first.roles(), second.roles()), ([Role::Backup; 2], [Role::Active; 2]));
}

/// Shows B-28.
#[test]
fn in_both_versions_and_by_any_priority_each_side_may_be_restarted() {
    let versions: [fn(u8) -> KeeperSettings; 2] = [settings, version_2];
    let cases: Vec<_> = versions.into_iter().flat_map(|how| [254, 100, 9].map(|priority| (how, priority))).collect();
    let pairs = pairs(cases.len());
    std::thread::scope(|scope| {
        for (pair, (how, priority)) in pairs.iter().zip(cases) {
            scope.spawn(move || restart_each_side(pair, |rank| KeeperSettings { priority, ..how(rank) }));
        }
    });
}
