//! The order of acts over all nodes. Counted and not timed: no clock of any node is asked (Lamport 1978).

use fmc_api::Asked;
use fmc_api::pair::TrialId;
use fmc_config::model::name::NodeName;
use serde::{Deserialize, Serialize};

/// An order's place among all orders of all nodes, and so its name: no two have the same. Whoever acts counts one further than
/// everything it has heard of; of two nodes that count the same at the same moment the name decides, on every node alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stamp {
    pub(crate) count: u64,
    /// The node on which it was asked.
    pub(crate) by: NodeName,
}

/// A trial has the name of the order that began it.
impl From<Stamp> for TrialId {
    fn from(Stamp { count, by }: Stamp) -> Self {
        Self { count, by }
    }
}

/// A command: who asked, when, and where it stands among the others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    pub(crate) asked: Asked,
    pub(crate) stamp: Stamp,
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "uid {} on {}", self.asked.uid, self.stamp.by)
    }
}
