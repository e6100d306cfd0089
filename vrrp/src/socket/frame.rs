//! The Ethernet header in front of an advert that leaves from a virtual MAC address.

use std::net::IpAddr;

use crate::arp::HardwareAddress;

/// Octets: destination, source, EtherType.
pub(super) const HEADER_LENGTH: usize = 14;

const ETHER_TYPE_IPV4: u16 = 0x0800;
const ETHER_TYPE_IPV6: u16 = 0x86dd;

/// From this MAC address to a group; `None` when it is no group, since only a group has its MAC address by rule.
pub(super) fn header(source: HardwareAddress, group: IpAddr) -> Option<[u8; HEADER_LENGTH]> {
    let ether_type = if group.is_ipv4() { ETHER_TYPE_IPV4 } else { ETHER_TYPE_IPV6 };
    let mut header = [0; HEADER_LENGTH];
    header[..6].copy_from_slice(&group_hardware(group)?);
    header[6..12].copy_from_slice(&source);
    header[12..].copy_from_slice(&ether_type.to_be_bytes());
    Some(header)
}

/// RFC 1112 §6.4 and RFC 2464 §7.
fn group_hardware(group: IpAddr) -> Option<HardwareAddress> {
    group.is_multicast().then_some(match group {
        IpAddr::V4(group) => {
            let [_, b, c, d] = group.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V6(group) => {
            let [.., w, x, y, z] = group.octets();
            [0x33, 0x33, w, x, y, z]
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIRTUAL: HardwareAddress = [0x00, 0x00, 0x5e, 0x00, 0x01, 0x20];

    #[test]
    fn a_group_is_at_its_own_hardware_address_and_a_host_at_none_that_we_know() {
        let of = |group: &str| header(VIRTUAL, group.parse().unwrap());
        assert_eq!(of("224.0.0.18").unwrap(), [1, 0, 0x5e, 0, 0, 0x12, 0, 0, 0x5e, 0, 1, 0x20, 0x08, 0x00]);
        assert_eq!(of("ff02::12").unwrap()[..6], [0x33, 0x33, 0, 0, 0, 0x12]);
        assert_eq!(of("ff02::12").unwrap()[12..], [0x86, 0xdd]);
        assert_eq!((of("192.168.0.31"), of("fe80::31")), (None, None));
    }
}
