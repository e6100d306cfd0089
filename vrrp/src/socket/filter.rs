//! A classic BPF program (socket(7), `SO_ATTACH_FILTER`) that keeps other clusters' adverts out of our receive buffer.
//!
//! A TTL other than 255 is not filtered here: it is rare, it means something to the operator, and only user space counts it.

use socket2::SockFilter;

/// `ldxb 4*([0]&0xf)`: X is the length of the IP header. A raw socket's filter sees the IP header first.
const LOAD_HEADER_LENGTH: SockFilter = SockFilter::new(0xb1, 0, 0, 0);
/// `ldb [x+1]`: the VRID (RFC 9568 §5.1). A shorter packet ends the program with 0, that is, is dropped.
const LOAD_VRID: SockFilter = SockFilter::new(0x50, 0, 0, 1);
const DROP: SockFilter = SockFilter::new(0x06, 0, 0, 0);
const ACCEPT: SockFilter = SockFilter::new(0x06, 0, 0, 0xffff);

const fn jump_if_equal(value: u32, then: u8) -> SockFilter {
    SockFilter::new(0x15, then, 0, value)
}

/// Accepts VRRP packets with one of these VRIDs. At most 255 distinct ones exist, so every jump fits its byte.
pub(super) fn only(vrids: &[u8]) -> Vec<SockFilter> {
    let mut distinct = vrids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut program = vec![LOAD_HEADER_LENGTH, LOAD_VRID];
    let over_the_rest = (1..=distinct.len() as u8).rev();
    program.extend(distinct.iter().zip(over_the_rest).map(|(&vrid, jump)| jump_if_equal(u32::from(vrid), jump)));
    program.extend([DROP, ACCEPT]);
    program
}

/// Accepts nothing, for sockets that only send.
pub(super) fn nothing() -> [SockFilter; 1] {
    [DROP]
}
