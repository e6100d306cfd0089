//! The heartbeat of the relay loop, which is its coarse clock too.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the loop stamps.
pub const PULSE_INTERVAL: Duration = Duration::from_millis(20);

/// A stamp that a task of the relay loop renews every [`PULSE_INTERVAL`].
///
/// Other threads ask [`Pulse::age`] whether the loop still turns. Relays read [`Pulse::now`] instead of the clock: their
/// timeouts need no more than a stamp's precision, and a load costs less than a clock read per turn.
#[derive(Debug)]
pub struct Pulse {
    epoch: Instant,
    stamp: AtomicU64,
}

impl Pulse {
    /// A pulse that counts from `epoch`.
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, stamp: AtomicU64::new(0) }
    }

    /// How long ago the loop stamped; over 150 ms means that it hangs.
    pub fn age(&self) -> Duration {
        let stamp = Duration::from_millis(self.stamp.load(Ordering::Relaxed));
        self.epoch.elapsed().saturating_sub(stamp)
    }

    /// The time of the last stamp.
    pub fn now(&self) -> Ticks {
        Ticks(self.stamp.load(Ordering::Relaxed))
    }

    /// The clock itself, in the pulse's unit: for what must not wait for the next stamp.
    pub fn precise_now(&self) -> Ticks {
        Ticks(self.epoch.elapsed().as_millis() as u64)
    }

    pub(crate) fn beat(&self) {
        self.stamp.store(self.precise_now().0, Ordering::Relaxed);
    }
}

/// Milliseconds since the data plane was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(pub u64);

impl Ticks {
    /// Later than any other.
    pub(crate) const NEVER_AGES: Self = Self(u64::MAX);

    /// The moment `span` later.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_millis() as u64))
    }

    /// The time from `earlier` to this, zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_that_never_beat_is_as_old_as_its_epoch() {
        let pulse = Pulse::new(Instant::now() - Duration::from_secs(5));
        assert!(pulse.age() >= Duration::from_secs(5));
        pulse.beat();
        assert!(pulse.age() < Duration::from_secs(1));
        assert!(pulse.now() >= Ticks(5000));
    }
}
