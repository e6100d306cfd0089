//! `GET /v1/events`: what happened here and, as far as they told, on the other nodes; the last of it is kept in memory.

use std::fmt;

use fmc_config::model::name::NodeName;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::query::{QueryError, QueryPairs, pairs};
use crate::word::Severity;

/// Some of what happened, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventList {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// Changes when the proxy restarts; sequence numbers of two epochs do not compare.
    pub epoch: u64,
    /// Ask with `after` this number for what follows.
    pub last: u64,
    /// Events between `after` and the first one below that are no longer kept.
    pub missed: u64,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up from 1 without gaps, in the order in which the answering node learned of it.
    pub sequence: u64,
    /// When, by the clock of the node that it happened on.
    pub at: Moment,
    /// The node that it happened on: the nodes tell each other.
    pub node: NodeName,
    /// How soon a person should look.
    pub severity: Severity,
    /// What kind of thing.
    pub kind: EventKind,
    /// What it happened to: `vip api`, `masters/master2`, `keeper`; `null` when it is the node.
    pub subject: Option<String>,
    /// One sentence.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A VIP came or went.
    Role,
    /// A node became fitter or less fit for a VIP.
    Fitness,
    /// A server's health changed.
    Health,
    /// An operator's command was done.
    Command,
    /// A process started, ended or froze.
    Process,
    /// A peer appeared, went silent, or disagrees.
    Peer,
    /// A configuration came into force, or was refused.
    Configuration,
    /// An observer saw something that it would have done otherwise, or alike.
    Observed,
    /// A bound was reached: descriptors, connections, memory.
    Limit,
    /// A newer daemon's kind that this reader does not know.
    #[serde(other)]
    Other,
}

/// Which events are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventQuery {
    /// Only those with a larger sequence number; `None`: all that are kept.
    pub after: Option<u64>,
}

impl EventQuery {
    /// From the part of a request target after `?`.
    ///
    /// # Errors
    /// An unknown key, a key given twice, or a value that is not a number.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut this = Self::default();
        for pair in pairs(query) {
            let pair = pair?;
            match pair.key() {
                "after" => pair.once(&mut this.after)?,
                _ => return Err(pair.unknown(&["after"])),
            }
        }
        Ok(this)
    }
}

impl fmt::Display for EventQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        QueryPairs::new(f).put("after", &self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_from_a_newer_daemon_is_other() {
        assert_eq!(serde_json::from_str::<EventKind>("\"weather\"").unwrap(), EventKind::Other);
    }

    #[test]
    fn a_query_comes_back_as_it_was_asked() {
        let query = EventQuery { after: Some(41) };
        assert_eq!(query.to_string(), "after=41");
        assert_eq!(EventQuery::parse("after=41"), Ok(query));
        assert_eq!(EventQuery::parse(""), Ok(EventQuery::default()));
    }
}
