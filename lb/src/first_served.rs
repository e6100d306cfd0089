//! When a service first had a connection, and first gave a client a byte, since somebody began to watch for it.
//!
//! A node that does not hold the address of a service serves nobody. So the watch begins when the address leaves, and what it then
//! sees first is the first that was served after the address came back: no message has to be in time for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What a watch has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstServed {
    /// When it began.
    pub since: Instant,
    /// The first connection was accepted.
    pub connection: Option<Instant>,
    /// The first byte went to a client whose connection was accepted since the watch began.
    pub byte: Option<Instant>,
}

/// The watch of one service. Everything that a relay pays for it, once both have been seen, is one relaxed load.
#[derive(Debug)]
pub(crate) struct Watch {
    awaits: AtomicBool,
    seen: Mutex<FirstServed>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { awaits: AtomicBool::new(true), seen: Mutex::new(FirstServed::from(Instant::now())) }
    }

    /// Begins anew.
    pub(crate) fn begin(&self) {
        *self.lock() = FirstServed::from(Instant::now());
        self.awaits.store(true, Ordering::Relaxed);
    }

    pub(crate) fn seen(&self) -> FirstServed {
        *self.lock()
    }

    pub(crate) fn accepted(&self) {
        if self.awaits.load(Ordering::Relaxed) {
            self.lock().connection.get_or_insert_with(Instant::now);
        }
    }

    /// A byte went to a client that was accepted at `accepted`.
    pub(crate) fn answered(&self, accepted: Instant) {
        if !self.awaits.load(Ordering::Relaxed) {
            return;
        }
        let mut seen = self.lock();
        if accepted >= seen.since {
            seen.byte.get_or_insert_with(Instant::now);
            self.awaits.store(false, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, FirstServed> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Instant> for FirstServed {
    fn from(since: Instant) -> Self {
        Self { since, connection: None, byte: None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_of_each_counts_and_no_relay_from_before() {
        let watch = Watch::new();
        watch.answered(Instant::now() - Duration::from_secs(60));
        assert_eq!(watch.seen().byte, None, "a relay from before the watch is nobody new");
        watch.accepted();
        let first = watch.seen().connection.unwrap();
        watch.accepted();
        watch.answered(first);
        let seen = watch.seen();
        watch.answered(Instant::now());
        assert_eq!((seen.connection, watch.seen()), (Some(first), seen));
        watch.begin();
        assert_eq!((watch.seen().connection, watch.seen().byte), (None, None));
    }
}
