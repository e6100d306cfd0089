//! What happened here, and on the other nodes as far as they told: the last of it in memory, for `fmc-lbctl events`.

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use fmc_api::Moment;
use fmc_api::events::{Event, EventKind, EventList};
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
    /// What each other node has told, whatever its key and its place in the configuration became since: one entry a name.
    told: BTreeMap<NodeName, Told>,
}

/// How far another node has told.
#[derive(Debug, Clone, Copy)]
struct Told {
    /// Of its numbers: a proxy that was replaced counts anew.
    epoch: u64,
    newest: u64,
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
        Self {
            node,
            epoch: Moment::from(started).unix_ms(),
            last: 0,
            events: VecDeque::with_capacity(64),
            told: BTreeMap::new(),
        }
    }

    /// Adds one of this node.
    pub(crate) fn add(&mut self, severity: Severity, kind: EventKind, subject: Option<String>, text: String) {
        let (at, node) = (Moment::from(SystemTime::now()), self.node.clone());
        self.put(Event { sequence: 0, at, node, severity, kind, subject, text });
    }

    /// After which of its events another node is to be asked for more; `None`: from the oldest on.
    pub(crate) fn newest_of(&self, node: &NodeName) -> Option<u64> {
        self.told.get(node).map(|told| told.newest)
    }

    /// Takes in what happened on another node, each event once.
    pub(crate) fn take_in(&mut self, list: EventList) {
        let EventList { node, epoch, events, .. } = list;
        let told = self.told.entry(node).or_insert(Told { epoch, newest: 0 });
        if told.epoch != epoch {
            // It was asked for what comes after a number of its former life: the next question is for all of this one.
            *told = Told { epoch, newest: 0 };
            return;
        }
        let known = told.newest;
        told.newest = events.last().map_or(known, |event| event.sequence.max(known));
        events.into_iter().filter(|event| event.sequence > known).for_each(|event| self.put(event));
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

    /// What a node answers to another one.
    fn list(name: &str, log: &EventLog, after: Option<u64>) -> EventList {
        let Since { epoch, last, missed, events } = log.of_this_node(after, 64);
        EventList { now: Moment::from_unix_ms(0), node: node(name), epoch, last, missed, events }
    }

    #[test]
    fn what_another_node_tells_twice_is_taken_in_once_and_a_new_life_of_it_from_its_beginning() {
        let (mut log, peer) = (filled(0), node("loadbalancer2"));
        let mut theirs = EventLog::new(peer.clone(), SystemTime::UNIX_EPOCH);
        theirs.add(Severity::Info, EventKind::Health, None, "before".to_owned());
        assert_eq!(log.newest_of(&peer), None);
        log.take_in(list("loadbalancer2", &theirs, None));
        log.take_in(list("loadbalancer2", &theirs, None));
        assert_eq!((log.since(None).events.len(), log.newest_of(&peer)), (1, Some(1)));

        let mut reborn = EventLog::new(peer.clone(), SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1));
        for text in ["first", "second"] {
            reborn.add(Severity::Info, EventKind::Health, None, text.to_owned());
        }
        for _ in 0..3 {
            log.take_in(list("loadbalancer2", &reborn, log.newest_of(&peer)));
        }
        let texts: Vec<_> = log.since(None).events.into_iter().map(|event| event.text).collect();
        assert_eq!(texts, ["before", "first", "second"]);
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
        log.take_in(list("loadbalancer2", &theirs, log.newest_of(&node("loadbalancer2"))));
        log.add(Severity::Info, EventKind::Health, None, "event 4".to_owned());
        let all: Vec<_> = log.since(None).events.into_iter().map(|event| (event.sequence, event.node)).collect();
        assert_eq!(all[2], (3, node("loadbalancer2")));
        let own: Vec<_> = log.of_this_node(Some(1), 9).events.into_iter().map(|event| event.sequence).collect();
        assert_eq!(own, [2, 4]);
        assert_eq!(log.of_this_node(None, 1).events.len(), 1, "the rest comes with the next question");
    }
}
