//! Signed adverts between two keepers: what a forger can do, what a clock that went back does, and how keys and modes change.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fmc_config::model::election::AuthMode;
use fmc_vrrp::clock;
use fmc_vrrp::driver::{AdvertKey, AdvertKeys, Command, Difference, KeeperSettings};
use fmc_vrrp::packet::auth_hmac::SignatureFault;
use fmc_vrrp::packet::sequence::{Sequence, Sequences};
use fmc_vrrp::packet::{Advertisement, Discarded, MAX_LEN, MULTICAST_GROUP};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::role::Role;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::keeper::{Running, octets, settings};
use crate::lab::{API, Namespace, always, eventually, lan};
use crate::sniffer::Sniffer;
use crate::wire::adverts;

const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30));
const OLD: (u8, [u8; 32]) = (1, [7; 32]);
const NEW: (u8, [u8; 32]) = (2, [9; 32]);

fn keys(mode: AuthMode, keys: &[(u8, [u8; 32])]) -> AdvertKeys {
    let key = |&(id, octets): &(u8, [u8; 32])| AdvertKey::new(id, octets.to_vec()).unwrap();
    AdvertKeys { mode, keys: keys.iter().map(key).collect() }
}

fn signed(rank: u8, mode: AuthMode, with: &[(u8, [u8; 32])]) -> KeeperSettings {
    KeeperSettings { auth_hmac: Some(keys(mode, with)), ..settings(rank) }
}

fn elected(hosts: &[Namespace], how: impl Fn(u8) -> KeeperSettings) -> [Running; 2] {
    let first = Running::fit(&hosts[0], how(0));
    eventually("the first owns both", Duration::from_secs(5), || first.roles() == [Role::Active; 2]);
    let second = Running::fit(&hosts[1], how(1));
    eventually("the second hears it", Duration::from_secs(5), || second.snapshot().vips[0].last_heard.is_some());
    [first, second]
}

fn discarded(of: &Running) -> u64 {
    of.snapshot().interfaces[0].discarded.iter().sum()
}

fn discarded_as(of: &Running, fault: SignatureFault) -> u64 {
    of.snapshot().interfaces[0].discarded[Discarded::from(fault).index()]
}

/// Says from the stranger's place what the first node would say; nothing stops a host from writing another's address.
fn say_as_the_first(stranger: &Namespace, message: &[u8]) {
    let mut packet = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, 255, 112, 0, 0];
    packet.extend([FIRST, MULTICAST_GROUP].map(octets).concat());
    packet.extend(message);
    stranger.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap();
        socket.set_header_included_v4(true).unwrap();
        socket.bind_device(Some(b"lan")).unwrap();
        socket.send_to(&packet, &SockAddr::from(SocketAddr::new(MULTICAST_GROUP, 0))).unwrap();
    });
}

fn resignation(auth: Option<&AdvertKeys>, sequence: Sequence) -> Vec<u8> {
    let settings = settings(0);
    let resign = Advertisement::of_one(
        settings.vips[0].virtual_router_id,
        Priority::RESIGN,
        settings.interval,
        settings.vips[0].address,
    );
    let mut message = [0; MAX_LEN];
    let length = resign.encode(FIRST, MULTICAST_GROUP, settings.version, &mut message);
    let length =
        auth.map_or(length, |auth| auth.authenticator().sign((FIRST, MULTICAST_GROUP), sequence, length, &mut message));
    message[..length].to_vec()
}

/// Proves V-102+, V-102-.
#[test]
fn forged_and_repeated_adverts_move_nothing_and_are_told_apart() {
    let hosts = lan();
    let [first, second] = elected(&hosts, |rank| signed(rank, AuthMode::Enforce, &[OLD]));
    let sniffer = Sniffer::on(&hosts[1], "eth0");
    eventually("some adverts", Duration::from_secs(3), || adverts(&sniffer, 32).len() > 5);
    let genuine = adverts(&sniffer, 32)[0].message.clone();
    assert_eq!(genuine.len(), 12 + 28);
    let now = Sequences::default().next(clock::utc());
    for (message, fault) in [
        (genuine, SignatureFault::Replayed),
        (resignation(None, now), SignatureFault::Missing),
        (resignation(Some(&keys(AuthMode::Enforce, &[(1, [8; 32])])), now), SignatureFault::Wrong),
        (resignation(Some(&keys(AuthMode::Enforce, &[NEW])), now), SignatureFault::UnknownKey(2)),
    ] {
        let before = discarded_as(&second, fault);
        for _ in 0..5 {
            say_as_the_first(&hosts[2], &message);
        }
        eventually("all are counted", Duration::from_secs(3), || discarded_as(&second, fault) == before + 5);
    }
    always("nothing moves", Duration::from_secs(1), || hosts[0].holds(API) && !hosts[1].holds(API));
    let told =
        |fault| second.snapshot().vips[0].mismatches.iter().any(|m| m.difference == Difference::Signature(fault));
    assert!(told(SignatureFault::Missing) && told(SignatureFault::Wrong));
    drop(first);
    let taken = eventually("its own resignation counts", Duration::from_secs(2), || hosts[1].holds(API));
    assert!(taken < Duration::from_secs(1), "{taken:?}");
}

/// Proves V-102+.
#[test]
fn a_node_that_is_behind_its_own_sequence_goes_on_where_the_others_know_it_to_be() {
    let hosts = lan();
    let [first, second] = elected(&hosts, |rank| signed(rank, AuthMode::Enforce, &[OLD]));
    // As if the first had spoken before, by a clock that was a year ahead; the resignation itself is answered in milliseconds.
    let ahead = Sequences::default().next(clock::utc() + Duration::from_secs(365 * 86_400));
    let auth = keys(AuthMode::Enforce, &[OLD]);
    let heard_at = || second.snapshot().vips[0].last_heard.unwrap();
    say_as_the_first(&hosts[2], &resignation(Some(&auth), ahead));
    eventually("the second takes it", Duration::from_secs(2), || {
        heard_at().rival.priority == Priority::RESIGN || discarded_as(&second, SignatureFault::Replayed) > 0
    });
    let learnt = || {
        let before = heard_at();
        std::thread::sleep(Duration::from_millis(250));
        let after = heard_at();
        after.at > before.at && after.rival.source == FIRST && after.rival.priority.get() == 254
    };
    eventually("adverts of the first count again", Duration::from_secs(5), learnt);
    let replayed = discarded_as(&second, SignatureFault::Replayed);
    // None, when it learns between two of its own.
    assert!(replayed <= 10, "{replayed} adverts of the first were discarded until it had learnt");
    always("all of them", Duration::from_secs(1), || discarded_as(&second, SignatureFault::Replayed) == replayed);
    drop(first);
}

/// Retunes both nodes, one after the other, and holds every stage to: nothing moves, and every advert counts.
fn sweep(hosts: &[Namespace], nodes: &[Running; 2], how: impl Fn(u8) -> KeeperSettings) {
    for (rank, node) in nodes.iter().enumerate() {
        node.command(Command::Retune(Box::new(how(rank as u8))));
        always("nothing moves", Duration::from_millis(600), || hosts[0].holds(API) && !hosts[1].holds(API));
    }
    assert_eq!(nodes.each_ref().map(discarded), [0, 0]);
    assert_eq!(nodes.each_ref().map(Running::roles), [[Role::Active; 2], [Role::Backup; 2]]);
}

/// Proves V-102+.
#[test]
fn a_pair_comes_to_signed_adverts_in_three_sweeps_and_changes_its_key_in_three_more() {
    let hosts = lan();
    let nodes = elected(&hosts, settings);
    for (mode, with) in [
        (AuthMode::ReceiveOnly, &[OLD][..]),
        (AuthMode::Permissive, &[OLD]),
        (AuthMode::Enforce, &[OLD]),
        (AuthMode::Enforce, &[OLD, NEW]),
        (AuthMode::Enforce, &[NEW, OLD]),
        (AuthMode::Enforce, &[NEW]),
    ] {
        sweep(&hosts, &nodes, |rank| signed(rank, mode, with));
    }
}

/// Proves V-102+.
#[test]
fn while_both_are_taken_the_node_that_does_not_sign_yet_is_told() {
    let hosts = lan();
    let first = Running::fit(&hosts[0], settings(0));
    eventually("the first owns both", Duration::from_secs(5), || first.roles() == [Role::Active; 2]);
    let second = Running::fit(&hosts[1], signed(1, AuthMode::Permissive, &[OLD]));
    let told = || {
        let vips = second.snapshot().vips;
        vips[0].mismatches.iter().any(|mismatch| mismatch.difference == Difference::NotSignedYet)
    };
    eventually("it is told", Duration::from_secs(3), told);
    always("and obeyed", Duration::from_secs(1), || second.roles() == [Role::Backup; 2]);
}
