//! The layout of a heartbeat: bytes to value and back, without judging whether it is fresh or genuine. [core]

use std::net::Ipv4Addr;
use std::ops::Range;

use super::session::Rejected;
use super::{Heartbeat, PeerReport};
use crate::packet::sequence::Sequence;
use crate::priority::Priority;
use crate::router::role::Role;
use crate::tier::Tier;

pub(super) const HEADER_LEN: usize = 56;
pub(super) const ENTRY_LEN: usize = 12;
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
    /// Octets before the tag.
    pub(super) fn body_len(&self) -> usize {
        HEADER_LEN + usize::from(self.count) * ENTRY_LEN
    }

    /// Octets of the whole datagram.
    pub(super) fn datagram_len(&self) -> usize {
        self.body_len() + if self.signed { TAG_LEN } else { 0 }
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
        if datagram.len() == header.datagram_len() { Ok(header) } else { Err(Rejected::Length) }
    }

    /// The value, from the entries behind the header.
    pub(super) fn heartbeat(&self, entries: &[u8]) -> Result<Heartbeat, Rejected> {
        // Unsigned, anybody could say it and have us skip to the end of the sequence.
        let accepted = self.accepted.filter(|_| self.signed);
        let virtual_routers = Default::default();
        let mut heartbeat = Heartbeat { rank: self.rank, config_hash: self.config_hash, accepted, virtual_routers };
        for entry in entries.as_chunks().0 {
            heartbeat.virtual_routers.try_push(decode_entry(entry)?).map_err(|_| Rejected::Malformed)?;
        }
        Ok(heartbeat)
    }
}

fn read(bytes: &[u8; HEADER_LEN], range: Range<usize>) -> u64 {
    bytes[range].iter().fold(0, |value, &octet| (value << 8) | u64::from(octet))
}

pub(super) fn encode_entry(report: &PeerReport, out: &mut [u8; ENTRY_LEN]) {
    let state = role_bits(report.role) | (tier_bits(report.tier) << 2) | (u8::from(report.serving) << 4);
    out[0] = report.virtual_router_id;
    out[1] = state;
    out[2] = report.priority.get();
    out[3] = report.claim.unwrap_or(NOBODY);
    out[4..8].copy_from_slice(&report.address.octets());
    out[8..12].copy_from_slice(&report.source.octets());
}

fn decode_entry(entry: &[u8; ENTRY_LEN]) -> Result<PeerReport, Rejected> {
    let [id, state, priority, claim, a, b, c, d, e, f, g, h] = *entry;
    if id == 0 || state >> 5 != 0 {
        return Err(Rejected::Malformed);
    }
    Ok(PeerReport {
        virtual_router_id: id,
        address: Ipv4Addr::new(a, b, c, d),
        source: Ipv4Addr::new(e, f, g, h),
        role: role(state & 3),
        tier: tier(state >> 2 & 3).ok_or(Rejected::Malformed)?,
        serving: state >> 4 & 1 == 1,
        priority: Priority::new(priority),
        claim: (claim != NOBODY).then_some(claim),
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
