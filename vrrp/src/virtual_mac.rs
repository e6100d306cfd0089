//! The virtual router MAC address (RFC 9568 §7.3) and the interface that carries it. [core]

use fmc_config::model::family::Family;
use fmc_config::model::vip::VirtualRouterId;

use crate::arp::HardwareAddress;

/// IANA's block for VRRP over IPv4 and over IPv6; the last octet is the VRID.
const BLOCK_4: [u8; 5] = [0x00, 0x00, 0x5e, 0x00, 0x01];
const BLOCK_6: [u8; 5] = [0x00, 0x00, 0x5e, 0x00, 0x02];

/// What names of ours begin with; the family's number follows.
const PREFIX: &str = "fmc";

/// That of one virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VirtualMac {
    family: Family,
    virtual_router_id: VirtualRouterId,
}

impl VirtualMac {
    /// Over this family, of this VRID.
    pub const fn new(family: Family, virtual_router_id: VirtualRouterId) -> Self {
        Self { family, virtual_router_id }
    }

    /// Over IPv4 or IPv6.
    pub const fn family(self) -> Family {
        self.family
    }

    /// 00-00-5E-00-01-{VRID}, over IPv6 00-00-5E-00-02-{VRID}.
    pub const fn octets(self) -> HardwareAddress {
        let [a, b, c, d, e] = match self.family {
            Family::V4 => BLOCK_4,
            Family::V6 => BLOCK_6,
        };
        [a, b, c, d, e, self.virtual_router_id.get()]
    }

    /// The name of its interface above the one with this index: `fmc4-2-32`. Longer than the kernel's 15 characters from an index of
    /// seven digits on, which the kernel refuses.
    pub fn interface_name(self, above: u32) -> String {
        format!("{PREFIX}{}-{above}-{}", digit(self.family), self.virtual_router_id)
    }

    /// Which one an interface of this name and MAC address carries; `None` when it is none that we made.
    pub fn of_interface(name: &str, mac: HardwareAddress) -> Option<Self> {
        let (family, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
        let (above, id) = rest.split_once('-')?;
        above.parse::<u32>().ok()?;
        let family = [Family::V4, Family::V6].into_iter().find(|known| digit(*known).to_string() == family)?;
        let found = Self::new(family, VirtualRouterId::new(id.parse().ok()?)?);
        (found.octets() == mac).then_some(found)
    }
}

const fn digit(family: Family) -> char {
    match family {
        Family::V4 => '4',
        Family::V6 => '6',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(family: Family, id: u8) -> VirtualMac {
        VirtualMac::new(family, VirtualRouterId::new(id).unwrap())
    }

    /// Proves V-24.
    #[test]
    fn the_virtual_mac_address_is_the_block_of_the_family_and_the_virtual_router_identifier() {
        for id in 1..=255 {
            assert_eq!(of(Family::V4, id).octets(), [0x00, 0x00, 0x5e, 0x00, 0x01, id]);
            assert_eq!(of(Family::V6, id).octets(), [0x00, 0x00, 0x5e, 0x00, 0x02, id]);
        }
    }

    #[test]
    fn its_interface_is_known_again_by_name_and_address_and_no_other_is_taken_for_one() {
        let mac = of(Family::V6, 255);
        let name = mac.interface_name(999_999);
        assert_eq!((name.as_str(), name.len()), ("fmc6-999999-255", 15));
        assert_eq!(VirtualMac::of_interface(&name, mac.octets()), Some(mac));
        assert_eq!(VirtualMac::of_interface(&name, [2, 0, 0, 0, 0, 1]), None, "somebody else's with such a name");
        for name in ["eth0", "fmc4-2", "fmc4-x-255", "fmc5-2-255", "fmc4-2-255", "vrrp.255", "fmc6-2-0", ""] {
            assert_eq!(VirtualMac::of_interface(name, mac.octets()), None, "{name}");
        }
    }
}
