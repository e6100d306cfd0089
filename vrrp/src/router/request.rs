//! What others ask of a virtual router, and how it refuses. [core]

use serde::{Deserialize, Serialize};

use super::role::Obstacle;
use crate::tier::Tier;

/// Whether the interface can carry the virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Carrier, and an own primary address.
    Up,
    /// No carrier, no primary address, or no interface.
    Down,
}

/// How an address is not on the interface though it should be, without our doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressLoss {
    /// Its lifetime ran out: it was not renewed for a whole lease.
    Expired,
    /// Somebody removed it while its lease was fresh, or refused it.
    Removed,
    /// It was asked for, and for half a lease nobody answered.
    Unanswered,
}

/// What a shutdown waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linger {
    /// Serve until another node has taken over, for one interval and a little.
    UntilTaken,
    /// Resign and remove the address now.
    None,
}

/// Why a planned move does not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum MoveRefused {
    /// There is nothing to move.
    #[error("this node does not own the address")]
    NotActive,
    /// It is being moved already.
    #[error("the address is being moved already")]
    Leaving,
    /// No such node, or this one.
    #[error("node {0} is not another node of [nodes]")]
    UnknownNode(u8),
    /// A node that cannot be asked.
    #[error("no heartbeat from node {0}")]
    Silent(u8),
    /// A node that would refuse.
    #[error("node {0} does not serve the address")]
    NotServing(u8),
    /// A node from which this one would take the address back at once.
    #[error("node {0} is only {1}")]
    Worse(u8, Tier),
    /// All other nodes are heard, and each is worse or does not serve.
    #[error("no other node is as fit as this one")]
    NobodyAsFit,
}

/// Why a request to take over is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this node cannot take the address: {0}")]
pub struct ClaimRefused(pub Obstacle);
