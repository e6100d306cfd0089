//! [core] The PROXY protocol, versions 1 and 2 (HAProxy's `doc/proxy-protocol.txt`): who a connection comes from, told in front of it.
//!
//! Both are read, from proxies that are trusted; version 2 is written, to servers.

mod crc32c;
mod tlv;
mod v1;
mod v2;

use std::fmt;
use std::net::SocketAddr;

pub use tlv::Tlvs;
pub use v2::encode as encode_v2;

/// Bytes of the longest header that is taken. Version 1 needs 107; version 2 could say 64 KiB, of which nobody has ever needed a
/// sixteenth.
pub const LONGEST: usize = 4096;

/// Who is connected to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoints {
    /// The client.
    pub source: SocketAddr,
    /// What it connected to.
    pub destination: SocketAddr,
}

/// What a header says of the connection behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is relayed for this client.
    Client(Endpoints),
    /// It is relayed for somebody that the proxy cannot or will not name (`UNKNOWN`, `AF_UNSPEC`, a unix socket): the connection's own
    /// addresses are all that is known.
    Nobody,
    /// It is the proxy's own, for a health check (`LOCAL`).
    Local,
}

/// One header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// 1 or 2.
    pub version: u8,
    /// Whose connection it is.
    pub told: Told,
    /// What else it says; never any in version 1.
    pub tlvs: Tlvs,
    /// Bytes that it took; those after it are the client's.
    pub length: usize,
}

/// What the first bytes of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A whole header.
    Header(Header),
    /// The beginning of one, or too little to tell.
    NeedMore,
    /// Something else.
    NoHeader,
}

/// Why bytes that begin like a header are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A line without its end, or with words that version 1 does not have (§2.1).
    Line,
    /// A version other than 2 behind the signature of version 2.
    Version,
    /// A command that is neither LOCAL nor PROXY.
    Command,
    /// A family or a transport that does not exist.
    Family,
    /// Fewer bytes than the addresses of its family take.
    TooShort,
    /// Over [`LONGEST`].
    TooLong,
    /// An extension that reaches beyond the header (§2.2).
    Tlv,
    /// The checksum of an extension is another one (§2.2.3).
    Checksum,
}

/// What stands at the beginning of a connection. `bytes` is all that has come so far.
///
/// # Errors
/// It begins as a header does, and breaks a rule: §2.1 and §2.2 want such a connection ended.
pub fn decode(bytes: &[u8]) -> Result<Reading, Malformed> {
    match likeness(bytes) {
        Likeness::No => Ok(Reading::NoHeader),
        Likeness::Perhaps => Ok(Reading::NeedMore),
        Likeness::Version1 => v1::decode(bytes),
        Likeness::Version2 => v2::decode(bytes),
    }
}

/// Whether bytes begin as a header does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    /// They cannot be one.
    No,
    /// They agree as far as they go.
    Perhaps,
    /// `PROXY ` and whatever comes.
    Version1,
    /// The whole signature of version 2.
    Version2,
}

/// What the first bytes of a connection could be; nobody else's protocol begins like either version (§2).
pub fn likeness(bytes: &[u8]) -> Likeness {
    let begins = |signature: &[u8]| bytes.starts_with(signature);
    let agrees = |signature: &[u8]| signature.starts_with(bytes);
    match () {
        () if begins(v1::SIGNATURE) => Likeness::Version1,
        () if begins(&v2::SIGNATURE) => Likeness::Version2,
        () if agrees(v1::SIGNATURE) || agrees(&v2::SIGNATURE) => Likeness::Perhaps,
        () => Likeness::No,
    }
}

impl Endpoints {
    /// Both as IPv4 where both are IPv4 in IPv6's clothes (RFC 4291 §2.5.5.2), as a proxy with one socket for both families tells them.
    fn canonical(source: SocketAddr, destination: SocketAddr) -> Self {
        let plain = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let (plain_source, plain_destination) = (plain(source), plain(destination));
        match plain_source.is_ipv4() && plain_destination.is_ipv4() {
            true => Self { source: plain_source, destination: plain_destination },
            false => Self { source, destination },
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Line => "not a line of version 1",
            Self::Version => "an unknown version",
            Self::Command => "an unknown command",
            Self::Family => "an unknown family or transport",
            Self::TooShort => "shorter than its addresses",
            Self::TooLong => "longer than any header needs",
            Self::Tlv => "an extension that reaches beyond it",
            Self::Checksum => "a wrong checksum",
        })
    }
}

#[cfg(test)]
mod tests;
