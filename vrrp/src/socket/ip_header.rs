//! The IP header around an advert (RFC 791 §3.1, RFC 8200 §3): a raw socket of IPv4 shows it on receive, and we write it on send.
//!
//! Written by us, because the kernel would choose the source address from the routing table: ours is always the primary
//! address, never a VIP (RFC 9568 §5.1.1.1, §5.1.2.1), even while that address is being taken away.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use arrayvec::ArrayVec;

use crate::packet::{IP_PROTOCOL, IpMeta, TTL};

/// Octets of the longer one.
pub(super) const LONGEST: usize = LENGTH_6;

const LENGTH_4: usize = 20;
const LENGTH_6: usize = 40;
const VERSION_AND_LENGTH: u8 = 0x45;
/// Of the first octet of flags and fragment offset.
const DO_NOT_FRAGMENT: u8 = 0x40;
const VERSION_6: u8 = 6;
const PAYLOAD_LENGTH_6: Range<usize> = 4..6;
const NEXT_HEADER_6: usize = 6;
const HOP_LIMIT_6: usize = 7;

/// What the header of a received packet says, and the message behind it. `None` when the bytes are not one whole packet of protocol 112. Bytes after its end are link padding.
pub(super) fn parse(bytes: &[u8]) -> Option<(IpMeta, &[u8])> {
    match bytes.first()? >> 4 {
        VERSION_6 => parse_6(bytes),
        _ => parse_4(bytes),
    }
}

fn parse_4(bytes: &[u8]) -> Option<(IpMeta, &[u8])> {
    let header = bytes.first_chunk::<LENGTH_4>()?;
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let total_length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    (header[0] >> 4 == 4 && header_length >= LENGTH_4 && header[9] == IP_PROTOCOL).then_some(())?;
    let ip = IpMeta {
        ttl: header[8],
        source: Ipv4Addr::new(header[12], header[13], header[14], header[15]).into(),
        destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]).into(),
    };
    Some((ip, bytes.get(header_length..total_length)?))
}

/// One with extension headers is none that a router sends.
fn parse_6(bytes: &[u8]) -> Option<(IpMeta, &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<LENGTH_6>()?;
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    (header[NEXT_HEADER_6] == IP_PROTOCOL).then_some(())?;
    let (addresses, _) = header[8..].as_chunks::<16>();
    let [source, destination] = addresses else { return None };
    let ip = IpMeta { ttl: header[HOP_LIMIT_6], source: (*source).into(), destination: (*destination).into() };
    Some((ip, rest.get(..length)?))
}

/// The header of an advert of so many octets, from one address to another of the same family. Of IPv4 the kernel fills
/// identification, total length and checksum (raw(7)).
pub(super) fn build(source: IpAddr, destination: IpAddr, tos: u8, length: usize) -> ArrayVec<u8, LONGEST> {
    match (source, destination) {
        (IpAddr::V6(source), IpAddr::V6(destination)) => build_6(source, destination, tos, length).into(),
        (IpAddr::V4(source), IpAddr::V4(destination)) => build_4(source, destination, tos).into_iter().collect(),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => ArrayVec::new(),
    }
}

/// Fills what the kernel fills in a header that passes it by: of IPv4 the total length and the checksum (RFC 1071).
pub(super) fn complete(header: &mut [u8], length: usize) {
    if header.len() != LENGTH_4 {
        return;
    }
    header[2..4].copy_from_slice(&((LENGTH_4 + length) as u16).to_be_bytes());
    header[6] = DO_NOT_FRAGMENT;
    header[10..12].fill(0);
    let (words, _) = header.as_chunks::<2>();
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
}

fn build_4(source: Ipv4Addr, destination: Ipv4Addr, tos: u8) -> [u8; LENGTH_4] {
    let mut header = [0; LENGTH_4];
    header[0] = VERSION_AND_LENGTH;
    header[1] = tos;
    header[8] = TTL;
    header[9] = IP_PROTOCOL;
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&destination.octets());
    header
}

fn build_6(source: Ipv6Addr, destination: Ipv6Addr, traffic_class: u8, length: usize) -> [u8; LENGTH_6] {
    let mut header = [0; LENGTH_6];
    header[0] = (VERSION_6 << 4) | (traffic_class >> 4);
    header[1] = traffic_class << 4;
    header[PAYLOAD_LENGTH_6].copy_from_slice(&(length as u16).to_be_bytes());
    header[NEXT_HEADER_6] = IP_PROTOCOL;
    header[HOP_LIMIT_6] = TTL;
    header[8..24].copy_from_slice(&source.octets());
    header[24..40].copy_from_slice(&destination.octets());
    header
}

#[cfg(test)]
mod tests {
    use pnet::packet::Packet;
    use pnet::packet::ipv6::Ipv6Packet;

    use super::*;

    const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30));
    const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

    fn packet(total_length: u8, options: u8) -> Vec<u8> {
        let mut bytes = build(FROM, GROUP, 0xc0, 0).to_vec();
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

    /// Proves V-18, V-27, V-50+, V-53+.
    #[test]
    fn what_we_write_over_ipv6_is_what_an_independent_decoder_reads() {
        let (source, destination) = ("fe80::30".parse().unwrap(), "ff02::12".parse().unwrap());
        let mut bytes = build(IpAddr::V6(source), IpAddr::V6(destination), 0xc0, 24).to_vec();
        bytes.extend([0xaa; 24]);
        let read = Ipv6Packet::new(&bytes).unwrap();
        assert_eq!((read.get_version(), read.get_traffic_class(), read.get_flow_label()), (6, 0xc0, 0));
        assert_eq!((read.get_hop_limit(), read.get_next_header().0, read.payload().len()), (255, 112, 24));
        assert_eq!((read.get_source(), read.get_destination()), (source, destination));
        bytes.extend([0xbb; 6]);
        let ip = IpMeta { ttl: 255, source: source.into(), destination: destination.into() };
        assert_eq!(parse(&bytes), Some((ip, &[0xaa; 24][..])));
        assert_eq!(parse(&bytes[..60]), None);
        bytes[6] = 0;
        assert_eq!(parse(&bytes), None, "a hop-by-hop header");
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
        for length in 0..LENGTH_4 {
            assert_eq!(parse(&packet(28, 0)[..length]), None);
        }
    }
}
