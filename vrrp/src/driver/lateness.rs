//! How late the election thread wakes: the number that says whether a node can keep its interval. [core]

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets; the last bucket has none.
pub const BOUNDS: [Duration; 15] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Counts of wake-ups by lateness.
#[derive(Debug, Clone, Default)]
pub(super) struct Lateness {
    counts: [u64; BOUNDS.len() + 1],
    sum: Duration,
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
    /// In each bucket of [`BOUNDS`], not in those below it; the last is over every bound.
    pub counts: [u64; BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

impl Lateness {
    pub(super) fn record(&mut self, late: Duration) {
        self.counts[BOUNDS.partition_point(|bound| *bound < late)] += 1;
        self.sum += late;
        self.max = self.max.max(late);
    }

    pub(super) fn summary(&self) -> LatenessSummary {
        let wakes: u64 = self.counts.iter().sum();
        LatenessSummary {
            wakes,
            max: self.max,
            p99: self.quantile(wakes - wakes / 100),
            counts: self.counts,
            sum: self.sum,
        }
    }

    fn quantile(&self, rank: u64) -> Duration {
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        });
        bucket.and_then(|bucket| BOUNDS.get(bucket)).map_or(self.max, |bound| (*bound).min(self.max))
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
        assert_eq!((summary.counts[1], summary.counts[BOUNDS.len()]), (99, 1));
        assert_eq!(summary.sum, Duration::from_micros(99 * 80) + Duration::from_secs(7));
        assert_eq!(summary.p99, Duration::from_micros(100));
    }

    #[test]
    fn nothing_recorded_is_zero() {
        let summary = Lateness::default().summary();
        assert_eq!((summary.wakes, summary.max, summary.p99), (0, Duration::ZERO, Duration::ZERO));
    }
}
