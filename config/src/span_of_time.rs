//! Spans of time as an operator writes them: `150ms`, `2s`, `10m`, `1h`, `0.5s`.

use std::time::Duration;

/// Why a text is not a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// Not of the form of the examples above.
    #[error("is not a number with a unit")]
    Malformed,
    /// Finer than a millisecond.
    #[error("is finer than a millisecond")]
    TooFine,
    /// More milliseconds than there are numbers.
    #[error("is too long to count")]
    TooLong,
}

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The span meant by `text`, exact to the millisecond.
///
/// # Errors
/// When it is not a number with a unit, or cannot be counted in milliseconds.
pub fn parse(text: &str) -> Result<Duration, SpanError> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(SpanError::Malformed)?;
    let (number, unit) = text.split_at(unit_at);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).ok_or(SpanError::Malformed)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(SpanError::Malformed);
    }
    let whole: u64 = whole.parse().map_err(|_| SpanError::TooLong)?;
    let milliseconds = whole.checked_mul(*unit).ok_or(SpanError::TooLong)?;
    let milliseconds = milliseconds.checked_add(part(fraction, *unit)?).ok_or(SpanError::TooLong)?;
    Ok(Duration::from_millis(milliseconds))
}

fn part(fraction: &str, unit: u64) -> Result<u64, SpanError> {
    let digits = fraction.trim_end_matches('0');
    if digits.is_empty() {
        return Ok(0);
    }
    let scale = 10_u64.checked_pow(digits.len() as u32).ok_or(SpanError::TooFine)?;
    let numerator: u64 = digits.parse().map_err(|_| SpanError::TooFine)?;
    let product = numerator.checked_mul(unit).ok_or(SpanError::TooFine)?;
    if product % scale == 0 { Ok(product / scale) } else { Err(SpanError::TooFine) }
}

/// The shortest text that [`parse`] reads as `span`; parts of a millisecond are dropped.
pub(crate) fn format(span: Duration) -> String {
    let milliseconds = span.as_millis();
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let whole = UNITS.iter().find(|(_, unit)| milliseconds.is_multiple_of(u128::from(*unit)));
    let (name, unit) = whole.copied().unwrap_or(("ms", 1));
    format!("{}{name}", milliseconds / u128::from(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        let milliseconds = |text| parse(text).map(|span| span.as_millis() as u64);
        assert_eq!(milliseconds("150ms"), Ok(150));
        assert_eq!(milliseconds("2s"), Ok(2_000));
        assert_eq!(milliseconds("40.95s"), Ok(40_950));
        assert_eq!(milliseconds("1 h"), Ok(3_600_000));
        assert_eq!(milliseconds("0.25m"), Ok(15_000));
    }

    #[test]
    fn what_is_not_a_span_says_why() {
        for text in ["", "2", "s", "2 sec", "-1s", "1.s", ".5s", "1.2.3s", "2s ", "1e3s"] {
            assert_eq!(parse(text), Err(SpanError::Malformed), "{text:?}");
        }
        assert_eq!(parse("0.1ms"), Err(SpanError::TooFine));
        assert_eq!(parse("99999999999999999999s"), Err(SpanError::TooLong));
        assert_eq!(parse("9999999999999999999h"), Err(SpanError::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds in 0_u64..10_000_000_000) {
            let span = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&format(span)), Ok(span));
        }
    }
}
