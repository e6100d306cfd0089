//! What happened here: the last of it in memory, for `fmc-lbctl events`.

use std::collections::VecDeque;
use std::time::SystemTime;

use fmc_api::Moment;
use fmc_api::events::{Event, EventKind};
use fmc_api::word::Severity;

/// Events kept; the oldest leaves when one more comes, and readers are told how many they missed.
const KEPT: usize = 2000;

/// A bounded history with gapless sequence numbers.
#[derive(Debug)]
pub(crate) struct EventLog {
    epoch: u64,
    last: u64,
    events: VecDeque<Event>,
}

/// Events after some number.
#[derive(Debug)]
pub(crate) struct Since {
    pub(crate) epoch: u64,
    pub(crate) last: u64,
    pub(crate) missed: u64,
    pub(crate) events: Vec<Event>,
}

impl EventLog {
    /// An empty history; `started` names its epoch.
    pub(crate) fn new(started: SystemTime) -> Self {
        Self { epoch: Moment::from(started).unix_ms(), last: 0, events: VecDeque::with_capacity(64) }
    }

    /// Adds one.
    pub(crate) fn add(&mut self, severity: Severity, kind: EventKind, subject: Option<String>, text: String) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.last += 1;
        let at = Moment::from(SystemTime::now());
        self.events.push_back(Event { sequence: self.last, at, severity, kind, subject, text });
    }

    /// Those with a larger sequence number, oldest first.
    pub(crate) fn since(&self, after: Option<u64>) -> Since {
        let after = after.unwrap_or(0);
        let events: Vec<Event> = self.events.iter().filter(|event| event.sequence > after).cloned().collect();
        let first_kept = self.events.front().map_or(self.last + 1, |event| event.sequence);
        let missed = first_kept.saturating_sub(after + 1);
        Since { epoch: self.epoch, last: self.last, missed, events }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: usize) -> EventLog {
        let mut log = EventLog::new(SystemTime::UNIX_EPOCH);
        for number in 1..=count {
            log.add(Severity::Info, EventKind::Health, None, format!("event {number}"));
        }
        log
    }

    #[test]
    fn a_reader_gets_what_it_has_not_seen() {
        let since = filled(3).since(Some(1));
        assert_eq!((since.last, since.missed), (3, 0));
        assert_eq!(since.events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_reader_that_was_away_too_long_is_told_what_it_missed() {
        let since = filled(KEPT + 10).since(Some(4));
        assert_eq!(since.missed, 6);
        assert_eq!(since.events.len(), KEPT);
    }
}
