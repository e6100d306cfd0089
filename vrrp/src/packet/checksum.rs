//! The Internet checksum in the two forms of VRRPv3 over IPv4. [core]
//!
//! RFC 5798 §5.2.8 sums a pseudo-header too, and that is what Keepalived and FRR send and want; RFC 9568 §5.2.8 sums the
//! message alone. They are told apart by trying.

use std::net::Ipv4Addr;

use fmc_config::model::election::ChecksumForm;

use super::IP_PROTOCOL;

/// The checksum of `message`, whose checksum field is zero, as it goes from `source` to `destination`.
pub(super) fn of(form: ChecksumForm, source: Ipv4Addr, destination: Ipv4Addr, message: &[u8]) -> u16 {
    !fold(sum(message) + extra(form, source, destination, message.len()))
}

/// The form in which the checksum of `message` is right, if any.
pub(super) fn recognise(source: Ipv4Addr, destination: Ipv4Addr, message: &[u8]) -> Option<ChecksumForm> {
    let message_sum = sum(message);
    let right = |form: &ChecksumForm| fold(message_sum + extra(*form, source, destination, message.len())) == 0xffff;
    [ChecksumForm::PseudoHeader, ChecksumForm::Message].into_iter().find(right)
}

fn extra(form: ChecksumForm, source: Ipv4Addr, destination: Ipv4Addr, len: usize) -> u64 {
    match form {
        ChecksumForm::Message => 0,
        ChecksumForm::PseudoHeader => {
            sum(&source.octets()) + sum(&destination.octets()) + u64::from(IP_PROTOCOL) + len as u64
        }
    }
}

/// The unfolded sum of 16-bit words; an odd last octet counts as a high one (RFC 1071 §4.1).
fn sum(bytes: &[u8]) -> u64 {
    let (words, odd) = bytes.as_chunks::<2>();
    let words: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    words + odd.first().map_or(0, |&octet| u64::from(octet) << 8)
}

/// Carries are added back until none is left (RFC 1071 §1).
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
