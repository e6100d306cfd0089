//! What was discarded on an interface, by reason, and when it was last logged. [core]

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::boot_instant::BootInstant;
use crate::packet::Discarded;

const REASONS: usize = Discarded::COUNTERS.len();

/// One line for each reason in this time; the counters miss nothing.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Counters by reason, in the order of [`Discarded::COUNTERS`].
#[derive(Debug, Clone, Default)]
pub(super) struct Discards {
    counts: [u64; REASONS],
    logged: [Option<(BootInstant, u64)>; REASONS],
}

impl Discards {
    /// Counts one; `Some` when it is time for a line, with how many there were since the last.
    pub(super) fn count(&mut self, reason: Discarded, now: BootInstant) -> Option<u64> {
        let (count, logged) = (&mut self.counts[reason.index()], &mut self.logged[reason.index()]);
        *count += 1;
        let since = match *logged {
            Some((at, _)) if now.saturating_duration_since(at) < LOG_EVERY => return None,
            Some((_, before)) => *count - before,
            None => *count,
        };
        *logged = Some((now, *count));
        Some(since)
    }

    pub(super) fn counts(&self) -> [u64; REASONS] {
        self.counts
    }
}

/// The line.
pub(super) fn line(interface: &str, source: Ipv4Addr, reason: Discarded, times: u64) -> String {
    format!("{interface}: discarded an advertisement from {source}: {reason} ({times} since the last such line)")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> BootInstant {
        BootInstant::from_nanos(seconds * 1_000_000_000)
    }

    /// Proves V-67.
    #[test]
    fn every_discard_is_counted_and_each_reason_is_logged_once_in_ten_seconds() {
        let mut discards = Discards::default();
        let lines: Vec<_> = (0..25).map(|second| discards.count(Discarded::Checksum, at(second))).collect();
        let logged: Vec<_> = lines.iter().flatten().copied().collect();
        assert_eq!(logged, [1, 10, 10]);
        assert_eq!(discards.count(Discarded::Ttl(64), at(25)), Some(1));
        assert_eq!(discards.counts().iter().sum::<u64>(), 26);
    }
}
