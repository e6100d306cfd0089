//! Bytes of one direction that were read and that their receiver has not taken: since when it takes nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::pulse::Ticks;

const NOTHING_WAITS: u64 = u64::MAX;

/// Written by the relay after each turn, read by every thread. What the other direction does, changes nothing: a client that takes
/// nothing and goes on talking waits as long as a silent one.
#[derive(Debug)]
pub(super) struct Waiting(AtomicU64);

impl Waiting {
    pub(super) const fn nothing() -> Self {
        Self(AtomicU64::new(NOTHING_WAITS))
    }

    /// After a turn in which the receiver took `taken` bytes, and left some or none behind.
    pub(super) fn note(&self, are_left: bool, taken: usize, now: Ticks) {
        let since = match are_left {
            false => NOTHING_WAITS,
            true if taken > 0 || self.since().is_none() => now.0,
            true => return,
        };
        self.0.store(since, Ordering::Relaxed);
    }

    /// When the receiver last took something, or the first byte began to wait; `None` when none waits.
    pub(super) fn since(&self) -> Option<Ticks> {
        let since = self.0.load(Ordering::Relaxed);
        (since != NOTHING_WAITS).then_some(Ticks(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_begins_with_the_first_byte_left_and_begins_anew_with_each_one_taken() {
        let waiting = Waiting::nothing();
        let steps = [(false, 9), (true, 0), (true, 0), (true, 4), (true, 0), (false, 3), (true, 7)];
        let seen = (0..).zip(steps).map(|(now, (are_left, taken))| {
            waiting.note(are_left, taken, Ticks(now));
            waiting.since().map(|ticks| ticks.0)
        });
        assert_eq!(seen.collect::<Vec<_>>(), [None, Some(1), Some(1), Some(3), Some(3), None, Some(6)]);
    }
}
