//! How late the election thread wakes: the number that says whether a node can keep its interval. [core]

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets, in microseconds; the last bucket has none.
const BOUNDS: [u64; 15] =
    [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 5_000_000];

/// Counts of wake-ups by lateness.
#[derive(Debug, Clone, Default)]
pub(super) struct Lateness {
    counts: [u64; BOUNDS.len() + 1],
    max: Duration,
}

/// What is told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatenessSummary {
    /// Wake-ups by a deadline.
    pub wakes: u64,
    /// The worst.
    pub max: Duration,
    /// 99 of 100 were not later than this (the bound of a bucket).
    pub p99: Duration,
    /// 999 of 1,000.
    pub p999: Duration,
}

impl Lateness {
    pub(super) fn record(&mut self, late: Duration) {
        let microseconds = late.as_micros() as u64;
        self.counts[BOUNDS.partition_point(|&bound| bound < microseconds)] += 1;
        self.max = self.max.max(late);
    }

    pub(super) fn summary(&self) -> LatenessSummary {
        let wakes: u64 = self.counts.iter().sum();
        let p99 = self.quantile(wakes - wakes / 100);
        LatenessSummary { wakes, max: self.max, p99, p999: self.quantile(wakes - wakes / 1000) }
    }

    fn quantile(&self, rank: u64) -> Duration {
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        let bound = bucket.and_then(|bucket| BOUNDS.get(bucket)).map(|&bound| Duration::from_micros(bound));
        bound.unwrap_or(self.max).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_wake_in_a_hundred_is_the_maximum_but_not_the_99th_percentile() {
        let mut lateness = Lateness::default();
        (0..99).for_each(|_| lateness.record(Duration::from_micros(80)));
        lateness.record(Duration::from_secs(7));
        let summary = lateness.summary();
        assert_eq!((summary.wakes, summary.max), (100, Duration::from_secs(7)));
        assert_eq!((summary.p99, summary.p999), (Duration::from_micros(100), Duration::from_secs(7)));
    }

    #[test]
    fn nothing_recorded_is_zero() {
        let summary = Lateness::default().summary();
        assert_eq!((summary.wakes, summary.max, summary.p99), (0, Duration::ZERO, Duration::ZERO));
    }
}
