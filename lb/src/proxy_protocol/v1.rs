//! Version 1: one line of text (§2.1).
//!
//! ```text
//! PROXY TCP4 192.168.0.7 192.168.0.33 51234 443\r\n
//! PROXY UNKNOWN anything\r\n
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use super::{Endpoints, Header, Malformed, Reading, Tlvs, Told};

pub(super) const SIGNATURE: &[u8] = b"PROXY ";

/// The longest line that there can be, its end included.
const LONGEST_LINE: usize = 107;

pub(super) fn decode(bytes: &[u8]) -> Result<Reading, Malformed> {
    let within = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if within.len() == LONGEST_LINE { Err(Malformed::Line) } else { Ok(Reading::NeedMore) };
    };
    let line = str::from_utf8(&bytes[SIGNATURE.len()..end]).map_err(|_| Malformed::Line)?;
    let told = told(line).ok_or(Malformed::Line)?;
    Ok(Reading::Header(Header { version: 1, told, tlvs: Tlvs::default(), length: end + 2 }))
}

fn told(line: &str) -> Option<Told> {
    let mut words = line.split(' ');
    match words.next()? {
        "TCP4" => endpoints::<Ipv4Addr>(words),
        "TCP6" => endpoints::<Ipv6Addr>(words),
        "UNKNOWN" => Some(Told::Nobody),
        _ => None,
    }
}

fn endpoints<'a, A: FromStr + Into<IpAddr>>(mut words: impl Iterator<Item = &'a str>) -> Option<Told> {
    let mut address = || words.next()?.parse::<A>().ok().map(Into::into);
    let (source, destination) = (address()?, address()?);
    let (source_port, destination_port) = (port(words.next()?)?, port(words.next()?)?);
    let is_whole = words.next().is_none();
    let (source, destination) = (SocketAddr::new(source, source_port), SocketAddr::new(destination, destination_port));
    is_whole.then(|| Told::Client(Endpoints::canonical(source, destination)))
}

/// Digits only, and no zero in front of others.
fn port(word: &str) -> Option<u16> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| is_plain)
}
