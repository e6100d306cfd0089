//! VRRPv2 as Keepalived 2.2.7 sends it with `auth_type PASS`.

use fmc_config::model::election::Password;

use super::*;

/// Captured; tshark says that the checksums are right.
const ADVERT: [u8; 20] = [
    0x21, 0x33, 0x96, 0x01, 0x01, 0x01, 0x18, 0x19, 0xc0, 0x00, 0x02, 0x64, 0x73, 0x33, 0x63, 0x72, 0x65, 0x74, 0x31,
    0x32,
];
const RESIGNATION: [u8; 20] = [
    0x21, 0x33, 0x00, 0x01, 0x01, 0x01, 0xae, 0x19, 0xc0, 0x00, 0x02, 0x64, 0x73, 0x33, 0x63, 0x72, 0x65, 0x74, 0x31,
    0x32,
];

fn with_password(text: &str) -> Version {
    Version::V2(Password::new(text))
}

/// The captured packet with one octet changed and its checksum, of the message alone, made right again.
fn altered(offset: usize, octet: u8) -> [u8; 20] {
    let mut bytes = ADVERT;
    bytes[offset] = octet;
    summed(bytes)
}

fn summed<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    bytes[CHECKSUM].fill(0);
    let sum = pnet_message(&bytes, 3);
    bytes[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Proves V-12, V-14, V-59+.
#[test]
fn captured_packets_encode_to_the_same_octets_and_decode_to_what_they_say() {
    let version = with_password("s3cret12");
    for (priority, captured) in [(150, ADVERT), (0, RESIGNATION)] {
        let expected = advertisement(priority, 100);
        let mut out = [0xa5; 40];
        let written = expected.encode(H1, MULTICAST_GROUP, version, &mut out);
        assert_eq!(out[..written], captured);
        let received = Advertisement::decode(&multicast(255), version, &captured).unwrap();
        assert_eq!(received, Received { advertisement: expected, checksum: ChecksumForm::Message });
    }
}

/// Proves V-12, V-59+.
#[test]
fn without_a_password_eight_octets_of_zero_follow_all_the_same_and_are_not_looked_at() {
    let mut out = [0xa5; 40];
    let written = advertisement(150, 100).encode(H1, MULTICAST_GROUP, Version::V2(None), &mut out);
    assert_eq!((written, &out[4..6], &out[12..20]), (20, &[0, 1][..], &[0; 8][..]));
    let mut filled: [u8; 20] = out[..20].try_into().unwrap();
    filled[12..].fill(0x77);
    assert!(Advertisement::decode(&multicast(255), Version::V2(None), &summed(filled)).is_ok());
}

/// Proves V-14, V-50-, V-51, V-52, V-53-, V-54, V-56, V-57, V-59-, V-95.
#[test]
fn each_rule_discards_by_its_own_name() {
    let version = with_password("s3cret12");
    let none = Version::V2(None);
    let mut with_pseudo_header = ADVERT;
    with_pseudo_header[CHECKSUM].fill(0);
    let sum = checksum::of(ChecksumForm::PseudoHeader, H1, MULTICAST_GROUP, &with_pseudo_header);
    with_pseudo_header[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    let no_address: [u8; 16] = {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&[0x21, 0x33, 0x96, 0, 1, 1, 0, 0]);
        bytes[8..].copy_from_slice(b"s3cret12");
        summed(bytes)
    };
    let cases: [(&str, u8, Version, &[u8], Discarded); 12] = [
        ("ttl", 254, version, &ADVERT, Discarded::Ttl(254)),
        ("version 3", 255, version, &GOLDEN[0].bytes, Discarded::Version { theirs: 3, ours: 2 }),
        ("type", 255, version, &altered(0, 0x22), Discarded::Type(2)),
        ("without authentication data", 255, version, &ADVERT[..12], Discarded::Length(12)),
        ("count beyond the packet", 255, version, &altered(3, 2), Discarded::Length(20)),
        ("checksum with a pseudo-header", 255, version, &with_pseudo_header, Discarded::Checksum),
        ("no password expected", 255, none, &ADVERT, Discarded::AuthenticationType { theirs: 1, ours: 0 }),
        ("no password sent", 255, version, &altered(4, 0), Discarded::AuthenticationType { theirs: 0, ours: 1 }),
        ("authentication header", 255, version, &altered(4, 2), Discarded::AuthenticationType { theirs: 2, ours: 1 }),
        ("last octet of the password", 255, version, &altered(19, 0x33), Discarded::Password),
        ("no address", 255, version, &no_address, Discarded::AddressList),
        ("interval 0", 255, version, &altered(5, 0), Discarded::Interval),
    ];
    for (name, ttl, version, bytes, expected) in cases {
        assert_eq!(Advertisement::decode(&multicast(ttl), version, bytes), Err(expected), "{name}");
    }
}

/// Proves V-59-.
#[test]
fn a_password_that_is_a_beginning_of_ours_is_another() {
    let mut out = [0; 40];
    let sent = advertisement(150, 100);
    let length = sent.encode(H1, MULTICAST_GROUP, with_password("s3cret1"), &mut out);
    let heard = Advertisement::decode(&multicast(255), with_password("s3cret12"), &out[..length]);
    assert_eq!(heard, Err(Discarded::Password));
}

proptest! {
    #[test]
    fn decode_of_encode_is_the_same(sent in any_advertisement(), password in "[!-~]{1,8}") {
        let sent = Advertisement { interval: Centiseconds::new(100).unwrap(), ..sent };
        let version = with_password(&password);
        let mut bytes = [0xff; MAX_LEN];
        let length = sent.encode(H1, MULTICAST_GROUP, version, &mut bytes);
        prop_assert_eq!(length, sent.len(version));
        let received = Advertisement::decode(&multicast(255), version, &bytes[..length]).unwrap();
        prop_assert_eq!(received.advertisement, sent);
    }

    #[test]
    fn no_octets_make_decode_panic(ttl: u8, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let decoded = Advertisement::decode(&multicast(ttl), Version::V2(None), &bytes);
        prop_assert!(decoded.is_err() || bytes.len() >= 20);
    }
}
