//! Frames that look like VRRP adverts and must have no effect.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// The group of RFC 9568 §5.1.1.2.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 18), 0);

/// A socket of protocol 112 whose packets to the group leave with `ttl`.
///
/// # Panics
/// When the kernel refuses a raw socket.
pub fn socket(ttl: u32) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).expect("a raw socket needs root");
    socket.set_multicast_ttl_v4(ttl).expect("a TTL");
    socket
}

/// Sends junk adverts to the group from where the calling thread is, `rate` a second for `span` as far as the machine
/// allows; returns how many. Each breaks one rule of RFC 9568 §7.1, and each would end an ownership if that rule were not kept.
///
/// # Panics
/// When the kernel refuses a raw socket.
pub fn send(rate: u32, span: Duration) -> usize {
    let socket = socket(255);
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < span {
        let (ttl, bytes) = &JUNK[sent % JUNK.len()];
        socket.set_multicast_ttl_v4(*ttl).expect("a TTL");
        if socket.send_to(bytes, &SockAddr::from(GROUP)).is_ok() {
            sent += 1;
        }
        let due = started + span.min(Duration::from_secs(1) / rate * u32::try_from(sent).unwrap_or(u32::MAX));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    sent
}

/// Claims 192.168.0.33 with priority 255 from where the calling thread is, each 100 ms for `span`: adverts that break no rule.
///
/// # Panics
/// When the kernel refuses a raw socket.
pub fn claim_web(span: Duration) {
    let socket = socket(255);
    let started = Instant::now();
    while started.elapsed() < span {
        let claim = [0x31, 33, 255, 1, 0, 10, 0x0f, 0x09, 192, 168, 0, 33];
        socket.send_to(&claim, &SockAddr::from(GROUP)).expect("the forger sends");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// TTL and VRRP message. Priority 255 for 192.168.0.33 with VRID 33 (or priority 0), but for one fault.
const JUNK: [(u32, &[u8]); 7] = [
    // TTL 64: from another network (§5.1.1.3).
    (64, &[0x31, 33, 255, 1, 0, 10, 0x5e, 0xd5, 192, 168, 0, 33]),
    // A checksum of neither form (§5.2.8).
    (255, &[0x31, 33, 255, 1, 0, 10, 0xde, 0xad, 192, 168, 0, 33]),
    // Version 7 (§5.2.1).
    (255, &[0x71, 33, 255, 1, 0, 10, 0, 0, 192, 168, 0, 33]),
    // Type 2 (§5.2.2).
    (255, &[0x32, 33, 255, 1, 0, 10, 0, 0, 192, 168, 0, 33]),
    // Cut off after the priority (§7.1).
    (255, &[0x31, 33, 255]),
    // Says 200 addresses, carries one (§5.2.5).
    (255, &[0x31, 33, 255, 200, 0, 10, 0, 0, 192, 168, 0, 33]),
    // A resignation with a wrong checksum (§5.2.4).
    (255, &[0x31, 33, 0, 1, 0, 10, 0xde, 0xad, 192, 168, 0, 33]),
];
