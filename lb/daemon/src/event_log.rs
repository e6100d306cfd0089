//! What happened here, and on the other nodes as far as they told: the last of it in memory, for `fmc-lbctl events`.

use std::collections::VecDeque;
use std::time::SystemTime;

use fmc_api::Moment;
use fmc_api::events::{Event, EventKind};
use fmc_api::word::Severity;
use fmc_config::model::name::NodeName;

/// Events kept; the oldest leaves when one more comes, and readers are told how many they missed.
const KEPT: usize = 2000;

/// A bounded history with gapless sequence numbers.
#[derive(Debug)]
pub(crate) struct EventLog {
    /// This node.
    node: NodeName,
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
    pub(crate) fn new(node: NodeName, started: SystemTime) -> Self {
        Self { node, epoch: Moment::from(started).unix_ms(), last: 0, events: VecDeque::with_capacity(64) }
    }

    /// Adds one of this node.
    pub(crate) fn add(&mut self, severity: Severity, kind: EventKind, subject: Option<String>, text: String) {
        let (at, node) = (Moment::from(SystemTime::now()), self.node.clone());
        self.put(Event { sequence: 0, at, node, severity, kind, subject, text });
    }

    /// Takes in what happened on another node.
    pub(crate) fn take_in(&mut self, events: Vec<Event>) {
        events.into_iter().for_each(|event| self.put(event));
    }

    fn put(&mut self, event: Event) {
        if self.events.len() == KEPT {
            self.events.pop_front();
        }
        self.last += 1;
        self.events.push_back(Event { sequence: self.last, ..event });
    }

    /// The next `most` events of this node itself after some number, for another node.
    pub(crate) fn of_this_node(&self, after: Option<u64>, most: usize) -> Since {
        let since = self.since(after);
        let own = since.events.into_iter().filter(|event| event.node == self.node);
        Since { events: own.take(most).collect(), ..since }
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

    fn node(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    fn filled(count: usize) -> EventLog {
        let mut log = EventLog::new(node("loadbalancer1"), SystemTime::UNIX_EPOCH);
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

    #[test]
    fn the_events_of_another_node_are_numbered_here_and_not_told_to_it_again() {
        let mut log = filled(2);
        let mut theirs = EventLog::new(node("loadbalancer2"), SystemTime::UNIX_EPOCH);
        theirs.add(Severity::Info, EventKind::Health, None, "over there".to_owned());
        log.take_in(theirs.of_this_node(None, 9).events);
        log.add(Severity::Info, EventKind::Health, None, "event 4".to_owned());
        let all: Vec<_> = log.since(None).events.into_iter().map(|event| (event.sequence, event.node)).collect();
        assert_eq!(all[2], (3, node("loadbalancer2")));
        let own: Vec<_> = log.of_this_node(Some(1), 9).events.into_iter().map(|event| event.sequence).collect();
        assert_eq!(own, [2, 4]);
        assert_eq!(log.of_this_node(None, 1).events.len(), 1, "the rest comes with the next question");
    }
}
