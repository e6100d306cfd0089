//! The IPv4 header (RFC 791 §3.1) around an advert: a raw socket shows it on receive, and we write it on send.
//!
//! Written by us, because the kernel would choose the source address from the routing table: ours is always the primary
//! address, never a VIP (RFC 9568 §5.1.1.1), even while that address is being taken away.

use std::net::Ipv4Addr;

use crate::packet::{IP_PROTOCOL, IpMeta, TTL};

pub(super) const LENGTH: usize = 20;
const VERSION_AND_LENGTH: u8 = 0x45;

/// What the header of a received packet says, and the message behind it. `None` when the bytes are not one whole IPv4 packet of protocol 112. Bytes after its end are link padding.
pub(super) fn parse(bytes: &[u8]) -> Option<(IpMeta, &[u8])> {
    let header = bytes.first_chunk::<LENGTH>()?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let total_length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    (header[0] >> 4 == 4 && header_length >= LENGTH && header[9] == IP_PROTOCOL).then_some(())?;
    let ip = IpMeta {
        ttl: header[8],
        source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
        destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
    };
    Some((ip, bytes.get(header_length..total_length)?))
}

/// The header of an advert; the kernel fills identification, total length and checksum (raw(7)).
pub(super) fn build(source: Ipv4Addr, destination: Ipv4Addr, tos: u8) -> [u8; LENGTH] {
    let mut header = [0; LENGTH];
    header[0] = VERSION_AND_LENGTH;
    header[1] = tos;
    header[8] = TTL;
    header[9] = IP_PROTOCOL;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 30);
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

    fn packet(total_length: u8, options: u8) -> Vec<u8> {
        let mut bytes = build(FROM, GROUP, 0xc0).to_vec();
        bytes[0] = 0x45 + options;
        bytes[3] = total_length;
        bytes.extend([0xaa; 26]);
        bytes
    }

    /// Proves V-50+, V-53+.
    #[test]
    fn what_we_write_is_read_back_with_the_padding_cut() {
        let bytes = packet(28, 0);
        let ip = IpMeta { ttl: 255, source: FROM, destination: GROUP };
        assert_eq!(parse(&bytes), Some((ip, &[0xaa; 8][..])));
    }

    #[test]
    fn options_are_skipped() {
        assert_eq!(parse(&packet(32, 1)).map(|(_, message)| message.len()), Some(8));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused_without_a_panic() {
        assert_eq!(parse(&packet(200, 0)), None);
        assert_eq!(parse(&packet(10, 0)), None);
        assert_eq!(parse(&packet(24, 3)), None);
        for length in 0..LENGTH {
            assert_eq!(parse(&packet(28, 0)[..length]), None);
        }
    }
}
