//! Version 2: binary (§2.2).
//!
//! ```text
//!  0..12  signature  0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
//!  12     version 2 (high four bits), command LOCAL 0 or PROXY 1 (low four)
//!  13     family UNSPEC 0, INET 1, INET6 2, UNIX 3 (high), transport UNSPEC 0, STREAM 1, DGRAM 2 (low)
//!  14..16 length of what follows
//!  16..   source address, destination address, source port, destination port (network order)
//!         extensions
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Endpoints, Header, LONGEST, Malformed, Reading, Tlvs, Told};

/// Chosen by the protocol so that no HTTP, TLS or SMTP server can take it for a request.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

mod field {
    pub(super) const VERSION_AND_COMMAND: usize = 12;
    pub(super) const FAMILY_AND_TRANSPORT: usize = 13;
    pub(super) const LENGTH: std::ops::Range<usize> = 14..16;
    /// Where the addresses begin.
    pub(super) const ADDRESSES: usize = 16;
}

const VERSION: u8 = 0x20;
const LOCAL: u8 = 0x0;
const PROXY: u8 = 0x1;
const UNSPEC: u8 = 0x0;
const INET: u8 = 0x1;
const INET6: u8 = 0x2;
const UNIX: u8 = 0x3;
const STREAM: u8 = 0x1;
const DGRAM: u8 = 0x2;

/// The addresses of a unix socket: two paths of 108 bytes.
const UNIX_ADDRESSES: usize = 216;

pub(super) fn decode(bytes: &[u8]) -> Result<Reading, Malformed> {
    let Some(fixed) = bytes.get(..field::ADDRESSES) else { return Ok(Reading::NeedMore) };
    let (version, command) = halves(fixed[field::VERSION_AND_COMMAND]);
    let (family, transport) = halves(fixed[field::FAMILY_AND_TRANSPORT]);
    if version << 4 != VERSION {
        return Err(Malformed::Version);
    }
    if !matches!(command, LOCAL | PROXY) {
        return Err(Malformed::Command);
    }
    if family > UNIX || transport > DGRAM {
        return Err(Malformed::Family);
    }
    let length = field::ADDRESSES + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > LONGEST {
        return Err(Malformed::TooLong);
    }
    let Some(header) = bytes.get(..length) else { return Ok(Reading::NeedMore) };
    let (client, addresses) = addresses(family, &header[field::ADDRESSES..])?;
    let tlvs = Tlvs::decode(header, field::ADDRESSES + addresses)?;
    let told = match (command, client) {
        (LOCAL, _) => Told::Local,
        (_, Some(client)) if transport != DGRAM => Told::Client(client),
        (_, _) => Told::Nobody,
    };
    Ok(Reading::Header(Header { version: 2, told, tlvs, length }))
}

fn halves(byte: u8) -> (u8, u8) {
    (byte >> 4, byte & 0xf)
}

/// Who is told, where the family can say it, and how many bytes that took.
fn addresses(family: u8, body: &[u8]) -> Result<(Option<Endpoints>, usize), Malformed> {
    let taken = match family {
        INET => pair::<4, Ipv4Addr>(body).map(|client| (Some(client), 12)),
        INET6 => pair::<16, Ipv6Addr>(body).map(|client| (Some(client), 36)),
        UNIX => (body.len() >= UNIX_ADDRESSES).then_some((None, UNIX_ADDRESSES)),
        _ => Some((None, 0)),
    };
    taken.ok_or(Malformed::TooShort)
}

/// Two addresses of `N` octets, then their ports.
fn pair<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(body: &[u8]) -> Option<Endpoints> {
    let (source, rest) = body.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let ([s0, s1, d0, d1], _) = rest.split_first_chunk::<4>()?;
    let at = |address: [u8; N], port| SocketAddr::new(A::from(address).into(), u16::from_be_bytes(port));
    Some(Endpoints::canonical(at(*source, [*s0, *s1]), at(*destination, [*d0, *d1])))
}

/// The header that a server reads before the client's first byte.
///
/// A connection whose client nobody told is for the caller to give endpoints to: its own.
pub fn encode(told: Told, tlvs: &Tlvs) -> Vec<u8> {
    let mut header = SIGNATURE.to_vec();
    match told {
        Told::Client(endpoints) => put_client(&mut header, endpoints),
        Told::Nobody => header.extend([VERSION | PROXY, UNSPEC, 0, 0]),
        Told::Local => header.extend([VERSION | LOCAL, UNSPEC, 0, 0]),
    }
    header.extend(tlvs.as_bytes());
    let follows =
        u16::try_from(header.len() - field::ADDRESSES).expect("addresses and extensions of one header fit another");
    header[field::LENGTH].copy_from_slice(&follows.to_be_bytes());
    header
}

fn put_client(header: &mut Vec<u8>, Endpoints { source, destination }: Endpoints) {
    let family = if source.is_ipv4() && destination.is_ipv4() { INET } else { INET6 };
    header.extend([VERSION | PROXY, family << 4 | STREAM, 0, 0]);
    for address in [source, destination] {
        match (family, address.ip()) {
            (INET, IpAddr::V4(address)) => header.extend(address.octets()),
            (_, IpAddr::V4(address)) => header.extend(address.to_ipv6_mapped().octets()),
            (_, IpAddr::V6(address)) => header.extend(address.octets()),
        }
    }
    header.extend(source.port().to_be_bytes());
    header.extend(destination.port().to_be_bytes());
}
