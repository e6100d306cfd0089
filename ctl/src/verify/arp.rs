//! [core] The question who has an address, and the answers: RFC 826 over Ethernet.

use std::net::Ipv4Addr;

/// A hardware address.
pub(super) type Mac = [u8; 6];

const ETHERNET: usize = 14;
const LENGTH: usize = ETHERNET + 28;
/// Hardware type 1, protocol type IPv4, lengths 6 and 4.
const IPV4_OVER_ETHERNET: [u8; 6] = [0, 1, 0x08, 0, 6, 4];
const REQUEST: u8 = 1;

/// A frame to everybody that asks who has `target`.
pub(super) fn question(mac: Mac, own: Ipv4Addr, target: Ipv4Addr) -> [u8; LENGTH] {
    let mut frame = [0; LENGTH];
    frame[..6].fill(0xff);
    frame[6..12].copy_from_slice(&mac);
    frame[12..14].copy_from_slice(&[0x08, 0x06]);
    frame[14..20].copy_from_slice(&IPV4_OVER_ETHERNET);
    frame[21] = REQUEST;
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&own.octets());
    frame[38..42].copy_from_slice(&target.octets());
    frame
}

/// Who says in `frame` that it has `target`.
pub(super) fn owner(frame: &[u8], target: Ipv4Addr) -> Option<Mac> {
    let frame = frame.get(..LENGTH)?;
    let speaks_arp = frame[12..14] == [0x08, 0x06] && frame[14..20] == IPV4_OVER_ETHERNET;
    let has_it = frame[28..32] == target.octets();
    (speaks_arp && has_it).then(|| frame[22..28].try_into().ok()).flatten()
}

/// As `ip link` writes it.
pub(super) fn words(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_names_itself_as_the_sender_of_the_address_has_it() {
        let (mac, vip, other) = ([2, 0, 0, 0, 0, 7], Ipv4Addr::new(192, 168, 0, 32), Ipv4Addr::new(192, 168, 0, 50));
        assert_eq!(owner(&question(mac, vip, other), vip), Some(mac));
        assert_eq!(owner(&question(mac, other, vip), vip), None, "a question claims nothing");
        assert_eq!(owner(&question(mac, vip, other)[..40], vip), None);
        assert_eq!(words(mac), "02:00:00:00:00:07");
    }
}
