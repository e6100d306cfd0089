//! VRRPv3 over IPv6, as Keepalived 2.2.7 sends it.

use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::util::ipv6_checksum;

use super::*;

const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 2);
const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const LINK_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x100));
const GLOBAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x100));
/// Captured; tshark says that the checksum is right.
const ADVERT: [u8; 40] = [
    0x31, 0x33, 0x64, 0x02, 0x00, 0x0a, 0x3f, 0x56, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00, 0x20,
    0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0x00,
];

fn ip(ttl: u8) -> IpMeta {
    IpMeta { ttl, source: SOURCE.into(), destination: MULTICAST_GROUP_6 }
}

fn of_both() -> Advertisement {
    let interval = Centiseconds::new(10).unwrap();
    Advertisement::of_one(id(51), Priority::new(100), interval, LINK_LOCAL).and(&[VIP, GLOBAL])
}

fn decode(ttl: u8, bytes: &[u8]) -> Result<Received, Discarded> {
    Advertisement::decode(&ip(ttl), V3, bytes)
}

/// Proves V-09+, V-17, V-26.
#[test]
fn a_captured_packet_encodes_to_the_same_octets_whatever_form_ipv4_has_and_without_an_address_of_the_other_family() {
    for form in [ChecksumForm::PseudoHeader, ChecksumForm::Message] {
        let mut out = [0xa5; 64];
        let written = of_both().encode(SOURCE.into(), MULTICAST_GROUP_6, Version::V3(form), &mut out);
        assert_eq!(out[..written], ADVERT);
        assert!(out[written..].iter().all(|&octet| octet == 0xa5), "wrote beyond its length");
    }
}

/// Proves V-17, V-50+.
#[test]
fn a_captured_packet_decodes() {
    let received = decode(255, &ADVERT).unwrap();
    assert_eq!((received.advertisement, received.checksum), (of_both(), ChecksumForm::PseudoHeader));
}

/// Proves V-17, V-50-, V-53-.
#[test]
fn each_rule_discards_by_its_own_name() {
    let mut of_the_message_alone = ADVERT;
    of_the_message_alone[CHECKSUM].fill(0);
    let sum = pnet_message(&of_the_message_alone, 3);
    of_the_message_alone[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    let cases: [(&str, u8, &[u8], Discarded); 4] = [
        ("hop limit", 254, &ADVERT, Discarded::Ttl(254)),
        ("an address cut", 255, &ADVERT[..39], Discarded::Length(39)),
        ("an address less", 255, &ADVERT[..24], Discarded::Length(24)),
        ("no pseudo-header", 255, &of_the_message_alone, Discarded::Checksum),
    ];
    for (name, ttl, bytes, expected) in cases {
        assert_eq!(decode(ttl, bytes), Err(expected), "{name}");
    }
}

/// Proves V-08, V-58.
#[test]
fn an_address_list_that_does_not_begin_with_a_link_local_address_is_taken() {
    let alone = Advertisement::of_one(id(51), Priority::new(100), Centiseconds::new(10).unwrap(), GLOBAL);
    let mut out = [0; 24];
    alone.encode(SOURCE.into(), MULTICAST_GROUP_6, V3, &mut out);
    assert_eq!(decode(255, &out).unwrap().advertisement, alone);
}

#[test]
fn an_observer_reads_it() {
    assert_eq!(Advertisement::glance(Family::V6, &ADVERT), Some(of_both()));
}

proptest! {
    #[test]
    fn decode_of_encode_is_the_same(sent in of_addresses(any::<Ipv6Addr>()), source: Ipv6Addr) {
        let mut bytes = [0xff; MAX_LEN];
        let length = sent.encode(source.into(), MULTICAST_GROUP_6, V3, &mut bytes);
        prop_assert_eq!(length, sent.len(V3));
        let ip = IpMeta { ttl: 255, source: source.into(), destination: MULTICAST_GROUP_6 };
        prop_assert_eq!(Advertisement::decode(&ip, V3, &bytes[..length]).unwrap().advertisement, sent);
    }

    #[test]
    fn the_checksum_is_what_pnet_computes(sent in of_addresses(any::<Ipv6Addr>()), source: Ipv6Addr) {
        let mut bytes = [0; MAX_LEN];
        let length = sent.encode(source.into(), MULTICAST_GROUP_6, V3, &mut bytes);
        let ours = u16::from_be_bytes([bytes[6], bytes[7]]);
        prop_assert_eq!(ours, ipv6_checksum(&bytes[..length], 3, &[], &source, &GROUP, IpNextHeaderProtocols::Vrrp));
    }

    #[test]
    fn no_octets_make_decode_panic(ttl: u8, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let decoded = decode(ttl, &bytes);
        prop_assert!(decoded.is_err() || bytes.len() >= 24);
    }
}
