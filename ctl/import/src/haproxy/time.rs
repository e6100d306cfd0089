//! HAProxy's times (configuration.txt 2.5): a number with `us`, `ms`, `s`, `m`, `h` or `d`; milliseconds when it has none.

use std::time::Duration;

const UNITS: [(&str, u64); 7] = [
    ("", 1_000),
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// The span meant; `None`: HAProxy refuses it too.
pub(crate) fn milliseconds(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let microseconds = number.parse::<u64>().ok()?.checked_mul(*unit)?;
    Some(Duration::from_millis(microseconds.div_ceil(1_000)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_milliseconds() {
        let read = |text| milliseconds(text).map(|span| span.as_millis());
        assert_eq!(read("5000"), Some(5_000));
        assert_eq!(read("3s"), Some(3_000));
        assert_eq!(read("1d"), Some(86_400_000));
        assert_eq!(read("10us"), Some(1), "a timer of a millisecond at least");
        for wrong in ["", "s", "5 s", "1.5s", "5w", "99999999999999999999", "9999999999999999d"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
