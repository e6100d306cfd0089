//! When is the next probe of one server due?
//!
//! Deadlines are absolute, from one due moment to the next: neither the length of a probe nor a late wake-up adds up.
//! Beats that were missed are skipped, not made up for. A server is never probed twice at the same time, so a silent one
//! is asked again as soon as its timeout has passed.

use std::time::{Duration, Instant};

/// First probes are spread over this: at once for a person, yet not one burst from a node that starts.
pub const FIRST_SPREAD: Duration = Duration::from_millis(5);

/// Each step is lengthened or shortened by up to this much, so that two nodes do not probe in phase for ever.
pub const JITTER_PERCENT: u32 = 10;

/// Re-checks that failed dials ask for are at least this far from the start of the probe before: a thousand failing
/// clients a second cause ten probes.
pub const RECHECK_GAP: Duration = Duration::from_millis(100);

/// No two probes start closer than this, so that a zero in a configuration is no flood.
pub const MIN_GAP: Duration = Duration::from_millis(10);

/// How closely a server is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The verdict stands: one probe each interval.
    Settled,
    /// The verdict is unknown or contradicted: one probe each fast interval.
    Changing,
}

/// The due times of one server's probes.
#[derive(Debug, Clone)]
pub struct Schedule {
    interval: Duration,
    fast_interval: Duration,
    due: Instant,
    started: Option<Instant>,
}

impl Schedule {
    /// The first probe is due at once, give or take [`FIRST_SPREAD`].
    pub fn new(interval: Duration, fast_interval: Duration, now: Instant, entropy: u64) -> Self {
        let spread = FIRST_SPREAD / 1000 * (entropy % 1000) as u32;
        Self { interval, fast_interval, due: now + spread, started: None }
    }

    /// When the next probe is to start.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// A probe starts at `now`, which is `due` or later.
    pub fn start(&mut self, now: Instant) {
        self.started = Some(now);
    }

    /// The probe that started last ended at `now`; plans the next from when this one was due.
    pub fn finish(&mut self, pace: Pace, now: Instant, entropy: u64) {
        let step = match pace {
            Pace::Settled => self.interval,
            Pace::Changing => self.fast_interval,
        };
        self.due = (self.due + jittered(step, entropy)).max(now).max(self.earliest(MIN_GAP));
    }

    /// A dial failed: the next probe is due now, or as soon as [`RECHECK_GAP`] allows. Never postpones one.
    pub fn recheck(&mut self, now: Instant) {
        self.due = self.due.min(now.max(self.earliest(RECHECK_GAP)));
    }

    /// The last start plus `gap`; the due moment itself before the first probe.
    fn earliest(&self, gap: Duration) -> Instant {
        self.started.map_or(self.due, |started| started + gap)
    }
}

/// `step` times 0.9 to 1.1.
fn jittered(step: Duration, entropy: u64) -> Duration {
    let width = u64::from(JITTER_PERCENT) * 20 + 1;
    let per_mille = 1000 - JITTER_PERCENT * 10 + (entropy % width) as u32;
    step / 1000 * per_mille
}

#[cfg(test)]
mod tests;
