//! Spans of time as people type and read them: `5m` in, `4 h 10 m` out.

use std::fmt;
use std::time::Duration;

use fmc_config::span_of_time;

/// A span shown with the two largest units that matter: `40 ms`, `12 s`, `3 m 20 s`, `4 h 10 m`, `3 d 4 h`.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (large, small, units) = match seconds {
            0 => return write!(f, "{} ms", self.0.as_millis()),
            1..60 => return write!(f, "{seconds} s"),
            60..3600 => (seconds / 60, seconds % 60, ["m", "s"]),
            3600..86_400 => (seconds / 3600, seconds % 3600 / 60, ["h", "m"]),
            _ => (seconds / 86_400, seconds % 86_400 / 3600, ["d", "h"]),
        };
        match small {
            0 => write!(f, "{large} {}", units[0]),
            _ => write!(f, "{large} {} {small} {}", units[0], units[1]),
        }
    }
}

/// A text that is no span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("write a number and its unit, for example 500ms, 30s, 5m or 1h; a week at most")]
pub(crate) struct SpanError;

/// The longest span that is taken, so that adding it to a clock cannot overflow.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

/// Reads what a configuration may say too (`500ms`, `30s`, `1.5h`); at most a week.
pub(crate) fn parse(text: &str) -> Result<Duration, SpanError> {
    span_of_time::parse(text).ok().filter(|span| *span <= LONGEST).ok_or(SpanError)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_shown_with_two_units_at_most() {
        for (milliseconds, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1 s"),
            (59_999, "59 s"),
            (60_000, "1 m"),
            (200_000, "3 m 20 s"),
            (15_000_000, "4 h 10 m"),
            (273_600_000, "3 d 4 h"),
            (2_592_000_000, "30 d"),
        ] {
            assert_eq!(Span(Duration::from_millis(milliseconds)).to_string(), text);
        }
    }

    #[test]
    fn a_span_is_typed_as_in_the_configuration_and_is_a_week_at_most() {
        assert_eq!(parse("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(parse("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse("168h"), Ok(LONGEST));
        for wrong in ["", "5", "5d", "168.1h", "99999999999999999999s"] {
            assert_eq!(parse(wrong), Err(SpanError), "{wrong}");
        }
    }
}
