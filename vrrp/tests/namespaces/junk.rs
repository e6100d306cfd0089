//! Packets that must change nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use fmc_config::model::election::{Centiseconds, ChecksumForm, Version};
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::kernel::Kernel;
use fmc_vrrp::packet::{Advertisement, Discarded, MULTICAST_GROUP};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::role::Role;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::keeper::{Running, elected, octets, settings};
use crate::lab::{API, Namespace, always, eventually, lan};
use crate::sniffer::Sniffer;

/// The stranger on the LAN.
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 99));

/// A packet, header included, and where it goes.
struct Junk {
    bytes: Vec<u8>,
    to: IpAddr,
    counted_as: &'static str,
}

fn good(virtual_router_id: u8) -> Vec<u8> {
    let id = VirtualRouterId::new(virtual_router_id).unwrap();
    let advert = Advertisement::of_one(id, Priority::new(255), Centiseconds::new(10).unwrap(), API);
    let version = Version::V3(ChecksumForm::Message);
    let mut message = vec![0; advert.len(version)];
    advert.encode(STRANGER, MULTICAST_GROUP, version, &mut message);
    message
}

fn packet(message: &[u8], ttl: u8, to: IpAddr) -> Vec<u8> {
    let mut bytes = vec![0x45, 0xc0, 0, 0, 0, 0, 0, 0, ttl, 112, 0, 0];
    bytes.extend(octets(STRANGER));
    bytes.extend(octets(to));
    bytes.extend(message);
    bytes
}

/// Flips the message and mends its RFC 9568 checksum, so that only the rule under test is broken.
fn mended(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut message = good(32);
    change(&mut message);
    message[6..8].fill(0);
    let words = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])));
    let sum = words.sum::<u32>();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    message[6..8].copy_from_slice(&checksum.to_be_bytes());
    message
}

fn everything_wrong() -> Vec<Junk> {
    let group = MULTICAST_GROUP;
    let junk = |message: &[u8], ttl, to, counted_as| Junk { bytes: packet(message, ttl, to), to, counted_as };
    let mut bad_checksum = good(32);
    bad_checksum[6] ^= 0x55;
    vec![
        junk(&good(32), 64, group, "ip-ttl-errors"),
        junk(&mended(|m| m[0] = 0x71), 255, group, "version-errors"),
        junk(&mended(|m| m[0] = 0x32), 255, group, "invalid-type-pkts-rcvd"),
        junk(&good(32)[..10], 255, group, "packet-length-errors"),
        junk(&bad_checksum, 255, group, "checksum-errors"),
        junk(&mended(|m| (m[3] = 0, m.truncate(8)).1), 255, group, "address-list-errors"),
        junk(&mended(|m| m[4..6].fill(0)), 255, group, "interval-errors"),
        junk(&good(32), 255, IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30)), "destination-errors"),
    ]
}

/// A flood that was kept from running does not make up for more than this: it would be a burst, not a rate.
const BEHIND_AT_MOST: Duration = Duration::from_millis(10);

/// Sends each kind in turn from a host that is no node, a round each `pause`.
fn flood(stranger: &Namespace, rounds: usize, pause: Duration) -> Duration {
    stranger.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap();
        socket.set_header_included_v4(true).unwrap();
        socket.bind_device(Some(b"eth0")).unwrap();
        let began = Instant::now();
        let mut next = began;
        for _ in 0..rounds {
            for junk in everything_wrong() {
                // A full queue of the device is the flood's own limit.
                let _ = socket.send_to(&junk.bytes, &SockAddr::from(SocketAddr::new(junk.to, 0)));
            }
            next = (next + pause).max(Instant::now() - BEHIND_AT_MOST);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        began.elapsed()
    })
}

fn count(running: &Running, name: &str) -> u64 {
    let place = Discarded::COUNTERS.iter().position(|counter| *counter == name).unwrap();
    running.snapshot().interfaces[0].discarded[place]
}

/// Proves V-50-, V-51, V-52, V-53-, V-54, V-56, V-57, V-67, V-85-.
/// Shows B-27.
#[test]
fn every_rule_of_the_rfc_is_counted_on_the_interface_and_their_source_is_named_once() {
    let [one, _two, stranger] = lan();
    let running = Running::fit(&one, settings(0));
    eventually("it owns the address", Duration::from_secs(3), || one.holds(API));
    flood(&stranger, 5, Duration::from_millis(5));
    for junk in everything_wrong() {
        eventually(junk.counted_as, Duration::from_secs(1), || count(&running, junk.counted_as) == 5);
    }
    let lines: Vec<_> = running.lines().into_iter().filter(|line| line.contains("192.168.0.99")).collect();
    assert_eq!(
        lines,
        ["eth0: discards advertisements from 192.168.0.99: TTL is 64, not 255: it did not come from this link"]
    );
    assert_eq!(running.roles(), [Role::Active; 2]);
}

/// Proves V-55.
#[test]
fn adverts_of_other_clusters_do_not_reach_user_space() {
    let [one, _two, stranger] = lan();
    let running = Running::fit(&one, settings(0));
    let message = good(99);
    stranger.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap();
        socket.set_header_included_v4(true).unwrap();
        socket.bind_device(Some(b"eth0")).unwrap();
        let to = SockAddr::from(SocketAddr::new(MULTICAST_GROUP, 0));
        (0..100).for_each(|_| drop(socket.send_to(&packet(&message, 255, MULTICAST_GROUP), &to)));
    });
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(running.snapshot().interfaces[0].discarded.iter().sum::<u64>(), 0);
}

/// Proves V-07.
#[test]
fn an_advert_over_ipv6_reaches_the_link_and_not_the_election() {
    let [one, _two, stranger] = lan();
    let running = Running::fit(&one, settings(0));
    eventually("it owns the address", Duration::from_secs(3), || one.holds(API));
    let sniffer = Sniffer::on(&one, "eth0");
    stranger.ip("addr add fe80::99/64 dev eth0 nodad");
    let scope = stranger.enter(|| Kernel::open().unwrap().interface_by_name("eth0").unwrap().index);
    let message = [0x31, 32, 255, 1, 0, 10, 0, 0, 192, 168, 0, 32];
    stranger.enter(|| {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(112))).unwrap();
        let group = SocketAddrV6::new("ff02::12".parse().unwrap(), 0, 0, scope);
        (0..5).for_each(|_| drop(socket.send_to(&message, &SockAddr::from(group))));
    });
    let came =
        || sniffer.frames().iter().filter(|(_, frame)| frame[12..14] == [0x86, 0xdd] && frame[20] == 112).count();
    eventually("they are on the link", Duration::from_secs(1), || came() == 5);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(running.snapshot().interfaces[0].discarded.iter().sum::<u64>(), 0);
    assert_eq!(running.roles(), [Role::Active; 2]);
}

/// Proves V-66.
#[test]
fn ten_thousand_junk_adverts_in_a_second_move_nothing() {
    let lan = lan();
    let [one, two, stranger] = &lan;
    let (first, second) = elected(one, two);
    let promotions = second.snapshot().vips[0].statistics.became_active;
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| flood(stranger, 3750, Duration::from_micros(800)));
        while !flooding.is_finished() {
            always("the owner stays", Duration::from_millis(100), || one.holds(API) && !two.holds(API));
        }
        let took = flooding.join().unwrap();
        assert!(took < Duration::from_secs(15), "30,000 packets took {took:?}: no flood");
    });
    assert!(count(&second, "ip-ttl-errors") > 1000, "{}", count(&second, "ip-ttl-errors"));
    assert_eq!(first.roles(), [Role::Active; 2]);
    assert_eq!(second.snapshot().vips[0].statistics.became_active, promotions);
}
