//! Does the control thread turn? Without it health, pools and fitness stand still while relays go on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The wiring turns each 250 ms; a control thread that has not for this long hangs.
const HANGS_AFTER: Duration = Duration::from_secs(3);

/// Stamped by the wiring, read by the link thread.
#[derive(Debug)]
pub(crate) struct ControlPulse {
    epoch: Instant,
    stamp: AtomicU64,
}

impl ControlPulse {
    /// Alive from now on, for a while.
    pub(crate) fn new(now: Instant) -> Self {
        Self { epoch: now, stamp: AtomicU64::new(0) }
    }

    /// The control thread turns.
    pub(crate) fn beat(&self, now: Instant) {
        let age = now.saturating_duration_since(self.epoch);
        self.stamp.store(u64::try_from(age.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// It has turned lately.
    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        let stamp = Duration::from_millis(self.stamp.load(Ordering::Relaxed));
        now.saturating_duration_since(self.epoch).saturating_sub(stamp) < HANGS_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_thread_that_stops_turning_is_found() {
        let start = Instant::now();
        let pulse = ControlPulse::new(start);
        pulse.beat(start + Duration::from_secs(10));
        assert!(pulse.is_alive(start + Duration::from_millis(12_900)));
        assert!(!pulse.is_alive(start + Duration::from_millis(13_000)));
    }
}
