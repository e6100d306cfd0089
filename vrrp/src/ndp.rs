//! Unsolicited neighbour advertisements: what gratuitous ARP is to IPv4. [core]
//!
//! ```text
//! +-------------------+-------------------+--------+   Ethernet: 33-33-00-00-00-01, our hardware address, 0x86dd
//! |  destination (6)  |    source (6)     |  type  |
//! +-------------------+-------------------+--------+
//! |  IPv6: the virtual address to ff02::1, hop limit 255, next header 58           (40)
//! +---------+---------+-------------------+
//! | type 136| code 0  |     checksum      |             RFC 4861 §4.4
//! |R|S|O|             reserved            |             R = 1, S = 0, O = 1
//! |        target (16): the virtual address
//! +---------+---------+-------------------+
//! | type 2  | len 1   |   our hardware address          target link-layer address, §4.6.1
//! +---------+---------+-------------------+
//! ```
//!
//! RFC 9568 §6.4.1: with the Router flag, whether or not this node forwards for others. Who has the address in its neighbour cache takes the
//! new hardware address over for the Override flag (RFC 4861 §7.2.5); who has not, learns nothing, as it should.

use std::net::Ipv6Addr;
use std::ops::Range;

use crate::arp::HardwareAddress;

/// Octets of a frame.
pub const FRAME_LEN: usize = 86;

const DESTINATION: Range<usize> = 0..6;
const SOURCE: Range<usize> = 6..12;
const ETHER_TYPE: Range<usize> = 12..14;
const VERSION: usize = 14;
const PAYLOAD_LENGTH: Range<usize> = 18..20;
const NEXT_HEADER: usize = 20;
const HOP_LIMIT: usize = 21;
const IP_SOURCE: Range<usize> = 22..38;
const IP_DESTINATION: Range<usize> = 38..54;
const MESSAGE: Range<usize> = 54..86;
const CHECKSUM: Range<usize> = 56..58;
const FLAGS: usize = 58;
const TARGET: Range<usize> = 62..78;
const OPTION: Range<usize> = 78..80;
const TARGET_HARDWARE: Range<usize> = 80..86;

const ETHER_TYPE_IPV6: u16 = 0x86dd;
const ALL_NODES_HARDWARE: HardwareAddress = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ICMPV6: u8 = 58;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const ROUTER: u8 = 0x80;
const OVERRIDE: u8 = 0x20;
/// Type and length, in units of eight octets, of the target link-layer address option.
const TARGET_LINK_LAYER_ADDRESS: [u8; 2] = [2, 1];

/// The frame that tells everyone on the link that `address` is at `hardware`.
pub fn unsolicited(address: Ipv6Addr, hardware: HardwareAddress) -> [u8; FRAME_LEN] {
    let mut frame = [0; FRAME_LEN];
    frame[DESTINATION].copy_from_slice(&ALL_NODES_HARDWARE);
    frame[SOURCE].copy_from_slice(&hardware);
    frame[ETHER_TYPE].copy_from_slice(&ETHER_TYPE_IPV6.to_be_bytes());
    frame[VERSION] = 6 << 4;
    frame[PAYLOAD_LENGTH].copy_from_slice(&(MESSAGE.len() as u16).to_be_bytes());
    frame[NEXT_HEADER] = ICMPV6;
    frame[HOP_LIMIT] = 255;
    frame[IP_SOURCE].copy_from_slice(&address.octets());
    frame[IP_DESTINATION].copy_from_slice(&ALL_NODES.octets());
    frame[MESSAGE.start] = NEIGHBOUR_ADVERTISEMENT;
    frame[FLAGS] = ROUTER | OVERRIDE;
    frame[TARGET].copy_from_slice(&address.octets());
    frame[OPTION].copy_from_slice(&TARGET_LINK_LAYER_ADDRESS);
    frame[TARGET_HARDWARE].copy_from_slice(&hardware);
    let sum = checksum(&frame);
    frame[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Of the message and its pseudo-header (RFC 4443 §2.3), the checksum itself read as zero.
fn checksum(frame: &[u8; FRAME_LEN]) -> u16 {
    let words = frame[IP_SOURCE.start..].as_chunks::<2>().0.iter().map(|word| u32::from(u16::from_be_bytes(*word)));
    let mut sum = words.sum::<u32>() + MESSAGE.len() as u32 + u32::from(ICMPV6);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use pnet::packet::Packet;
    use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
    use pnet::packet::icmpv6::ndp::{NdpOptionTypes, NeighborAdvertFlags, NeighborAdvertPacket};
    use pnet::packet::icmpv6::{Icmpv6Packet, Icmpv6Types, checksum as pnet_checksum};
    use pnet::packet::ip::IpNextHeaderProtocols;
    use pnet::packet::ipv6::Ipv6Packet;
    use pnet::util::MacAddr;

    use super::*;

    const HARDWARE: HardwareAddress = [2, 0, 0, 0, 0, 0x1e];
    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x32);

    /// Proves V-87.
    #[test]
    fn an_independent_decoder_reads_an_announcement_that_overrides() {
        let frame = unsolicited(ADDRESS, HARDWARE);
        let ethernet = EthernetPacket::new(&frame).unwrap();
        assert_eq!(ethernet.get_destination(), MacAddr::new(0x33, 0x33, 0, 0, 0, 1));
        assert_eq!((ethernet.get_source(), ethernet.get_ethertype()), (MacAddr::from(HARDWARE), EtherTypes::Ipv6));
        let ip = Ipv6Packet::new(ethernet.payload()).unwrap();
        assert_eq!(
            (ip.get_version(), ip.get_hop_limit(), ip.get_next_header()),
            (6, 255, IpNextHeaderProtocols::Icmpv6)
        );
        assert_eq!((ip.get_source(), ip.get_destination()), (ADDRESS, "ff02::1".parse().unwrap()));
        assert_eq!(usize::from(ip.get_payload_length()), ip.payload().len());
        let icmp = Icmpv6Packet::new(ip.payload()).unwrap();
        assert_eq!((icmp.get_icmpv6_type(), icmp.get_icmpv6_code().0), (Icmpv6Types::NeighborAdvert, 0));
        assert_eq!(icmp.get_checksum(), pnet_checksum(&icmp, &ip.get_source(), &ip.get_destination()));
        let advert = NeighborAdvertPacket::new(ip.payload()).unwrap();
        assert_eq!(advert.get_flags(), NeighborAdvertFlags::Router | NeighborAdvertFlags::Override);
        assert_eq!(advert.get_target_addr(), ADDRESS);
        let [option] = &advert.get_options()[..] else { panic!("{advert:?}") };
        assert_eq!((option.option_type, option.length), (NdpOptionTypes::TargetLLAddr, 1));
        assert_eq!(option.data, HARDWARE);
    }
}
