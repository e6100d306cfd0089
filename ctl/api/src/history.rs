//! `GET /v1/history`: the last minutes in cells of a few seconds, for charts. The first cell of every list is the oldest, the last one
//! ended at most one interval ago; a frontend or server that is new has fewer.

use fmc_config::model::name::{BackendName, FrontendName, NodeName, ServerName};
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::word::Seen;

/// Everything that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryList {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// What one cell covers.
    pub interval_ms: u64,
    /// In the order of the configuration.
    pub frontends: Vec<FrontendHistory>,
    /// In the order of the configuration.
    pub servers: Vec<ServerHistory>,
}

/// What a frontend has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendHistory {
    /// As in `[frontends.NAME]`.
    pub name: FrontendName,
    /// Connections accepted in each cell.
    pub accepted: Vec<u64>,
    /// Connections open at its end.
    pub open: Vec<u64>,
    /// Bytes relayed in each cell, both directions.
    pub relayed_bytes: Vec<u64>,
}

/// How a server has been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerHistory {
    /// As in `[backends.NAME]`.
    pub backend: BackendName,
    /// Unique in its backend.
    pub name: ServerName,
    /// The worst that was seen of it in each cell.
    pub seen: Vec<Seen>,
    /// Connections that it accepted in each cell.
    pub connections: Vec<u64>,
    /// How long these took to open on average; `null` where there were none.
    pub connect_ms: Vec<Option<f64>>,
}
