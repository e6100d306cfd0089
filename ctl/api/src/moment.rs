//! A point in time as an operator reads it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point in time, to the millisecond; in JSON an RFC 3339 string in UTC, `2026-11-21T03:12:04.120Z`.
///
/// Wall-clock time, for people. Two moments of one node may be subtracted; nothing is ever decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(u64);

/// A text that is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a moment such as 2026-11-21T03:12:04.120Z")]
pub struct MomentError;

/// The last moment with a four-digit year, 9999-12-31T23:59:59.999Z.
const LAST: u64 = 253_402_300_799_999;

impl Moment {
    /// From milliseconds since 1970-01-01T00:00:00Z; later than the year 9999 is held there.
    pub const fn from_unix_ms(milliseconds: u64) -> Self {
        Self(if milliseconds < LAST { milliseconds } else { LAST })
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// How long before `now` this was; zero when it is not before.
    pub const fn until(self, now: Self) -> Duration {
        Duration::from_millis(now.0.saturating_sub(self.0))
    }
}

impl From<SystemTime> for Moment {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(LAST))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, of_day) = (self.0 / 86_400_000, self.0 % 86_400_000);
        let (year, month, day) = date(days);
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
///
/// Days are counted from 1 March of the year 0, so that the leap day ends a year and months fall on a straight line.
const fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let day = days_since_1970 + 719_468;
    let era = day / 146_097;
    let of_era = day % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + (month <= 2) as u64, month, day_of_month)
}

/// The inverse of [`date`].
const fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year - (month <= 2) as u64;
    let march_month = (month + 9) % 12;
    let of_year = (153 * march_month + 2) / 5 + day - 1;
    let of_era = year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + of_year;
    (year / 400 * 146_097 + of_era).checked_sub(719_468)
}

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')];
        let bytes = text.as_bytes();
        if bytes.len() != 24 || separators.iter().any(|&(at, mark)| bytes[at] != mark) {
            return Err(MomentError);
        }
        let number = |range: std::ops::Range<usize>| number(&bytes[range]).ok_or(MomentError);
        let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
        let (hour, minute, second, milli) = (number(11..13)?, number(14..16)?, number(17..19)?, number(20..23)?);
        let days = (year >= 1970 && (1..=12).contains(&month) && (1..=31).contains(&day))
            .then(|| days_since_1970(year, month, day))
            .flatten()
            .ok_or(MomentError)?;
        let moment = Self(days * 86_400_000 + hour * 3_600_000 + minute * 60_000 + second * 1000 + milli);
        // Digits out of range (31 February, 25:00, a leap second) are told by not coming back.
        if moment.to_string() == text { Ok(moment) } else { Err(MomentError) }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

impl TryFrom<String> for Moment {
    type Error = MomentError;

    fn try_from(text: String) -> Result<Self, MomentError> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_read_as_date_prints_them() {
        for (milliseconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_795_230_724_120, "2026-11-21T03:12:04.120Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Moment::from_unix_ms(milliseconds).to_string(), text);
            assert_eq!(text.parse(), Ok(Moment::from_unix_ms(milliseconds)));
        }
    }

    #[test]
    fn every_day_of_four_centuries_comes_back() {
        for day in 0..146_097 {
            let moment = Moment::from_unix_ms(day * 86_400_000 + 1);
            assert_eq!(moment.to_string().parse(), Ok(moment));
        }
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused() {
        for text in [
            "2026-02-29T00:00:00.000Z",
            "2026-11-21T24:00:00.000Z",
            "2026-11-21 03:12:04.120Z",
            "",
            "1969-12-31T23:59:59.000Z",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(MomentError), "{text}");
        }
    }
}
