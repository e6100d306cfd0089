//! SYNs from addresses that nobody has: their answers go nowhere, and each leaves a half-open connection behind.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// IP and TCP without options (RFC 791 §3.1, RFC 9293 §3.1).
const LENGTH: usize = 40;

/// Sends SYNs to `to` from where the calling thread is, `rate` a second for `span` as far as the machine allows; returns how many. Their
/// sources are of 198.18.0.0/15, which is for tests alone (RFC 2544 §C.2.2): no machine of the lab answers there.
///
/// # Panics
/// When the kernel refuses a raw socket.
pub fn of_syns(to: SocketAddrV4, rate: u32, span: Duration) -> usize {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).expect("a raw socket needs root");
    socket.set_header_included_v4(true).expect("a header of our own");
    let (started, mut sent) = (Instant::now(), 0);
    while started.elapsed() < span {
        if socket.send_to(&syn(sent, to), &SockAddr::from(to)).is_ok() {
            sent += 1;
        }
        let due = started + span.min(Duration::from_secs(1) / rate * sent);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    sent as usize
}

fn syn(number: u32, to: SocketAddrV4) -> [u8; LENGTH] {
    // Spreads over sources and ports without repeating one soon.
    let mixed = number.wrapping_mul(2_654_435_761);
    let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) | mixed >> 15);
    let mut packet = [0; LENGTH];
    packet[..10].copy_from_slice(&[0x45, 0, 0, LENGTH as u8, 0, 0, 0x40, 0, 64, 6]);
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.ip().octets());
    packet[20..22].copy_from_slice(&(1024 + (mixed as u16 >> 1)).to_be_bytes());
    packet[22..24].copy_from_slice(&to.port().to_be_bytes());
    packet[24..28].copy_from_slice(&mixed.to_be_bytes());
    // No options: the data begins after five words. SYN, and a window.
    packet[32..36].copy_from_slice(&[0x50, 0x02, 0xff, 0xff]);
    let sum = checksum(&packet);
    packet[36..38].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// Of the pseudo-header (RFC 9293 §3.1) and the segment; that of the IP header is the kernel's (raw(7)).
fn checksum(packet: &[u8; LENGTH]) -> u16 {
    let pseudo = 6 + (LENGTH as u32 - 20);
    let words = packet[12..].chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum::<u32>() + pseudo;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
