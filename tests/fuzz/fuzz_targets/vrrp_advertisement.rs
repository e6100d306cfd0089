//! What is accepted has a checksum that pnet agrees with, and encodes to the same octets but for the reserved bits.

#![no_main]

use std::net::Ipv4Addr;

use fmc_config::model::election::ChecksumForm;
use fmc_vrrp::packet::{Advertisement, IpMeta, MAX_LEN, MULTICAST_GROUP, TTL};
use libfuzzer_sys::fuzz_target;
use pnet::packet::ip::IpNextHeaderProtocols::Vrrp;
use pnet::util::{checksum, ipv4_checksum};

const SOURCE: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 30);
const IP: IpMeta = IpMeta { ttl: TTL, source: SOURCE, destination: MULTICAST_GROUP };

/// A random packet has one chance in 32,768 to sum up, so every input is tried with its checksum made right as well.
fn repaired(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    if bytes.len() >= 8 {
        let sum = ipv4_checksum(&bytes, 3, &[], &SOURCE, &MULTICAST_GROUP, Vrrp);
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

fn judge(bytes: &[u8]) {
    let Ok(received) = Advertisement::decode(&IP, bytes) else { return };
    let expected = match received.checksum {
        ChecksumForm::PseudoHeader => ipv4_checksum(bytes, 3, &[], &SOURCE, &MULTICAST_GROUP, Vrrp),
        ChecksumForm::Message => checksum(bytes, 3),
    };
    // In ones' complement 0xffff is another zero (RFC 1071), and receivers that sum to verify accept both.
    let zeros = [0, 0xffff];
    let carried = u16::from_be_bytes([bytes[6], bytes[7]]);
    assert!(carried == expected || zeros.contains(&carried) && zeros.contains(&expected));

    let mut again = [0; MAX_LEN];
    let length = received.advertisement.encode(SOURCE, MULTICAST_GROUP, received.checksum, &mut again);
    assert_eq!(length, bytes.len());
    assert_eq!(again[..4], bytes[..4]);
    assert_eq!(again[4..6], [bytes[4] & 0x0f, bytes[5]]);
    assert_eq!(again[8..length], bytes[8..]);
}

fuzz_target!(|input: &[u8]| {
    judge(input);
    judge(&repaired(input));
});
