//! So many in a second, and a second's worth at once. [core]
//!
//! The generic cell rate algorithm (ITU-T I.371 annex A): one number says when the next would be due if all had come evenly.

use std::num::NonZeroU32;

/// Microseconds since some moment of the caller's choice.
pub(crate) type Micros = u64;

const SECOND: Micros = 1_000_000;

/// What was taken so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    /// When the next one would be due, had all come evenly.
    due: Micros,
}

impl Meter {
    /// Takes one of `per_second`.
    ///
    /// # Errors
    /// In how many microseconds there is one to take.
    pub(crate) fn take(&mut self, per_second: NonZeroU32, now: Micros) -> Result<(), Micros> {
        let one = SECOND / Micros::from(per_second.get());
        let due = self.due.max(now);
        // A second's worth, but always one, may come before it is due.
        match (due + one).saturating_sub(now + SECOND.max(one)) {
            0 => {
                self.due = due + one;
                Ok(())
            }
            too_early => Err(too_early),
        }
    }

    /// True when nothing of the past matters any more: as good as new.
    pub(crate) fn is_rested(&self, now: Micros) -> bool {
        self.due <= now
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(per_second: u32) -> NonZeroU32 {
        NonZeroU32::new(per_second).unwrap()
    }

    #[test]
    fn a_seconds_worth_at_once_and_then_evenly() {
        let mut meter = Meter::default();
        let at_once = std::iter::repeat_with(|| meter.take(rate(10), SECOND)).take_while(Result::is_ok).count();
        assert_eq!(at_once, 10);
        assert_eq!(meter.take(rate(10), SECOND), Err(100_000));
        assert_eq!(meter.take(rate(10), SECOND + 100_000), Ok(()));
        assert!(meter.take(rate(10), SECOND + 100_000).is_err());
        assert!(!meter.is_rested(2 * SECOND) && meter.is_rested(2 * SECOND + 100_000));
    }

    #[test]
    fn a_higher_rate_counts_at_once() {
        let mut meter = Meter::default();
        while meter.take(rate(1), 0).is_ok() {}
        assert_eq!(meter.take(rate(1000), SECOND), Ok(()));
    }

    proptest! {
        /// Whenever they come: never more than the rate over the time, and the second's worth that may come at once.
        #[test]
        fn no_more_than_the_rate_and_never_less_when_asked_for(per_second in 1..5000u32, gaps in proptest::collection::vec(0..200_000u64, 1..300)) {
            let (mut meter, mut now, mut taken) = (Meter::default(), 0, 0u64);
            for gap in gaps {
                now += gap;
                match meter.take(rate(per_second), now) {
                    Ok(()) => taken += 1,
                    Err(wait) => {
                        prop_assert!(wait > 0);
                        prop_assert!(meter.take(rate(per_second), now + wait).is_ok(), "it said when");
                        (now, taken) = (now + wait, taken + 1);
                    }
                }
                let most = u64::from(per_second) * now / SECOND + u64::from(per_second) + 1;
                // One microsecond of each interval is lost to rounding, in favour of the client.
                prop_assert!(taken <= most + taken / 100, "{taken} of {most}");
            }
        }
    }
}
