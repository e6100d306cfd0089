//! What is accepted has a checksum that pnet agrees with, and encodes to the same octets but for the reserved bits; in both versions and
//! over both families.

#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fmc_config::model::election::{AuthMode, ChecksumForm, Password, Version};
use fmc_vrrp::packet::auth_hmac::{self, Authenticator};
use fmc_vrrp::packet::{Advertisement, IpMeta, MAX_LEN, TTL};
use libfuzzer_sys::fuzz_target;
use pnet::packet::ip::IpNextHeaderProtocols::Vrrp;
use pnet::util::{checksum, ipv4_checksum, ipv6_checksum};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 30);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const SOURCE_6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x30);
const GROUP_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
const OVER_4: IpMeta = IpMeta { ttl: TTL, source: IpAddr::V4(SOURCE), destination: IpAddr::V4(GROUP) };
const OVER_6: IpMeta = IpMeta { ttl: TTL, source: IpAddr::V6(SOURCE_6), destination: IpAddr::V6(GROUP_6) };

/// A random packet has one chance in 32,768 to sum up, so every input is tried with its checksum made right as well.
fn repaired(ip: &IpMeta, input: &[u8], form: ChecksumForm) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if bytes.len() >= 8 {
        let sum = right(ip, &bytes, form);
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

fn right(ip: &IpMeta, bytes: &[u8], form: ChecksumForm) -> u16 {
    match form {
        ChecksumForm::PseudoHeader if ip.source.is_ipv6() => ipv6_checksum(bytes, 3, &[], &SOURCE_6, &GROUP_6, Vrrp),
        ChecksumForm::PseudoHeader => ipv4_checksum(bytes, 3, &[], &SOURCE, &GROUP, Vrrp),
        ChecksumForm::Message => checksum(bytes, 3),
    }
}

fn judge(ip: &IpMeta, bytes: &[u8], version: Version) {
    let Ok(received) = Advertisement::decode(ip, version, bytes) else { return };
    let expected = right(ip, bytes, received.checksum);
    // In ones' complement 0xffff is another zero (RFC 1071), and receivers that sum to verify accept both.
    let zeros = [0, 0xffff];
    let carried = u16::from_be_bytes([bytes[6], bytes[7]]);
    assert!(carried == expected || zeros.contains(&carried) && zeros.contains(&expected));

    let mut again = [0; MAX_LEN];
    let sent_as = match version {
        Version::V3(_) => Version::V3(received.checksum),
        Version::V2(_) => version,
    };
    let length = received.advertisement.encode(ip.source, ip.destination, sent_as, &mut again);
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

fn judge_over(ip: &IpMeta, input: &[u8], version: Version) {
    judge(ip, input, version);
    judge(ip, &repaired(ip, input, ChecksumForm::PseudoHeader), version);
    judge(ip, &repaired(ip, input, ChecksumForm::Message), version);
    let keys = Authenticator::new(AuthMode::Enforce, [(1, &[7; 32][..])]);
    assert!(auth_hmac::decode(ip, version, Some(&keys), input).is_err(), "nobody has the key");
}

fuzz_target!(|input: &[u8]| {
    let version_3 = Version::V3(ChecksumForm::PseudoHeader);
    for version in [version_3, Version::V2(None), Version::V2(Password::new("labpair"))] {
        judge_over(&OVER_4, input, version);
    }
    judge_over(&OVER_6, input, version_3);
});
