//! Lines that come too often: of each kind so many in a second are written, and the next one says how many were left out.
//!
//! The journal takes 10,000 lines in 30 s of a service and then drops whatever comes, the one that matters too (`RateLimitBurst=`,
//! journald.conf(5)). A flood of connections must not come that far.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::Metadata;
use tracing::callsite::Identifier;

/// Of each kind; one kind alone stays under what the journal takes.
const A_SECOND: u32 = 200;

const SECOND: Duration = Duration::from_secs(1);

/// A kind is the place in the program where its lines are made. There are as many as the program has.
#[derive(Debug)]
pub(super) struct Samples {
    kinds: Mutex<HashMap<Identifier, Kind>>,
    left_out: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Kind {
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Samples {
    /// Adds every line that is left out to `left_out`.
    pub(super) fn counting(left_out: Arc<AtomicU64>) -> Self {
        Self { kinds: Mutex::default(), left_out }
    }

    /// How many like it were left out before this one; `None`: this one is left out too.
    pub(super) fn admit(&self, line: &Metadata<'_>) -> Option<u64> {
        let now = Instant::now();
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let kind = kinds.entry(line.callsite()).or_insert(Kind { since: now, written: 0, left_out: 0 });
        let admitted = kind.admit(now);
        if admitted.is_none() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }
}

impl Kind {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.since) >= SECOND {
            (self.since, self.written) = (now, 0);
        }
        if self.written == A_SECOND {
            self.left_out += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_sampled_and_the_next_second_says_so() {
        let start = Instant::now();
        let mut kind = Kind { since: start, written: 0, left_out: 0 };
        let written = (0..1000).filter(|_| kind.admit(start + SECOND / 2).is_some()).count();
        assert_eq!(written, A_SECOND as usize);
        assert_eq!(kind.admit(start + SECOND), Some(1000 - u64::from(A_SECOND)));
        assert_eq!(kind.admit(start + SECOND), Some(0), "said once");
    }

    #[test]
    fn what_comes_seldom_is_written_whole() {
        let start = Instant::now();
        let mut kind = Kind { since: start, written: 0, left_out: 0 };
        assert!((0..100).all(|second| kind.admit(start + SECOND * second) == Some(0)));
    }
}
