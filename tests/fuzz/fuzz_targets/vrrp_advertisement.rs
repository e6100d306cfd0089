//! What is accepted has a checksum that pnet agrees with, and encodes to the same octets but for the reserved bits; in both versions.

#![no_main]

use std::net::Ipv4Addr;

use fmc_config::model::election::{AuthMode, ChecksumForm, Password, Version};
use fmc_vrrp::packet::auth_hmac::{self, Authenticator};
use fmc_vrrp::packet::{Advertisement, IpMeta, MAX_LEN, MULTICAST_GROUP, TTL};
use libfuzzer_sys::fuzz_target;
use pnet::packet::ip::IpNextHeaderProtocols::Vrrp;
use pnet::util::{checksum, ipv4_checksum};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 30);
const IP: IpMeta = IpMeta { ttl: TTL, source: SOURCE, destination: MULTICAST_GROUP };

/// A random packet has one chance in 32,768 to sum up, so every input is tried with its checksum made right as well.
fn repaired(input: &[u8], form: ChecksumForm) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if bytes.len() >= 8 {
        let sum = right(&bytes, form);
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

fn right(bytes: &[u8], form: ChecksumForm) -> u16 {
    match form {
        ChecksumForm::PseudoHeader => ipv4_checksum(bytes, 3, &[], &SOURCE, &MULTICAST_GROUP, Vrrp),
        ChecksumForm::Message => checksum(bytes, 3),
    }
}

fn judge(bytes: &[u8], version: Version) {
    let Ok(received) = Advertisement::decode(&IP, version, bytes) else { return };
    let expected = right(bytes, received.checksum);
    // In ones' complement 0xffff is another zero (RFC 1071), and receivers that sum to verify accept both.
    let zeros = [0, 0xffff];
    let carried = u16::from_be_bytes([bytes[6], bytes[7]]);
    assert!(carried == expected || zeros.contains(&carried) && zeros.contains(&expected));

    let mut again = [0; MAX_LEN];
    let sent_as = match version {
        Version::V3(_) => Version::V3(received.checksum),
        Version::V2(_) => version,
    };
    let length = received.advertisement.encode(SOURCE, MULTICAST_GROUP, sent_as, &mut again);
    assert_eq!(length, bytes.len());
    assert_eq!(again[..4], bytes[..4]);
    match version {
        Version::V3(_) => assert_eq!(again[4..6], [bytes[4] & 0x0f, bytes[5]]),
        // Intervals beyond our longest stand for it: they are discarded for differing from ours.
        Version::V2(_) => assert!(again[4] == bytes[4] && again[5] == bytes[5].min(41)),
    }
    let compared = if version == Version::V2(None) { length - Password::LENGTH } else { length };
    assert_eq!(again[8..compared], bytes[8..compared]);
}

fuzz_target!(|input: &[u8]| {
    for version in [Version::V3(ChecksumForm::PseudoHeader), Version::V2(None), Version::V2(Password::new("labpair"))] {
        judge(input, version);
        judge(&repaired(input, ChecksumForm::PseudoHeader), version);
        judge(&repaired(input, ChecksumForm::Message), version);
        let keys = Authenticator::new(AuthMode::Enforce, [(1, &[7; 32][..])]);
        assert!(auth_hmac::decode(&IP, version, Some(&keys), input).is_err(), "nobody has the key");
    }
});
