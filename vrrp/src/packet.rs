//! The VRRP advertisement over IPv4 and IPv6: bytes to value and back. [core]
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Reserve| Max Advertise Interval|          Checksum             |   version 3
//! |   Auth Type   |   Adver Int   |          Checksum             |   version 2
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                 IPv4 or IPv6 Address(es)                      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |               Authentication Data (8 octets)                  |   version 2
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! RFC 9568 §5.1, RFC 3768 §5.1; a signed one has a trailer behind it ([`auth_hmac`]). All nodes speak one version: a packet of the other is
//! [`Discarded::Version`]. Its addresses are of the family of the packet that carries it.

pub mod auth_hmac;
mod authentication;
mod checksum;
pub mod sequence;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use arrayvec::ArrayVec;
use fmc_config::model::election::{Centiseconds, ChecksumForm, Version};
use fmc_config::model::family::Family;
use fmc_config::model::vip::VirtualRouterId;
use serde::{Deserialize, Serialize};

use crate::priority::Priority;
use auth_hmac::SignatureFault;

/// Where advertisements go over IPv4 (RFC 9568 §5.1.1.2).
pub const MULTICAST_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
/// Where advertisements go over IPv6 (RFC 9568 §5.1.2.2).
pub const MULTICAST_GROUP_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12));
/// The IP protocol (RFC 9568 §5.1.1.4).
pub const IP_PROTOCOL: u8 = 112;
/// The only TTL, or hop limit, that cannot have crossed a router (RFC 9568 §5.1.1.3, §5.1.2.3).
pub const TTL: u8 = 255;
/// The count of addresses is one octet (RFC 9568 §5.2.5).
pub const MAX_ADDRESSES: usize = 255;
/// The longest advertisement: the header, [`MAX_ADDRESSES`], the authentication data of version 2 and a signature.
pub const MAX_LEN: usize = HEADER_LEN + 16 * MAX_ADDRESSES + authentication::LENGTH + auth_hmac::LENGTH;

const VERSION_TYPE: usize = 0;
const VIRTUAL_ROUTER_ID: usize = 1;
const PRIORITY: usize = 2;
const ADDRESS_COUNT: usize = 3;
const INTERVAL: Range<usize> = 4..6;
const AUTHENTICATION_TYPE: usize = 4;
const SECONDS: usize = 5;
const CHECKSUM: Range<usize> = 6..8;
const HEADER_LEN: usize = 8;

const TYPE_ADVERTISEMENT: u8 = 1;
/// The low twelve bits; the reserved four are zero on send and ignored on receive (RFC 9568 §5.2.6).
const INTERVAL_MASK: u16 = 0x0fff;
const CENTISECONDS_A_SECOND: u16 = 100;
/// The longest interval there is, for both versions.
const LONGEST: u16 = 4095;

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
    pub addresses: ArrayVec<IpAddr, MAX_ADDRESSES>,
}

/// What the IP header said of a received packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IpMeta {
    /// Time to live, or hop limit, as it arrived.
    pub ttl: u8,
    /// Who sent it.
    pub source: IpAddr,
    /// Whom it was sent to: [`multicast_group`], or one of our addresses.
    pub destination: IpAddr,
}

/// An advertisement that passed every check, and the form of checksum its sender uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// What it says.
    pub advertisement: Advertisement,
    /// Which of the two checksums of VRRPv3 over IPv4 it carried; VRRPv2 has one, of the message alone, and IPv6 the other.
    pub checksum: ChecksumForm,
}

/// Why a packet is discarded: one variant a rule of RFC 9568 §7.1. A discarded packet changes no state and no timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Discarded {
    /// It crossed a router, or was forged from beyond one (RFC 9568 §5.1.1.3).
    #[error("TTL is {0}, not 255: it did not come from this link")]
    Ttl(u8),
    /// Another version than ours (RFC 9568 §5.2.1).
    #[error("VRRP version is {theirs}, ours is {ours}")]
    Version {
        /// What came.
        theirs: u8,
        /// What every node here speaks.
        ours: u8,
    },
    /// Not an advertisement (RFC 9568 §5.2.2).
    #[error("type is {0}, not 1 (ADVERTISEMENT)")]
    Type(u8),
    /// Shorter or longer than its address count says.
    #[error("{0} octets do not hold a header and the announced addresses exactly")]
    Length(u16),
    /// Neither the message nor the message with its pseudo-header sums up (RFC 9568 §5.2.8).
    #[error("the checksum is wrong")]
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
    /// VRRPv2: it says another interval than ours (RFC 3768 §7.1).
    #[error("it says an interval of {theirs} s, ours is {ours} s; VRRPv2 wants the same on every router")]
    IntervalDiffers {
        /// What it says, in seconds.
        theirs: u8,
        /// Ours, in seconds.
        ours: u8,
    },
    /// VRRPv2: another authentication type than ours (RFC 3768 §5.3.6).
    #[error("authentication type is {theirs}, ours is {ours} (0 none, 1 password)")]
    AuthenticationType {
        /// What it says.
        theirs: u8,
        /// Ours.
        ours: u8,
    },
    /// VRRPv2: another password than ours (RFC 2338 §5.3.6).
    #[error("its password is not ours")]
    Password,
    /// Sent to another address than those that this virtual router is spoken to by.
    #[error("it was sent to {0}, where this virtual router does not listen: multicast and unicast are not mixed")]
    Destination(IpAddr),
    /// Unicast from a host that is no other node.
    #[error("it came by unicast from a host that is no node of [nodes]")]
    Stranger,
    /// Our own packet looped back, or another host uses our address.
    #[error("it came from our own address")]
    OwnAddress,
    /// Its signature, or that it has none (draft-cassen-vrrp-auth-hmac).
    #[error(transparent)]
    Signature(#[from] SignatureFault),
}

impl Discarded {
    /// Every counter that [`Self::counter`] can name, for a metrics table that shows zeros too.
    pub const COUNTERS: [&str; 19] = [
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
        "auth-type-errors",
        "auth-failures",
        "stranger-errors",
        "auth-hmac-missing",
        "auth-hmac-not-awaited",
        "auth-hmac-malformed",
        "auth-hmac-unknown-key",
        "auth-hmac-wrong",
        "auth-hmac-replayed",
    ];

    /// Place of this reason in [`Self::COUNTERS`].
    pub const fn index(self) -> usize {
        match self {
            Self::Ttl(_) => 0,
            Self::Version { .. } => 1,
            Self::Type(_) => 2,
            Self::Length(_) => 3,
            Self::Checksum => 4,
            Self::VirtualRouterId(_) => 5,
            Self::AddressList => 6,
            Self::Interval | Self::IntervalDiffers { .. } => 7,
            Self::Destination(_) => 8,
            Self::OwnAddress => 9,
            Self::AuthenticationType { .. } => 10,
            Self::Password => 11,
            Self::Stranger => 12,
            Self::Signature(SignatureFault::Missing) => 13,
            Self::Signature(SignatureFault::NotAwaited) => 14,
            Self::Signature(SignatureFault::Malformed) => 15,
            Self::Signature(SignatureFault::UnknownKey(_)) => 16,
            Self::Signature(SignatureFault::Wrong) => 17,
            Self::Signature(SignatureFault::Replayed) => 18,
        }
    }

    /// The stable name of the counter, after RFC 8347; those of addresses and authentication are ours.
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
        address: IpAddr,
    ) -> Self {
        Self { virtual_router_id, priority, interval, addresses: ArrayVec::from_iter([address]) }
    }

    /// The same, of these addresses too, as far as an advertisement has room for them. One of the other family has no place in it
    /// (RFC 9568 §5.2.9), as Keepalived's `virtual_ipaddress_excluded`.
    pub fn and(mut self, others: &[IpAddr]) -> Self {
        let (family, room) = (self.family(), self.addresses.remaining_capacity());
        let fitting = others.iter().copied().filter(|other| Family::of(*other) == family);
        self.addresses.extend(fitting.take(room));
        self
    }

    /// That of its addresses.
    pub fn family(&self) -> Family {
        self.addresses.first().map_or(Family::V4, |first| Family::of(*first))
    }

    /// What an observer reads of one, whichever version and authentication it has: it has nothing that a forgery could touch.
    /// `None`: it is none.
    pub fn glance(family: Family, bytes: &[u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_LEN>()?;
        let interval = match header[VERSION_TYPE] {
            0x21 => u16::from(header[SECONDS]) * CENTISECONDS_A_SECOND,
            0x31 => u16::from_be_bytes([header[INTERVAL.start], header[INTERVAL.start + 1]]) & INTERVAL_MASK,
            _ => return None,
        };
        let addresses = addresses(family, &bytes[HEADER_LEN..]).take(header[ADDRESS_COUNT].into());
        Some(Self {
            virtual_router_id: VirtualRouterId::new(header[VIRTUAL_ROUTER_ID])?,
            priority: Priority::new(header[PRIORITY]),
            interval: Centiseconds::new(interval.min(LONGEST))?,
            addresses: addresses.collect(),
        })
    }

    /// Octets that [`Self::encode`] writes in `version`.
    pub fn len(&self, version: Version) -> usize {
        HEADER_LEN + self.family().octets() * self.addresses.len() + trailer(version)
    }

    /// Whether it names no address, which no receiver accepts.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// Writes the IP payload from `source` to `destination` and returns its length.
    ///
    /// # Panics
    /// When `out` is shorter than [`Self::len`]; [`MAX_LEN`] always suffices.
    pub fn encode(&self, source: IpAddr, destination: IpAddr, version: Version, out: &mut [u8]) -> usize {
        let out = &mut out[..self.len(version)];
        out[VERSION_TYPE] = (version.number() << 4) | TYPE_ADVERTISEMENT;
        out[VIRTUAL_ROUTER_ID] = self.virtual_router_id.get();
        out[PRIORITY] = self.priority.get();
        // MAX_ADDRESSES is what an octet counts.
        out[ADDRESS_COUNT] = self.addresses.len() as u8;
        match version {
            Version::V3(_) => out[INTERVAL].copy_from_slice(&self.interval.get().to_be_bytes()),
            Version::V2(password) => {
                out[AUTHENTICATION_TYPE] = authentication::kind(password);
                out[SECONDS] = seconds(self.interval);
            }
        }
        let octets = self.family().octets();
        let (addresses, trailer) = out[HEADER_LEN..].split_at_mut(octets * self.addresses.len());
        for (place, address) in addresses.chunks_exact_mut(octets).zip(&self.addresses) {
            match address {
                IpAddr::V4(address) => place.copy_from_slice(&address.octets()),
                IpAddr::V6(address) => place.copy_from_slice(&address.octets()),
            }
        }
        if let Version::V2(password) = version {
            trailer.copy_from_slice(&authentication::data(password));
        }
        sum_up(form(version, self.family()), source, destination, out);
        out.len()
    }

    /// Reads the IP payload `bytes`, which ends where the IP header's total length says: Ethernet padding is not part of it.
    ///
    /// What needs to know who we are, is for
    /// [`VirtualRouter::accepts`](crate::router::VirtualRouter::accepts) to say.
    pub fn decode(ip: &IpMeta, version: Version, bytes: &[u8]) -> Result<Received, Discarded> {
        Self::decode_with(ip, version, bytes, bytes)
    }

    /// Reads `bytes`, the checksum of which is that of `summed`.
    fn decode_with(ip: &IpMeta, version: Version, bytes: &[u8], summed: &[u8]) -> Result<Received, Discarded> {
        if ip.ttl != TTL {
            return Err(Discarded::Ttl(ip.ttl));
        }
        let family = Family::of(ip.source);
        let (header, rest) = split_header(version, bytes)?;
        check_length(version, family, bytes)?;
        let checksum = checksum::recognise(ip.source, ip.destination, summed)
            .filter(|found| matches!(version, Version::V3(_)) || *found == ChecksumForm::Message)
            .ok_or(Discarded::Checksum)?;
        let (listed, trailer) = rest.split_at(rest.len() - trailer(version));
        if let Version::V2(password) = version {
            authentication::check(password, header[AUTHENTICATION_TYPE], trailer)?;
        }
        let id = header[VIRTUAL_ROUTER_ID];
        let advertisement = Self {
            virtual_router_id: VirtualRouterId::new(id).ok_or(Discarded::VirtualRouterId(id))?,
            priority: Priority::new(header[PRIORITY]),
            interval: interval(version, header)?,
            addresses: addresses(family, listed).collect(),
        };
        if advertisement.is_empty() { Err(Discarded::AddressList) } else { Ok(Received { advertisement, checksum }) }
    }
}

/// Where advertisements of this family go.
pub const fn multicast_group(family: Family) -> IpAddr {
    match family {
        Family::V4 => MULTICAST_GROUP,
        Family::V6 => MULTICAST_GROUP_6,
    }
}

/// For which virtual router a packet is, whatever else is wrong with it.
pub(crate) fn virtual_router_id(bytes: &[u8]) -> Option<VirtualRouterId> {
    bytes.get(VIRTUAL_ROUTER_ID).copied().and_then(VirtualRouterId::new)
}

/// An interval as VRRPv2 says it; what is finer is rounded up, since 0 would be no interval.
pub(crate) fn seconds(interval: Centiseconds) -> u8 {
    interval.get().div_ceil(CENTISECONDS_A_SECOND) as u8
}

const fn trailer(version: Version) -> usize {
    match version {
        Version::V3(_) => 0,
        Version::V2(_) => authentication::LENGTH,
    }
}

/// Over IPv6 there is one form (RFC 9568 §5.2.8).
const fn form(version: Version, family: Family) -> ChecksumForm {
    match (version, family) {
        (Version::V3(form), Family::V4) => form,
        (Version::V3(_), Family::V6) => ChecksumForm::PseudoHeader,
        (Version::V2(_), _) => ChecksumForm::Message,
    }
}

/// Writes the checksum of `message`.
fn sum_up(form: ChecksumForm, source: IpAddr, destination: IpAddr, message: &mut [u8]) {
    message[CHECKSUM].fill(0);
    let sum = checksum::of(form, source, destination, message);
    message[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
}

/// As many whole addresses as there are.
fn addresses(family: Family, bytes: &[u8]) -> impl Iterator<Item = IpAddr> {
    bytes.chunks_exact(family.octets()).filter_map(|octets| match octets.first_chunk::<16>() {
        Some(octets) => Some(Ipv6Addr::from(*octets).into()),
        None => octets.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
    })
}

/// The version comes first: a length rule of one version says nothing about another version's packet.
fn split_header(version: Version, bytes: &[u8]) -> Result<(&[u8; HEADER_LEN], &[u8]), Discarded> {
    let length = Discarded::Length(bytes.len() as u16);
    let ours = version.number();
    match bytes.first().map(|octet| (octet >> 4, octet & 0x0f)) {
        None => return Err(length),
        Some((theirs, _)) if theirs != ours => return Err(Discarded::Version { theirs, ours }),
        Some((_, TYPE_ADVERTISEMENT)) => {}
        Some((_, kind)) => return Err(Discarded::Type(kind)),
    }
    bytes.split_first_chunk().ok_or(length)
}

fn check_length(version: Version, family: Family, bytes: &[u8]) -> Result<(), Discarded> {
    let is_whole = announced_len(version, family, bytes) == Some(bytes.len());
    if is_whole { Ok(()) } else { Err(Discarded::Length(bytes.len() as u16)) }
}

/// How long it is by its count of addresses, without a signature.
fn announced_len(version: Version, family: Family, bytes: &[u8]) -> Option<usize> {
    bytes.get(ADDRESS_COUNT).map(|&count| HEADER_LEN + family.octets() * usize::from(count) + trailer(version))
}

fn interval(version: Version, header: &[u8; HEADER_LEN]) -> Result<Centiseconds, Discarded> {
    let hundredths = match version {
        Version::V3(_) => u16::from_be_bytes([header[INTERVAL.start], header[INTERVAL.start + 1]]) & INTERVAL_MASK,
        Version::V2(_) => u16::from(header[SECONDS]) * CENTISECONDS_A_SECOND,
    };
    // More than 40 s are what we never have ourselves, so that the longest stands for all of them.
    Centiseconds::new(hundredths.min(LONGEST)).ok_or(Discarded::Interval)
}

#[cfg(test)]
mod tests;
