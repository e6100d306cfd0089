//! The model: what the configuration means, with every default filled in. Illegal values have no representation.

pub mod backend;
pub mod election;
pub mod frontend;
pub mod health_check;
pub mod name;
pub mod node;
pub mod service;
pub mod vip;

use backend::Backend;
use election::Election;
use frontend::Frontend;
use node::Node;
use service::{Admin, Limits, Pair};
use vip::Vip;

/// One whole configuration, the same on every node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// One to three, in order of preference.
    pub nodes: Vec<Node>,
    /// How owners are elected.
    pub election: Election,
    /// Every virtual address.
    pub vips: Vec<Vip>,
    /// Every service.
    pub frontends: Vec<Frontend>,
    /// Every group of servers.
    pub backends: Vec<Backend>,
    /// Heartbeat between the nodes.
    pub pair: Pair,
    /// Status page and metrics.
    pub admin: Admin,
    /// Bounds of the whole process.
    pub limits: Limits,
}
