//! The packets of the draft's appendix, and each octet of them that must not be changed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fmc_config::model::election::{Centiseconds, ChecksumForm, Password};
use fmc_config::model::vip::VirtualRouterId;
use proptest::prelude::*;

use super::*;
use crate::packet::{MAX_LEN, MULTICAST_GROUP, MULTICAST_GROUP_6};
use crate::priority::Priority;

/// 00 01 02 ... 1f, the key of the appendix.
const KEY: [u8; 32] = {
    let mut key = [0; 32];
    let mut at = 0;
    while at < 32 {
        key[at] = at as u8;
        at += 1;
    }
    key
};
const OTHER_KEY: [u8; 32] = [0xab; 32];
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
const SEQUENCE: Sequence = Sequence::from_bits(0x6800_0000_8000_0000);
const V3: Version = Version::V3(ChecksumForm::Message);

/// VRID 51, priority 200, one second, the checksum of the message alone.
const IPV4: [u8; 40] = [
    0x31, 0x33, 0xc8, 0x01, 0x00, 0x64, 0x44, 0x02, 0xc0, 0x00, 0x02, 0x64, 0x01, 0x01, 0x00, 0x00, 0x68, 0x00, 0x00,
    0x00, 0x80, 0x00, 0x00, 0x00, 0x1b, 0x84, 0xbc, 0x4e, 0x8e, 0x43, 0x89, 0x2d, 0xc6, 0xd9, 0x84, 0x48, 0xf8, 0xee,
    0x22, 0x65,
];
/// The same for fe80::100, from fe80::10.
const IPV6: [u8; 52] = [
    0x31, 0x33, 0xc8, 0x01, 0x00, 0x64, 0xa2, 0xe9, 0xfe, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x01, 0x00, 0x01, 0x01, 0x00, 0x00, 0x68, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0xc8, 0xc5,
    0x61, 0x46, 0xeb, 0xfd, 0x66, 0xee, 0x10, 0xec, 0x4d, 0x81, 0x86, 0x46, 0x1b, 0x78,
];

fn with(mode: AuthMode, keys: &[(u8, &[u8])]) -> Authenticator {
    Authenticator::new(mode, keys.iter().copied())
}

fn enforcing() -> Authenticator {
    with(AuthMode::Enforce, &[(1, &KEY)])
}

fn ip() -> IpMeta {
    IpMeta { ttl: 255, source: SOURCE, destination: MULTICAST_GROUP }
}

fn advertisement() -> Advertisement {
    let (id, interval) = (VirtualRouterId::new(51).unwrap(), Centiseconds::new(100).unwrap());
    Advertisement::of_one(id, Priority::new(200), interval, VIP)
}

fn signed(version: Version, keys: &Authenticator, sequence: Sequence) -> Vec<u8> {
    let mut out = [0xa5; MAX_LEN];
    let length = advertisement().encode(SOURCE, MULTICAST_GROUP, version, &mut out);
    let length = keys.sign((SOURCE, MULTICAST_GROUP), sequence, length, &mut out);
    out[..length].to_vec()
}

fn fault(version: Version, keys: Option<&Authenticator>, bytes: &[u8]) -> Option<Discarded> {
    decode(&ip(), version, keys, bytes).err()
}

/// Proves V-102+.
/// Shows B-34.
#[test]
fn the_packet_of_the_appendix_is_what_we_send_and_what_we_take() {
    assert_eq!(signed(V3, &enforcing(), SEQUENCE), IPV4);
    let (received, sequence) = decode(&ip(), V3, Some(&enforcing()), &IPV4).unwrap();
    assert_eq!((received.advertisement, sequence), (advertisement(), Some(SEQUENCE)));
}

/// Proves V-102+.
#[test]
fn the_signature_of_the_appendix_over_ipv6_is_right() {
    let (message, trailer) = IPV6.split_last_chunk().unwrap();
    let source: Ipv6Addr = "fe80::10".parse().unwrap();
    assert_eq!(enforcing().verify(source.into(), message, trailer), Ok(SEQUENCE));
    let other: Ipv6Addr = "fe80::20".parse().unwrap();
    assert_eq!(enforcing().verify(other.into(), message, trailer), Err(SignatureFault::Wrong));
}

/// Proves V-102+.
#[test]
fn over_ipv6_the_checksum_is_that_of_the_whole_packet_and_the_signature_of_every_copy() {
    let source: IpAddr = "fe80::10".parse::<Ipv6Addr>().unwrap().into();
    let vip: IpAddr = "fe80::100".parse::<Ipv6Addr>().unwrap().into();
    let (id, interval) = (VirtualRouterId::new(51).unwrap(), Centiseconds::new(100).unwrap());
    let advertisement = Advertisement::of_one(id, Priority::new(200), interval, vip);
    let version = Version::V3(ChecksumForm::PseudoHeader);
    for destination in [MULTICAST_GROUP_6, "fd00::31".parse().unwrap()] {
        let mut out = [0; MAX_LEN];
        let length = advertisement.encode(source, destination, version, &mut out);
        let length = enforcing().sign((source, destination), SEQUENCE, length, &mut out);
        assert_eq!(out[24..length], IPV6[24..], "the trailer of the appendix");
        let IpAddr::V6(from) = source else { unreachable!() };
        let IpAddr::V6(to) = destination else { unreachable!() };
        let sum = pnet::util::ipv6_checksum(
            &out[..length],
            3,
            &[],
            &from,
            &to,
            pnet::packet::ip::IpNextHeaderProtocols::Vrrp,
        );
        assert_eq!(out[6..8], sum.to_be_bytes());
        let ip = IpMeta { ttl: 255, source, destination };
        let (received, sequence) = decode(&ip, version, Some(&enforcing()), &out[..length]).unwrap();
        assert_eq!((received.advertisement, sequence), (advertisement.clone(), Some(SEQUENCE)));
    }
}

/// Proves V-102-.
#[test]
fn every_octet_but_those_of_the_checksum_is_signed() {
    let (message, trailer) = IPV4.split_last_chunk::<LENGTH>().unwrap();
    for at in 0..IPV4.len() {
        let mut changed = IPV4;
        changed[at] ^= 1;
        let (changed_message, changed_trailer) = changed.split_last_chunk().unwrap();
        let verified = enforcing().verify(SOURCE, changed_message, changed_trailer);
        let expected = match at {
            _ if CHECKSUM.contains(&at) => Ok(SEQUENCE),
            12 | 14 | 15 => Err(SignatureFault::Malformed),
            13 => Err(SignatureFault::UnknownKey(0)),
            _ => Err(SignatureFault::Wrong),
        };
        assert_eq!(verified, expected, "octet {at}");
    }
    let another_host = [198, 51, 100, 11].into();
    assert_eq!(enforcing().verify(another_host, message, trailer), Err(SignatureFault::Wrong));
}

/// Proves V-102-.
#[test]
fn what_is_unsigned_signed_otherwise_or_not_awaited_is_discarded_by_its_own_name() {
    let (message, _) = IPV4.split_last_chunk::<LENGTH>().unwrap();
    let other = with(AuthMode::Enforce, &[(1, &OTHER_KEY)]);
    let second = with(AuthMode::Enforce, &[(2, &KEY)]);
    for (keys, bytes, expected) in [
        (Some(&enforcing()), message, SignatureFault::Missing),
        (Some(&other), &IPV4[..], SignatureFault::Wrong),
        (Some(&second), &IPV4[..], SignatureFault::UnknownKey(1)),
        (None, &IPV4[..], SignatureFault::NotAwaited),
    ] {
        assert_eq!(fault(V3, keys, bytes), Some(expected.into()));
    }
    assert_eq!(fault(V3, Some(&enforcing()), &IPV4[..39]), Some(Discarded::Length(39)), "no part of a trailer is one");
}

/// Proves V-102+.
#[test]
fn each_mode_sends_and_takes_what_its_name_says() {
    let (message, _) = IPV4.split_last_chunk::<LENGTH>().unwrap();
    for (mode, signs, takes_unsigned) in
        [(AuthMode::ReceiveOnly, false, true), (AuthMode::Permissive, true, true), (AuthMode::Enforce, true, false)]
    {
        let keys = with(mode, &[(1, &KEY)]);
        assert_eq!(signed(V3, &keys, SEQUENCE).len(), if signs { 40 } else { 12 }, "{mode:?}");
        assert_eq!(fault(V3, Some(&keys), message).is_none(), takes_unsigned, "{mode:?}");
        assert_eq!(fault(V3, Some(&keys), &IPV4), None, "{mode:?} takes what is signed");
        let forged = fault(V3, Some(&with(mode, &[(1, &OTHER_KEY)])), &IPV4);
        assert_eq!(forged, Some(SignatureFault::Wrong.into()), "{mode:?} takes nothing that is forged");
    }
}

/// Proves V-102+.
#[test]
fn a_key_is_replaced_in_three_steps_and_each_step_understands_the_one_before() {
    let steps: [&[(u8, &[u8])]; 4] =
        [&[(1, &KEY)], &[(1, &KEY), (2, &OTHER_KEY)], &[(2, &OTHER_KEY), (1, &KEY)], &[(2, &OTHER_KEY)]];
    let nodes = steps.map(|keys| with(AuthMode::Enforce, keys));
    for pair in nodes.windows(2) {
        for (from, to) in [(&pair[0], &pair[1]), (&pair[1], &pair[0])] {
            assert_eq!(fault(V3, Some(to), &signed(V3, from, SEQUENCE)), None);
        }
    }
    assert!(fault(V3, Some(&nodes[3]), &signed(V3, &nodes[0], SEQUENCE)).is_some(), "the old key is worth nothing");
}

#[test]
fn an_advertisement_of_version_2_is_signed_behind_its_authentication_data() {
    let v2 = Version::V2(None);
    let bytes = signed(v2, &enforcing(), SEQUENCE);
    assert_eq!((bytes.len(), &bytes[12..20]), (48, &[0; 8][..]));
    assert_eq!(decode(&ip(), v2, Some(&enforcing()), &bytes).unwrap().1, Some(SEQUENCE));
    assert_eq!(fault(v2, None, &bytes), Some(SignatureFault::NotAwaited.into()));
    let password = Version::V2(Password::new("labpair"));
    assert!(matches!(fault(password, Some(&enforcing()), &bytes), Some(Discarded::AuthenticationType { .. })));
}

proptest! {
    #[test]
    fn no_octets_make_decode_panic(ttl: u8, bytes in proptest::collection::vec(any::<u8>(), 0..96)) {
        let ip = IpMeta { ttl, ..ip() };
        prop_assert!(decode(&ip, V3, Some(&enforcing()), &bytes).is_err());
    }

    #[test]
    fn nobody_without_the_key_makes_a_packet_that_is_taken(trailer: [u8; LENGTH]) {
        let mut bytes = IPV4.to_vec();
        bytes[12..].copy_from_slice(&trailer);
        prop_assume!(bytes != IPV4);
        prop_assert!(decode(&ip(), V3, Some(&enforcing()), &bytes).is_err());
    }
}
