//! The layout of a heartbeat: bytes to value and back, without judging whether it is fresh or genuine. [core]

use std::net::IpAddr;
use std::ops::Range;

use super::session::Rejected;
use super::{Heartbeat, PeerReport};
use crate::packet::sequence::Sequence;
use crate::priority::Priority;
use crate::router::role::Role;
use crate::tier::Tier;

pub(super) const HEADER_LEN: usize = 56;
/// An entry of IPv4.
pub(super) const ENTRY_LEN: usize = 12;
/// An entry of IPv6.
const LONG_ENTRY_LEN: usize = 36;
/// HMAC-SHA256, not truncated.
pub(super) const TAG_LEN: usize = 32;

const MAGIC: Range<usize> = 0..4;
const VERSION: usize = 4;
const RANK: usize = 5;
const COUNT: usize = 6;
const FLAGS: usize = 7;
const SESSION: Range<usize> = 8..16;
const SEQUENCE: Range<usize> = 16..24;
const ECHO_SESSION: Range<usize> = 24..32;
const ECHO_SEQUENCE: Range<usize> = 32..40;
const CONFIG_HASH: Range<usize> = 40..48;
const ACCEPTED: Range<usize> = 48..56;

const THIS_MAGIC: [u8; 4] = *b"fmc+";
const THIS_VERSION: u8 = 2;
const SIGNED: u8 = 1;
const RECEIVER_SHIFT: u8 = 4;
const NOBODY: u8 = 255;
/// In the state of an entry: its addresses have sixteen octets.
const IS_IPV6: u8 = 1 << 5;

/// Everything but the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) rank: u8,
    /// Rank of the receiver: what was said to one node proves nothing to another.
    pub(super) to: u8,
    pub(super) count: u8,
    pub(super) signed: bool,
    pub(super) session: u64,
    pub(super) sequence: u64,
    pub(super) echo_session: u64,
    pub(super) echo_sequence: u64,
    pub(super) config_hash: u64,
    /// Of the receiver's signed advertisements, the newest that counted here.
    pub(super) accepted: Option<Sequence>,
}

impl Header {
    /// Octets of the tag.
    pub(super) fn tag_len(&self) -> usize {
        if self.signed { TAG_LEN } else { 0 }
    }

    pub(super) fn encode(&self, out: &mut [u8; HEADER_LEN]) {
        out[MAGIC].copy_from_slice(&THIS_MAGIC);
        out[VERSION] = THIS_VERSION;
        out[RANK] = self.rank;
        out[COUNT] = self.count;
        out[FLAGS] = (u8::from(self.signed) * SIGNED) | (self.to << RECEIVER_SHIFT);
        out[SESSION].copy_from_slice(&self.session.to_be_bytes());
        out[SEQUENCE].copy_from_slice(&self.sequence.to_be_bytes());
        out[ECHO_SESSION].copy_from_slice(&self.echo_session.to_be_bytes());
        out[ECHO_SEQUENCE].copy_from_slice(&self.echo_sequence.to_be_bytes());
        out[CONFIG_HASH].copy_from_slice(&self.config_hash.to_be_bytes());
        out[ACCEPTED].copy_from_slice(&self.accepted.map_or(0, Sequence::bits).to_be_bytes());
    }

    /// Reads a header whose datagram is exactly as long as it says.
    pub(super) fn decode(datagram: &[u8]) -> Result<Self, Rejected> {
        let bytes: &[u8; HEADER_LEN] = datagram.first_chunk().ok_or(Rejected::Length)?;
        if bytes[MAGIC] != THIS_MAGIC {
            return Err(Rejected::Magic);
        }
        if bytes[VERSION] != THIS_VERSION {
            return Err(Rejected::Version);
        }
        let header = Self {
            rank: bytes[RANK],
            to: bytes[FLAGS] >> RECEIVER_SHIFT,
            count: bytes[COUNT],
            signed: bytes[FLAGS] & SIGNED != 0,
            session: read(bytes, SESSION),
            sequence: read(bytes, SEQUENCE),
            echo_session: read(bytes, ECHO_SESSION),
            echo_sequence: read(bytes, ECHO_SEQUENCE),
            config_hash: read(bytes, CONFIG_HASH),
            accepted: Some(read(bytes, ACCEPTED)).filter(|bits| *bits != 0).map(Sequence::from_bits),
        };
        let body = entries_end(datagram, header.count);
        let is_whole = body.is_some_and(|body| body + header.tag_len() == datagram.len());
        if is_whole { Ok(header) } else { Err(Rejected::Length) }
    }

    /// The value, from the entries behind the header.
    pub(super) fn heartbeat(&self, mut entries: &[u8]) -> Result<Heartbeat, Rejected> {
        // Unsigned, anybody could say it and have us skip to the end of the sequence.
        let accepted = self.accepted.filter(|_| self.signed);
        let virtual_routers = Default::default();
        let mut heartbeat = Heartbeat { rank: self.rank, config_hash: self.config_hash, accepted, virtual_routers };
        for _ in 0..self.count {
            let (entry, rest) =
                entry_len(entries).and_then(|length| entries.split_at_checked(length)).ok_or(Rejected::Length)?;
            heartbeat.virtual_routers.try_push(decode_entry(entry)?).map_err(|_| Rejected::Malformed)?;
            entries = rest;
        }
        Ok(heartbeat)
    }
}

fn read(bytes: &[u8; HEADER_LEN], range: Range<usize>) -> u64 {
    bytes[range].iter().fold(0, |value, &octet| (value << 8) | u64::from(octet))
}

/// Octets of the entry that begins here.
fn entry_len(entries: &[u8]) -> Option<usize> {
    entries.get(1).map(|state| if state & IS_IPV6 == 0 { ENTRY_LEN } else { LONG_ENTRY_LEN })
}

/// Where the last of so many entries ends, when all are there.
fn entries_end(datagram: &[u8], count: u8) -> Option<usize> {
    (0..count).try_fold(HEADER_LEN, |end, _| {
        let next = end + entry_len(datagram.get(end..)?)?;
        (next <= datagram.len()).then_some(next)
    })
}

/// Octets of the entry of a virtual router of `address`.
pub(super) fn len_of(address: IpAddr) -> usize {
    if address.is_ipv6() { LONG_ENTRY_LEN } else { ENTRY_LEN }
}

/// Writes an entry in front of `out` and returns what is behind it.
pub(super) fn encode_entry<'a>(report: &PeerReport, out: &'a mut [u8]) -> &'a mut [u8] {
    let (out, rest) = out.split_at_mut(len_of(report.address));
    let state = role_bits(report.role) | (tier_bits(report.tier) << 2) | (u8::from(report.serving) << 4);
    out[0] = report.virtual_router_id;
    out[1] = state | if report.address.is_ipv6() { IS_IPV6 } else { 0 };
    out[2] = report.priority.get();
    out[3] = report.claim.unwrap_or(NOBODY);
    let addresses = &mut out[4..];
    let (address, source) = addresses.split_at_mut(addresses.len() / 2);
    write_address(report.address, address);
    write_address(report.source, source);
    rest
}

/// One of the other family than its virtual router is nothing that a node says: it stays zero.
fn write_address(address: IpAddr, out: &mut [u8]) {
    match address {
        IpAddr::V4(address) if out.len() == 4 => out.copy_from_slice(&address.octets()),
        IpAddr::V6(address) if out.len() == 16 => out.copy_from_slice(&address.octets()),
        IpAddr::V4(_) | IpAddr::V6(_) => out.fill(0),
    }
}

fn read_address(octets: &[u8]) -> Result<IpAddr, Rejected> {
    match octets.first_chunk::<16>() {
        Some(octets) => Ok(IpAddr::from(*octets)),
        None => octets.first_chunk::<4>().map(|octets| IpAddr::from(*octets)).ok_or(Rejected::Length),
    }
}

fn decode_entry(entry: &[u8]) -> Result<PeerReport, Rejected> {
    let ([id, state, priority, claim], addresses) = entry.split_first_chunk().ok_or(Rejected::Length)?;
    if *id == 0 || state >> 6 != 0 {
        return Err(Rejected::Malformed);
    }
    let (address, source) = addresses.split_at(addresses.len() / 2);
    Ok(PeerReport {
        virtual_router_id: *id,
        address: read_address(address)?,
        source: read_address(source)?,
        role: role(state & 3),
        tier: tier(state >> 2 & 3).ok_or(Rejected::Malformed)?,
        serving: state >> 4 & 1 == 1,
        priority: Priority::new(*priority),
        claim: (*claim != NOBODY).then_some(*claim),
    })
}

const fn role_bits(role: Role) -> u8 {
    match role {
        Role::Initialize => 0,
        Role::Backup => 1,
        Role::Active => 2,
        Role::Leaving => 3,
    }
}

const fn role(bits: u8) -> Role {
    match bits {
        0 => Role::Initialize,
        1 => Role::Backup,
        2 => Role::Active,
        _ => Role::Leaving,
    }
}

const fn tier_bits(tier: Tier) -> u8 {
    match tier {
        Tier::Unfit => 0,
        Tier::Degraded => 1,
        Tier::Fit => 2,
    }
}

const fn tier(bits: u8) -> Option<Tier> {
    match bits {
        0 => Some(Tier::Unfit),
        1 => Some(Tier::Degraded),
        2 => Some(Tier::Fit),
        _ => None,
    }
}
