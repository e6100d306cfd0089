//! Gratuitous ARP: the frames that move a virtual address to this node's hardware address. [core]
//!
//! ```text
//! +-------------------+-------------------+--------+   Ethernet: broadcast, our hardware address, 0x0806
//! |  destination (6)  |    source (6)     |  type  |
//! +---------+---------+---+---+---------+-+--------+
//! | HTYPE 1 |  PTYPE  | 6 | 4 |  OPER   |              RFC 826: Ethernet, IPv4
//! +---------+---------+---+---+---------+--+
//! | sender hardware (6) | sender IPv4 (4)  |           ours, the virtual address
//! | target hardware (6) | target IPv4 (4)  |           ours, the virtual address
//! +---------------------+------------------+
//! ```
//!
//! RFC 9568 §6.4.1 with errata 7947 and 7949: sender and target carry the virtual address, and the target hardware address is
//! the one in use. Most hosts learn from the request form, some only from the reply form, so both are sent.

use std::net::Ipv4Addr;
use std::ops::Range;

/// Octets of a frame, without the padding to 60 that the driver of the card adds.
pub const FRAME_LEN: usize = 42;

/// An Ethernet hardware address.
pub type HardwareAddress = [u8; 6];

const DESTINATION: Range<usize> = 0..6;
const SOURCE: Range<usize> = 6..12;
const ETHER_TYPE: Range<usize> = 12..14;
const HARDWARE_TYPE: Range<usize> = 14..16;
const PROTOCOL_TYPE: Range<usize> = 16..18;
const HARDWARE_LEN: usize = 18;
const PROTOCOL_LEN: usize = 19;
const OPERATION: Range<usize> = 20..22;
const SENDER_HARDWARE: Range<usize> = 22..28;
const SENDER_PROTOCOL: Range<usize> = 28..32;
const TARGET_HARDWARE: Range<usize> = 32..38;
const TARGET_PROTOCOL: Range<usize> = 38..42;

const BROADCAST: HardwareAddress = [0xff; 6];
const ETHER_TYPE_ARP: u16 = 0x0806;
const HARDWARE_ETHERNET: u16 = 1;
const PROTOCOL_IPV4: u16 = 0x0800;

/// The two forms of an announcement; hosts differ in which one they learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Operation 1, what RFC 5227 §3 advises.
    Request,
    /// Operation 2, for hosts that learn from replies alone.
    Reply,
}

/// The frame that tells everyone on the link that `address` is at `hardware`.
pub fn gratuitous(form: Form, address: Ipv4Addr, hardware: HardwareAddress) -> [u8; FRAME_LEN] {
    let mut frame = [0; FRAME_LEN];
    frame[DESTINATION].copy_from_slice(&BROADCAST);
    frame[SOURCE].copy_from_slice(&hardware);
    frame[ETHER_TYPE].copy_from_slice(&ETHER_TYPE_ARP.to_be_bytes());
    frame[HARDWARE_TYPE].copy_from_slice(&HARDWARE_ETHERNET.to_be_bytes());
    frame[PROTOCOL_TYPE].copy_from_slice(&PROTOCOL_IPV4.to_be_bytes());
    frame[HARDWARE_LEN] = 6;
    frame[PROTOCOL_LEN] = 4;
    frame[OPERATION].copy_from_slice(&operation(form).to_be_bytes());
    frame[SENDER_HARDWARE].copy_from_slice(&hardware);
    frame[SENDER_PROTOCOL].copy_from_slice(&address.octets());
    frame[TARGET_HARDWARE].copy_from_slice(&hardware);
    frame[TARGET_PROTOCOL].copy_from_slice(&address.octets());
    frame
}

const fn operation(form: Form) -> u16 {
    match form {
        Form::Request => 1,
        Form::Reply => 2,
    }
}

#[cfg(test)]
mod tests {
    use pnet::packet::Packet;
    use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket};
    use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
    use pnet::util::MacAddr;

    use super::*;

    const HARDWARE: HardwareAddress = [2, 0, 0, 0, 0, 0x1e];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 32);

    /// Proves V-86.
    #[test]
    fn an_independent_decoder_reads_both_forms_as_announcements() {
        for (form, operation) in [(Form::Request, ArpOperations::Request), (Form::Reply, ArpOperations::Reply)] {
            let frame = gratuitous(form, ADDRESS, HARDWARE);
            let ethernet = EthernetPacket::new(&frame).unwrap();
            assert_eq!(ethernet.get_destination(), MacAddr::broadcast());
            assert_eq!(ethernet.get_source(), MacAddr::from(HARDWARE));
            assert_eq!(ethernet.get_ethertype(), EtherTypes::Arp);
            let arp = ArpPacket::new(ethernet.payload()).unwrap();
            assert_eq!(arp.get_operation(), operation);
            assert_eq!(arp.get_hardware_type(), ArpHardwareTypes::Ethernet);
            assert_eq!(arp.get_protocol_type(), EtherTypes::Ipv4);
            assert_eq!((arp.get_hw_addr_len(), arp.get_proto_addr_len()), (6, 4));
            assert_eq!((arp.get_sender_proto_addr(), arp.get_target_proto_addr()), (ADDRESS, ADDRESS));
            let hardware = MacAddr::from(HARDWARE);
            assert_eq!((arp.get_sender_hw_addr(), arp.get_target_hw_addr()), (hardware, hardware));
        }
    }

    #[test]
    fn the_request_form_is_these_octets() {
        let expected = "ffffffffffff02000000001e0806000108000604000102000000001ec0a8002002000000001ec0a80020";
        let frame = gratuitous(Form::Request, ADDRESS, HARDWARE);
        let hex: String = frame.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, expected);
    }
}
