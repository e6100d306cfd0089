//! The election's sign of life, read by the address thread. [core]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::boot_instant::BootInstant;

/// When the election thread last turned its loop. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Tick(Arc<AtomicU64>);

impl Tick {
    /// For the election thread, each turn.
    pub fn stamp(&self, now: BootInstant) {
        self.0.store(now.as_nanos(), Ordering::Release);
    }

    /// How long ago the last turn was.
    pub fn age(&self, now: BootInstant) -> Duration {
        now.saturating_duration_since(BootInstant::from_nanos(self.0.load(Ordering::Acquire)))
    }
}
