//! How long something took, counted in buckets: what a histogram of Prometheus is made of.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets: from a handshake in the same rack to one with two lost SYNs. The last bucket has none.
pub const BOUNDS: [Duration; 12] = [
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// Counts since the start; a measurement costs two additions and no lock.
#[derive(Debug, Default)]
pub(crate) struct Durations {
    counts: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
}

/// The counts of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// In each bucket, not in those below it; the last is over every bound.
    pub counts: [u64; BOUNDS.len() + 1],
    /// The sum of all that was measured.
    pub sum: Duration,
}

impl Durations {
    pub(crate) fn record(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|bound| *bound < took);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self) -> Counted {
        Counted {
            counts: std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed)),
            sum: Duration::from_micros(self.microseconds.load(Ordering::Relaxed)),
        }
    }
}

impl Counted {
    /// How many were measured.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_the_first_bucket_that_reaches_it() {
        let durations = Durations::default();
        [Duration::ZERO, BOUNDS[0], BOUNDS[0] + Duration::from_micros(1), Duration::from_secs(9)]
            .into_iter()
            .for_each(|took| durations.record(took));
        let counted = durations.counted();
        assert_eq!((counted.counts[0], counted.counts[1], counted.counts[BOUNDS.len()]), (2, 1, 1));
        assert_eq!((counted.total(), counted.sum), (4, Duration::from_secs(9) + Duration::from_micros(501)));
    }
}
