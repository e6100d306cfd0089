//! What can happen to a virtual router. [core]

use std::time::Duration;

use fmc_config::model::election::Centiseconds;

use super::request::AddressLoss;
use super::role::{Obstacle, Rival, Role};
use crate::heartbeat::PeerReport;
use crate::tier::Tier;

/// Everything that can happen to a virtual router.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// No obstacle is left.
    Cleared,
    /// An obstacle is there.
    Blocked(Obstacle),
    ShutdownRequested,
    Heard(Heard),
    Deadline {
        late_by: Duration,
    },
    Peer(PeerHeard),
    FitnessChanged {
        advertised_before: Tier,
    },
    AddressLost(AddressLoss),
    MoveRequested(Option<u8>),
    ClaimRequested(u8),
}

/// An accepted advertisement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) rival: Rival,
    pub(super) interval: Centiseconds,
    /// The tier it was sent from when it came from a node of `[nodes]`.
    pub(super) tier: Option<Tier>,
}

/// An accepted heartbeat, and what that node was before.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerHeard {
    pub(super) rank: u8,
    pub(super) report: PeerReport,
    pub(super) before: Option<Role>,
}
