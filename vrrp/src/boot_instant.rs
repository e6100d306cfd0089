//! The one clock of the election: time since boot, suspended time included. [core]

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point of `CLOCK_BOOTTIME` (clock_gettime(2)), in nanoseconds: it never jumps with wall time and it does advance while
/// the machine is suspended, so that a resumed node knows how late it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BootInstant(u64);

impl BootInstant {
    /// `nanoseconds` since boot.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// Nanoseconds since boot.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero when it is not in the past.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The point `span` before this one; boot when it lies before boot.
    pub const fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

impl Add<Duration> for BootInstant {
    type Output = Self;

    /// Saturates at the end of the clock, 584 years after boot.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

const fn nanos(span: Duration) -> u64 {
    let nanos = span.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_is_exact_and_saturates() {
        let instant = BootInstant::from_nanos(5);
        assert_eq!(instant + Duration::from_nanos(7), BootInstant::from_nanos(12));
        assert_eq!(instant + Duration::MAX, BootInstant::from_nanos(u64::MAX));
        assert_eq!(instant.saturating_sub(Duration::from_nanos(9)), BootInstant::from_nanos(0));
        assert_eq!(instant.saturating_duration_since(BootInstant::from_nanos(2)), Duration::from_nanos(3));
        assert_eq!(instant.saturating_duration_since(BootInstant::from_nanos(8)), Duration::ZERO);
    }
}
