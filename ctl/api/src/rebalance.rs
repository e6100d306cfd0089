//! `POST /v1/rebalance`: idle connections of servers with more than their share are closed, so that their clients come back
//! elsewhere.

use std::num::NonZeroU16;

use fmc_config::model::name::{BackendName, ServerName};
use serde::{Deserialize, Serialize};

use crate::Moment;

/// Body of `POST /v1/rebalance`. Answered when it is done, after five minutes at most; a caller that hangs up ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebalance {
    /// Whose servers.
    pub backend: BackendName,
    /// Only connections on which no byte has moved for so long.
    #[serde(default = "five_seconds")]
    pub idle_ms: u64,
    /// At most so many are closed in a second, 1-1000.
    #[serde(default = "ten")]
    pub per_second: NonZeroU16,
    /// Say what would be closed, and close nothing.
    #[serde(default)]
    pub dry_run: bool,
}

impl Rebalance {
    /// The most that may be closed in a second.
    pub const FASTEST: u16 = 1000;
}

const fn five_seconds() -> u64 {
    5000
}

const fn ten() -> NonZeroU16 {
    NonZeroU16::new(10).expect("10 is not 0")
}

/// What was closed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RebalanceAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// Nothing was closed.
    pub dry_run: bool,
    /// Whose servers.
    pub backend: BackendName,
    /// Those that take new connections, in the order of the configuration.
    pub servers: Vec<ServerShare>,
    /// How it went.
    pub outcome: RebalanceOutcome,
}

/// One server's connections and how many of them are too many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerShare {
    /// Unique in its backend.
    pub name: ServerName,
    /// In force.
    pub weight: u16,
    /// Open when the command came.
    pub connections: u64,
    /// The most it may have: its share of all by weight and a fifth.
    pub limit: u64,
    /// Of its connections, those idle for long enough when the command came.
    pub idle: u64,
    /// Closed on it; in a dry run, those that would be.
    pub closed: u64,
    /// Open now.
    pub connections_after: u64,
}

/// How a rebalance went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum RebalanceOutcome {
    /// No server was over its limit: nothing to do.
    Even,
    /// A dry run: they would be closed.
    WouldClose {
        /// At the rate that was asked for.
        takes_ms: u64,
    },
    /// No server is over its limit any more.
    Evened {
        /// From the command on.
        took_ms: u64,
    },
    /// It ended, or would, with servers over their limits.
    StillUneven {
        /// So many connections over them in all.
        over: u64,
        /// One sentence.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_alone_is_a_whole_command() {
        let rebalance: Rebalance = serde_json::from_str(r#"{"backend":"masters"}"#).unwrap();
        assert_eq!((rebalance.idle_ms, rebalance.per_second.get(), rebalance.dry_run), (5000, 10, false));
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        assert!(serde_json::from_str::<Rebalance>(r#"{"backend":"masters","per_second":0}"#).is_err());
    }
}
