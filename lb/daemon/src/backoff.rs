//! When a role that ended is started again: at once, then after 100 ms, 1 s, 2 s, 4 s, 8 s, and 10 s from then on.

use std::time::Duration;

/// A role that worked this long has earned an immediate restart.
const FORGIVEN_AFTER: Duration = Duration::from_secs(60);

/// The delays of one role.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The delay before the next start, after a life of `lived`.
    pub(crate) fn next(&mut self, lived: Duration) -> Duration {
        if lived >= FORGIVEN_AFTER {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        match self.failures {
            1 => Duration::ZERO,
            2 => Duration::from_millis(100),
            failures => Duration::from_secs(1 << (failures - 3).min(4)).min(Duration::from_secs(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_come_at_once_then_slower_and_never_slower_than_ten_seconds() {
        let mut backoff = Backoff::default();
        let delays: Vec<u64> = (0..8).map(|_| backoff.next(Duration::ZERO).as_millis() as u64).collect();
        assert_eq!(delays, [0, 100, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
    }

    #[test]
    fn a_long_life_is_forgiven() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.next(Duration::ZERO);
        }
        assert_eq!(backoff.next(FORGIVEN_AFTER), Duration::ZERO);
    }
}
