//! A classic BPF program (socket(7), `SO_ATTACH_FILTER`) that keeps other clusters' adverts out of our receive buffer.
//!
//! A TTL other than 255 is not filtered here: it is rare, it means something to the operator, and only user space counts it.

use fmc_config::model::family::Family;
use socket2::SockFilter;

use crate::packet::IP_PROTOCOL;

/// `ldxb 4*([0]&0xf)`: X is the length of the IP header. A raw socket's filter sees the IP header first.
const LOAD_HEADER_LENGTH: SockFilter = SockFilter::new(0xb1, 0, 0, 0);
/// `ldb [1]`: the same where the filter sees the message alone, which is so for a raw socket of IPv6.
const LOAD_VRID_OF_MESSAGE: SockFilter = SockFilter::new(0x30, 0, 0, 1);
/// `ldb [x+1]`: the VRID (RFC 9568 §5.1). A shorter packet ends the program with 0, that is, is dropped.
const LOAD_VRID: SockFilter = SockFilter::new(0x50, 0, 0, 1);
const DROP: SockFilter = SockFilter::new(0x06, 0, 0, 0);
const ACCEPT: SockFilter = SockFilter::new(0x06, 0, 0, 0xffff);

const fn jump_if_equal(value: u32, then: u8) -> SockFilter {
    SockFilter::new(0x15, then, 0, value)
}

/// Accepts VRRP packets with one of these VRIDs. At most 255 distinct ones exist, so every jump fits its byte.
pub(super) fn only(family: Family, vrids: &[u8]) -> Vec<SockFilter> {
    let mut distinct = vrids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut program = match family {
        Family::V4 => vec![LOAD_HEADER_LENGTH, LOAD_VRID],
        Family::V6 => vec![LOAD_VRID_OF_MESSAGE],
    };
    let over_the_rest = (1..=distinct.len() as u8).rev();
    program.extend(distinct.iter().zip(over_the_rest).map(|(&vrid, jump)| jump_if_equal(u32::from(vrid), jump)));
    program.extend([DROP, ACCEPT]);
    program
}

/// `ldb [0]`, `and #0xf0`, `ldb [9]` or `ldb [6]`: version, and protocol or next header (RFC 791 §3.1, RFC 8200 §3).
const LOAD_FIRST: SockFilter = SockFilter::new(0x30, 0, 0, 0);
const KEEP_HIGH_HALF: SockFilter = SockFilter::new(0x54, 0, 0, 0xf0);
const LOAD_PROTOCOL: SockFilter = SockFilter::new(0x30, 0, 0, 9);
const LOAD_NEXT_HEADER: SockFilter = SockFilter::new(0x30, 0, 0, 6);
const IPV4: u32 = 0x40;
const IPV6: u32 = 0x60;

const fn jump_unless_equal(value: u32, then: u8) -> SockFilter {
    SockFilter::new(0x15, 0, then, value)
}

/// Accepts every VRRP packet over the one family, for a packet socket that sees them from their IP header on.
pub(super) fn any_advert(family: Family) -> [SockFilter; 7] {
    let (version, load_protocol) = match family {
        Family::V4 => (IPV4, LOAD_PROTOCOL),
        Family::V6 => (IPV6, LOAD_NEXT_HEADER),
    };
    let [version, number] = [jump_unless_equal(version, 3), jump_unless_equal(IP_PROTOCOL as u32, 1)];
    [LOAD_FIRST, KEEP_HIGH_HALF, version, load_protocol, number, ACCEPT, DROP]
}

/// Accepts nothing, for sockets that only send.
pub(super) fn nothing() -> [SockFilter; 1] {
    [DROP]
}
