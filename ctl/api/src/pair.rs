//! What one node tells another over the pair's channel, each second.
//!
//! Nodes of two releases must understand each other while one is upgraded after the other: fields are added with a default, none
//! changes its meaning.

use std::fmt;

use fmc_config::model::name::{BackendName, NodeName, ServerName, VipName};
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::events::EventList;
use crate::failovers::FailoverReport;
use crate::query::{QueryError, QueryPairs, pairs};
use crate::status::Fitness;
use crate::word::{Health, Role};

/// Answer to `GET /v1/pair`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairReport {
    /// The answering node's clock, for people: nothing is decided by it.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// Of the running binary.
    pub version: String,
    /// As in `status`; equal on nodes that agree.
    pub config_hash: String,
    /// That configuration waits to be confirmed.
    #[serde(default)]
    pub on_trial: bool,
    /// The last trial that was confirmed there; `null`: none since its proxy started.
    #[serde(default)]
    pub confirmed: Option<TrialId>,
    /// Hexadecimal digest of what operators asked of any node and server; equal on nodes that agree.
    pub administrative: String,
    /// Relays open now.
    pub connections: u64,
    /// Every server.
    #[serde(default)]
    pub servers: Vec<Opinion>,
    /// Its part in every VIP.
    #[serde(default)]
    pub vips: Vec<Part>,
    /// Its newest reports of VIPs that came or went.
    #[serde(default)]
    pub failovers: Vec<FailoverReport>,
    /// What happened on that node, the next of it.
    pub events: EventList,
}

/// A trial, by the order that began it: its place among all orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialId {
    /// Counts up over the pair's life.
    pub count: u64,
    /// The node on which it was asked: two nodes may have counted alike.
    pub by: NodeName,
}

/// A node's part in a VIP, with what heartbeats are too short to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Which VIP.
    pub vip: VipName,
    /// What it is there.
    pub role: Role,
    /// For how long.
    pub for_ms: u64,
    /// Why it became that.
    pub reason: String,
    /// What it advertises, or would.
    pub priority: u8,
    /// How well it could serve it.
    pub fitness: Fitness,
}

/// What a node thinks of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Its backend.
    pub backend: BackendName,
    /// Its name.
    pub server: ServerName,
    /// What the node's own probes say.
    pub health: Health,
    /// Relays open on it from that node.
    pub connections: u64,
}

/// Which of its events a node is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairQuery {
    /// Only those with a larger sequence number; `None`: from the oldest on.
    pub after: Option<u64>,
}

impl PairQuery {
    /// Events in one answer at most; the rest comes with the next ones.
    pub const MOST_EVENTS: usize = 64;

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

impl fmt::Display for PairQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        QueryPairs::new(f).put("after", &self.after)
    }
}
