//! How the owner of a VIP is elected.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The numbers of the election, the same for every VIP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Election {
    /// Advertisement_Interval of every virtual router (RFC 9568 §6.1).
    pub interval: Centiseconds,
    /// When a better-ranked node of the same tier takes the VIP back.
    pub failback: Failback,
    /// The priority of the first node when it is fit; tiers below are scaled to it. 254 unless a foreign VRRP peer asks for less.
    pub priority: u8,
    /// What is spoken.
    pub version: Version,
    /// To whom.
    pub transport: Transport,
    /// Whether advertisements are signed; `None`: they are not, and signed ones are not understood.
    pub auth_hmac: Option<AuthHmac>,
}

/// Advertisements with an authentication trailer (draft-cassen-vrrp-auth-hmac), Keepalived's `auth_hmac`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthHmac {
    /// The keys, a line each: the first signs, every one is accepted.
    pub key_file: PathBuf,
    /// How far a network has come on its way to signed advertisements.
    pub mode: AuthMode,
}

/// What is sent, and what is accepted beside signed advertisements. A signed one is verified in every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthMode {
    /// Sends unsigned and accepts unsigned: every router learns the keys before the first one signs.
    ReceiveOnly,
    /// Signs, and accepts unsigned: until the last router signs.
    Permissive,
    /// Signs, and discards what is not signed.
    Enforce,
}

/// The version of VRRP that every node speaks, with what only that version has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// VRRPv3, RFC 9568.
    V3(ChecksumForm),
    /// VRRPv2, RFC 3768, beside a Keepalived that speaks nothing else; with the password of RFC 2338 if it has one.
    V2(Option<Password>),
}

impl Version {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::V3(_) => 3,
            Self::V2(_) => 2,
        }
    }
}

/// The eight octets of simple password authentication (RFC 2338 §5.3.6). Everyone on the network reads them, so they are no
/// secret; they are not shown all the same, because somebody may use them elsewhere.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password([u8; Password::LENGTH]);

impl Password {
    /// Octets of authentication data in an advertisement.
    pub const LENGTH: usize = 8;

    /// `None` unless it is one to eight printable ASCII characters.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::LENGTH).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
        let mut octets = [0; Self::LENGTH];
        octets.iter_mut().zip(text.bytes()).for_each(|(place, octet)| *place = octet);
        fits.then_some(Self(octets))
    }

    /// As on the wire, filled up with zeros.
    pub const fn octets(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// As typed.
    pub fn text(&self) -> impl Iterator<Item = char> {
        self.0.iter().take_while(|octet| **octet != 0).map(|octet| char::from(*octet))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// To whom advertisements go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// To everyone who listens to 224.0.0.18 (RFC 9568 §5.1.1.2).
    Multicast,
    /// To each other node of `[nodes]`, where the network carries no multicast. Only they are heard.
    Unicast,
}

/// VRRPv3's unit of time on the wire: 1 to 4095 hundredths of a second (RFC 9568 §5.2.7; 0 is refused by erratum 8301).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Centiseconds(u16);

/// Not an interval that VRRPv3 can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} hundredths of a second is not an advertisement interval; use 1 to 4095")]
pub struct CentisecondsError(pub u16);

impl Centiseconds {
    /// `None` outside 1-4095.
    pub const fn new(value: u16) -> Option<Self> {
        match value {
            1..=4095 => Some(Self(value)),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The same span as a [`Duration`].
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }
}

impl TryFrom<u16> for Centiseconds {
    type Error = CentisecondsError;

    fn try_from(value: u16) -> Result<Self, CentisecondsError> {
        Self::new(value).ok_or(CentisecondsError(value))
    }
}

impl From<Centiseconds> for u16 {
    fn from(interval: Centiseconds) -> Self {
        interval.get()
    }
}

/// When a node that ranks higher inside the same tier takes the VIP from one that serves well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failback {
    /// Never: a VIP moves only for a better tier (Preempt_Mode false, RFC 9568 §6.1).
    Never,
    /// After it has heard the other one, itself fit, for this long.
    After(Duration),
    /// At once (Preempt_Mode true).
    Always,
}

/// The two forms of a VRRPv3 IPv4 checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChecksumForm {
    /// With the IPv4 pseudo-header: RFC 5798 §5.2.8, what Keepalived and FRR send and want.
    PseudoHeader,
    /// The VRRP message alone: RFC 9568 §5.2.8.
    Message,
}
