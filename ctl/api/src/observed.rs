//! `GET /v1/observed`: what a node that only observes saw of those who serve, and what it would have done.

use std::net::IpAddr;

use fmc_config::model::name::{BackendName, NodeName, ServerName, VipName};
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::word::Comparison;

/// Sums since the observation began, over restarts, and the newest things seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// When it began.
    pub since: Moment,
    /// In the order of the configuration.
    pub vips: Vec<ObservedVip>,
    /// In the order of the configuration; those that were never out are left out.
    pub servers: Vec<ObservedServer>,
    /// Oldest first.
    pub notes: Vec<ObservedNote>,
}

/// What others did with one VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedVip {
    /// As in `[vips.NAME]`.
    pub name: VipName,
    /// Its address.
    pub address: IpAddr,
    /// How often it went from one router to another.
    pub moves: u64,
    /// How often its owner said nothing for three intervals, and went on.
    pub silences: u64,
    /// How often two routers advertised it at once.
    pub contests: u64,
    /// Between the last word of one owner and the first of the next, all moves together.
    pub took_ms: u64,
    /// What the same moves would have taken by this configuration.
    pub would_have_taken_ms: u64,
    /// For how long the router of this machine owned it while it could not serve it, by this node's checks.
    pub kept_while_unfit_ms: u64,
}

/// What this node's checks found of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedServer {
    /// Its backend.
    pub backend: BackendName,
    /// Unique in its backend.
    pub name: ServerName,
    /// How often it would have been out of service.
    pub times_out: u64,
    /// For how long, all times together.
    pub out_ms: u64,
}

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedNote {
    /// When.
    pub at: Moment,
    /// What it was about: `vip api`, `masters/master2`.
    pub subject: String,
    /// One sentence, with what this balancer would have done.
    pub text: String,
    /// Which of the two would have been better for clients.
    pub comparison: Comparison,
}
