//! The Internet checksum of VRRP, with a pseudo-header and without. [core]
//!
//! Of VRRPv3 over IPv4 there are two forms: RFC 5798 §5.2.8 sums a pseudo-header too, and that is what Keepalived and FRR send and
//! want; RFC 9568 §5.2.8 sums the message alone. They are told apart by trying. Over IPv6 there is the one with the pseudo-header
//! (RFC 8200 §8.1), whose next header is ours and whose length is that of the message.

use std::net::IpAddr;

use fmc_config::model::election::ChecksumForm;
use fmc_config::model::family::Family;

use super::IP_PROTOCOL;

/// The checksum of `message`, whose checksum field is zero, as it goes from `source` to `destination`.
pub(super) fn of(form: ChecksumForm, source: IpAddr, destination: IpAddr, message: &[u8]) -> u16 {
    !fold(sum(message) + extra(form, source, destination, message.len()))
}

/// The form in which the checksum of `message` is right, if any.
pub(super) fn recognise(source: IpAddr, destination: IpAddr, message: &[u8]) -> Option<ChecksumForm> {
    let message_sum = sum(message);
    let right = |form: &ChecksumForm| fold(message_sum + extra(*form, source, destination, message.len())) == 0xffff;
    let forms = [ChecksumForm::PseudoHeader, ChecksumForm::Message];
    let possible = if Family::of(source) == Family::V4 { &forms[..] } else { &forms[..1] };
    possible.iter().copied().find(right)
}

fn extra(form: ChecksumForm, source: IpAddr, destination: IpAddr, len: usize) -> u64 {
    match form {
        ChecksumForm::Message => 0,
        ChecksumForm::PseudoHeader => address(source) + address(destination) + u64::from(IP_PROTOCOL) + len as u64,
    }
}

fn address(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => sum(&address.octets()),
        IpAddr::V6(address) => sum(&address.octets()),
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
