//! Bytes in a second.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Bytes in one of each, the form to write first. Lines are sold by the bit, files counted by the byte: both are understood.
const UNITS: [(&str, u64); 9] = [
    ("GiB/s", GIB),
    ("MiB/s", MIB),
    ("KiB/s", KIB),
    ("Gbit/s", 125_000_000),
    ("Mbit/s", 125_000),
    ("kbit/s", 125),
    ("GB/s", 1_000_000_000),
    ("MB/s", 1_000_000),
    ("kB/s", 1_000),
];

/// A bound on bytes that move in one direction, from 1 KiB/s to 100 GiB/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bandwidth(NonZeroU64);

/// Why a text is no bandwidth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BandwidthError {
    /// Not a whole number and a unit.
    Malformed,
    /// Less than 1 KiB/s, or more than 100 GiB/s.
    OutOfRange,
}

impl Bandwidth {
    /// Below this a page of text takes seconds: a typing error.
    const LEAST: u64 = KIB;

    /// More than any network card moves.
    const MOST: u64 = 100 * GIB;

    /// Of so many bytes in a second; `None` out of its range.
    pub const fn new(bytes: u64) -> Option<Self> {
        match NonZeroU64::new(bytes) {
            Some(number) if bytes >= Self::LEAST && bytes <= Self::MOST => Some(Self(number)),
            _ => None,
        }
    }

    /// Bytes in a second.
    pub const fn bytes(self) -> NonZeroU64 {
        self.0
    }
}

impl FromStr for Bandwidth {
    type Err = BandwidthError;

    fn from_str(text: &str) -> Result<Self, BandwidthError> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(BandwidthError::Malformed)?;
        let (number, unit) = text.split_at(unit_at);
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).ok_or(BandwidthError::Malformed)?;
        if number.is_empty() {
            return Err(BandwidthError::Malformed);
        }
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit));
        bytes.and_then(Self::new).ok_or(BandwidthError::OutOfRange)
    }
}

/// The shortest text that is read as the same; what has none, a number that only a program made, is shown in bytes.
impl fmt::Display for Bandwidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.get();
        let whole = UNITS.iter().filter(|(_, unit)| bytes.is_multiple_of(*unit));
        match whole.min_by_key(|(_, unit)| bytes / unit) {
            Some((name, unit)) => write!(f, "{}{name}", bytes / unit),
            None => write!(f, "{bytes}B/s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bytes(text: &str) -> Result<u64, BandwidthError> {
        text.parse().map(|bandwidth: Bandwidth| bandwidth.bytes().get())
    }

    #[test]
    fn a_bandwidth_is_a_whole_number_and_a_unit() {
        assert_eq!(bytes("10MiB/s"), Ok(10 << 20));
        assert_eq!(bytes("100 Mbit/s"), Ok(12_500_000));
        assert_eq!(bytes("1KiB/s"), Ok(1024));
        assert_eq!(bytes("100GiB/s"), Ok(100 << 30));
    }

    #[test]
    fn what_is_none_says_why() {
        for text in ["", "10", "MiB/s", "10MiB", "10 MB", "1.5MiB/s", "-1MiB/s", "10mib/s", "10MiB/s "] {
            assert_eq!(bytes(text), Err(BandwidthError::Malformed), "{text:?}");
        }
        for text in ["0MiB/s", "1kB/s", "101GiB/s", "99999999999999999999kB/s"] {
            assert_eq!(bytes(text), Err(BandwidthError::OutOfRange), "{text:?}");
        }
    }

    #[test]
    fn it_is_written_as_people_write_it() {
        let written = |text: &str| text.parse::<Bandwidth>().unwrap().to_string();
        for text in ["10MiB/s", "100Mbit/s", "1GiB/s", "512KiB/s", "25MB/s", "1Gbit/s"] {
            assert_eq!(written(text), text);
        }
        assert_eq!(written("1024KiB/s"), "1MiB/s");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(number in 1..100_000_u64, unit in prop::sample::select(&UNITS[..])) {
            if let Some(bandwidth) = Bandwidth::new(number * unit.1) {
                prop_assert_eq!(bandwidth.to_string().parse(), Ok(bandwidth));
            }
        }
    }
}
