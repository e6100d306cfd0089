//! The VRRPv3 advertisement over IPv4: bytes to value and back. [core]
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Reserve| Max Advertise Interval|          Checksum             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                       IPv4 Address(es)                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! RFC 9568 §5.1. Not implemented: IPv6 (§5.2.9) and VRRPv2, which are refused with [`Discarded::Version`] or never reach
//! this socket.

mod checksum;

use std::net::Ipv4Addr;
use std::ops::Range;

use arrayvec::ArrayVec;
use fmc_config::model::election::{Centiseconds, ChecksumForm};
use fmc_config::model::vip::VirtualRouterId;
use serde::{Deserialize, Serialize};

use crate::priority::Priority;

/// Where advertisements go (RFC 9568 §5.1.1.2).
pub const MULTICAST_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The IP protocol (RFC 9568 §5.1.1.4).
pub const IP_PROTOCOL: u8 = 112;
/// The only TTL that cannot have crossed a router (RFC 9568 §5.1.1.3).
pub const TTL: u8 = 255;
/// The count of addresses is one octet (RFC 9568 §5.2.5).
pub const MAX_ADDRESSES: usize = 255;
/// The longest advertisement: the header and [`MAX_ADDRESSES`].
pub const MAX_LEN: usize = HEADER_LEN + 4 * MAX_ADDRESSES;

const VERSION_TYPE: usize = 0;
const VIRTUAL_ROUTER_ID: usize = 1;
const PRIORITY: usize = 2;
const ADDRESS_COUNT: usize = 3;
const INTERVAL: Range<usize> = 4..6;
const CHECKSUM: Range<usize> = 6..8;
const HEADER_LEN: usize = 8;

const VERSION: u8 = 3;
const TYPE_ADVERTISEMENT: u8 = 1;
/// The low twelve bits; the reserved four are zero on send and ignored on receive (RFC 9568 §5.2.6).
const INTERVAL_MASK: u16 = 0x0fff;

/// One advertisement (RFC 9568 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advertisement {
    /// Which virtual router it speaks for.
    pub virtual_router_id: VirtualRouterId,
    /// The sender's priority; 0 resigns.
    pub priority: Priority,
    /// Max Advertise Interval: how often the sender advertises.
    pub interval: Centiseconds,
    /// The addresses of the virtual router in configured order; never empty on the wire.
    pub addresses: ArrayVec<Ipv4Addr, MAX_ADDRESSES>,
}

/// What the IP header said of a received packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpMeta {
    /// Time to live as it arrived.
    pub ttl: u8,
    /// Who sent it.
    pub source: Ipv4Addr,
    /// Whom it was sent to: [`MULTICAST_GROUP`], or one of our addresses.
    pub destination: Ipv4Addr,
}

/// An advertisement that passed every check, and the form of checksum its sender uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub advertisement: Advertisement,
    /// Which of the two checksums of VRRPv3 over IPv4 it carried.
    pub checksum: ChecksumForm,
}

/// Why a packet is discarded: one variant a rule of RFC 9568 §7.1. A discarded packet changes no state and no timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Discarded {
    /// It crossed a router, or was forged from beyond one (RFC 9568 §5.1.1.3).
    #[error("TTL is {0}, not 255: it did not come from this link")]
    Ttl(u8),
    /// VRRPv2, or nothing we know (RFC 9568 §5.2.1).
    #[error("VRRP version is {0}, not 3")]
    Version(u8),
    /// Not an advertisement (RFC 9568 §5.2.2).
    #[error("type is {0}, not 1 (ADVERTISEMENT)")]
    Type(u8),
    /// Shorter or longer than its address count says.
    #[error("{0} octets do not hold a header and the announced addresses exactly")]
    Length(u16),
    /// Neither the message nor the message with its pseudo-header sums up (RFC 9568 §5.2.8).
    #[error("the checksum is wrong in both forms")]
    Checksum,
    /// No virtual router of this interface has this identifier; 0 is nobody's (RFC 9568 §5.2.3).
    #[error("no virtual router {0} on this interface")]
    VirtualRouterId(u8),
    /// It names no address (RFC 9568 §5.2.5, erratum 8299).
    #[error("it names no address")]
    AddressList,
    /// An interval of zero would make a Backup claim at once (erratum 8301).
    #[error("the advertisement interval is zero")]
    Interval,
    /// Sent to us alone, though this virtual router speaks by multicast.
    #[error("it was sent to {0}, not to 224.0.0.18")]
    Destination(Ipv4Addr),
    /// Our own packet looped back, or another host uses our address.
    #[error("it came from our own address")]
    OwnAddress,
}

impl Discarded {
    /// Every counter that [`Self::counter`] can name, for a metrics table that shows zeros too.
    pub const COUNTERS: [&str; 10] = [
        "ip-ttl-errors",
        "version-errors",
        "invalid-type-pkts-rcvd",
        "packet-length-errors",
        "checksum-errors",
        "vrid-errors",
        "address-list-errors",
        "interval-errors",
        "destination-errors",
        "own-address-pkts",
    ];

    /// Place of this reason in [`Self::COUNTERS`].
    pub const fn index(self) -> usize {
        match self {
            Self::Ttl(_) => 0,
            Self::Version(_) => 1,
            Self::Type(_) => 2,
            Self::Length(_) => 3,
            Self::Checksum => 4,
            Self::VirtualRouterId(_) => 5,
            Self::AddressList => 6,
            Self::Interval => 7,
            Self::Destination(_) => 8,
            Self::OwnAddress => 9,
        }
    }

    /// The stable name of the counter, after RFC 8347; `destination-errors` and `own-address-pkts` are ours.
    pub const fn counter(self) -> &'static str {
        Self::COUNTERS[self.index()]
    }
}

impl Advertisement {
    /// An advertisement of one address, the way this appliance sends them.
    pub fn of_one(
        virtual_router_id: VirtualRouterId,
        priority: Priority,
        interval: Centiseconds,
        address: Ipv4Addr,
    ) -> Self {
        Self { virtual_router_id, priority, interval, addresses: ArrayVec::from_iter([address]) }
    }

    /// Octets that [`Self::encode`] writes.
    pub fn len(&self) -> usize {
        HEADER_LEN + 4 * self.addresses.len()
    }

    /// Whether it names no address, which no receiver accepts.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Writes the IP payload from `source` to `destination` and returns its length.
    ///
    /// # Panics
    /// When `out` is shorter than [`Self::len`]; [`MAX_LEN`] always suffices.
    pub fn encode(&self, source: Ipv4Addr, destination: Ipv4Addr, form: ChecksumForm, out: &mut [u8]) -> usize {
        let out = &mut out[..self.len()];
        out[VERSION_TYPE] = (VERSION << 4) | TYPE_ADVERTISEMENT;
        out[VIRTUAL_ROUTER_ID] = self.virtual_router_id.get();
        out[PRIORITY] = self.priority.get();
        // MAX_ADDRESSES is what an octet counts.
        out[ADDRESS_COUNT] = self.addresses.len() as u8;
        out[INTERVAL].copy_from_slice(&self.interval.get().to_be_bytes());
        out[CHECKSUM].fill(0);
        for (place, address) in out[HEADER_LEN..].as_chunks_mut().0.iter_mut().zip(&self.addresses) {
            *place = address.octets();
        }
        let sum = checksum::of(form, source, destination, out);
        out[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        out.len()
    }

    /// Reads the IP payload `bytes`, which ends where the IP header's total length says: Ethernet padding is not part of it.
    ///
    /// Whether the virtual router exists here, and whether the packet is our own, is for
    /// [`VirtualRouter::handle_advertisement`](crate::router::VirtualRouter::handle_advertisement) to say.
    pub fn decode(ip: &IpMeta, bytes: &[u8]) -> Result<Received, Discarded> {
        if ip.ttl != TTL {
            return Err(Discarded::Ttl(ip.ttl));
        }
        let (header, addresses) = split_header(bytes)?;
        check_length(header, bytes)?;
        let checksum = checksum::recognise(ip.source, ip.destination, bytes).ok_or(Discarded::Checksum)?;
        let id = header[VIRTUAL_ROUTER_ID];
        let advertisement = Self {
            virtual_router_id: VirtualRouterId::new(id).ok_or(Discarded::VirtualRouterId(id))?,
            priority: Priority::new(header[PRIORITY]),
            interval: interval(header)?,
            addresses: addresses.iter().map(|&octets| Ipv4Addr::from(octets)).collect(),
        };
        if advertisement.is_empty() { Err(Discarded::AddressList) } else { Ok(Received { advertisement, checksum }) }
    }
}

/// The version comes first: a length rule of version 3 says nothing about another version's packet.
fn split_header(bytes: &[u8]) -> Result<(&[u8; HEADER_LEN], &[[u8; 4]]), Discarded> {
    let length = Discarded::Length(bytes.len() as u16);
    match bytes.first().map(|octet| (octet >> 4, octet & 0x0f)) {
        None => return Err(length),
        Some((VERSION, TYPE_ADVERTISEMENT)) => {}
        Some((VERSION, kind)) => return Err(Discarded::Type(kind)),
        Some((version, _)) => return Err(Discarded::Version(version)),
    }
    let (header, rest) = bytes.split_first_chunk().ok_or(length)?;
    Ok((header, rest.as_chunks().0))
}

fn check_length(header: &[u8; HEADER_LEN], bytes: &[u8]) -> Result<(), Discarded> {
    let announced = HEADER_LEN + 4 * usize::from(header[ADDRESS_COUNT]);
    if bytes.len() == announced { Ok(()) } else { Err(Discarded::Length(bytes.len() as u16)) }
}

fn interval(header: &[u8; HEADER_LEN]) -> Result<Centiseconds, Discarded> {
    let [high, low] = [header[INTERVAL.start], header[INTERVAL.start + 1]];
    Centiseconds::new(u16::from_be_bytes([high, low]) & INTERVAL_MASK).ok_or(Discarded::Interval)
}

#[cfg(test)]
mod tests;
