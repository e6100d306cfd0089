//! The clock of one node: it began at another moment, and it is a little fast or slow.

use std::time::Duration;

use crate::boot_instant::BootInstant;
use crate::router::tests::harness::START;

/// Nanoseconds of an hour times this fit an `i64` twice.
const MILLION: i64 = 1_000_000;

#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) ahead: Duration,
    pub(super) fast_by_parts_per_million: i32,
}

impl Clock {
    pub(super) const TRUE: Self = Self { ahead: Duration::ZERO, fast_by_parts_per_million: 0 };

    /// What it shows at `now`.
    pub(super) fn shows(self, now: BootInstant) -> BootInstant {
        let elapsed = (now.as_nanos() - START.as_nanos()) as i64;
        let drift = (elapsed * i64::from(self.fast_by_parts_per_million)).div_euclid(MILLION);
        BootInstant::from_nanos(now.as_nanos().saturating_add_signed(drift)) + self.ahead
    }

    /// The first moment at which it shows `local`.
    pub(super) fn when(self, local: BootInstant) -> BootInstant {
        let elapsed = local.saturating_sub(self.ahead).saturating_duration_since(START).as_nanos() as i64;
        let truly = elapsed * MILLION / (MILLION + i64::from(self.fast_by_parts_per_million));
        let mut at = START + Duration::from_nanos(truly as u64);
        while self.shows(at) < local {
            at = at + Duration::from_nanos(1);
        }
        at
    }
}

#[test]
fn a_clock_shows_what_it_was_asked_for_when_it_says_so_and_not_before() {
    for fast_by_parts_per_million in [-500, 0, 37, 500] {
        let clock = Clock { ahead: Duration::from_secs(77), fast_by_parts_per_million };
        for seconds in [1, 59, 3600] {
            let local = clock.shows(START) + Duration::from_nanos(seconds * 1_000_000_007);
            let at = clock.when(local);
            assert!(clock.shows(at) >= local && clock.shows(at.saturating_sub(Duration::from_nanos(2))) < local);
        }
    }
}
