//! What a virtual router is, why it became that, and what keeps it from taking part. [core]

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::boot_instant::BootInstant;
use crate::priority::Priority;
use crate::tier::Tier;

/// The state of a virtual router (RFC 9568 §6.4), and one of ours: Leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Takes no part.
    Initialize,
    /// Watches the Active router.
    Backup,
    /// Owns the address and advertises.
    Active,
    /// Has given the address away but serves it until somebody takes it.
    Leaving,
}

impl Role {
    /// Whether the address is on this node.
    pub const fn holds_address(self) -> bool {
        matches!(self, Self::Active | Self::Leaving)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initialize => "Initialize",
            Self::Backup => "Backup",
            Self::Active => "Active",
            Self::Leaving => "Leaving",
        })
    }
}

/// What keeps a virtual router in Initialize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Obstacle {
    /// It was not started, or it was shut down.
    Stopped,
    /// Its interface has no carrier, no address of its own, or is gone.
    LinkDown,
    /// No proxy answers on the address.
    NotServing,
    /// Somebody keeps removing the address from the interface.
    AddressContested,
    /// The kernel, or our address thread, does not answer when asked for the address.
    AddressUnanswered,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stopped => "it is stopped",
            Self::LinkDown => "its interface is down or has no address",
            Self::NotServing => "no proxy answers on the address",
            Self::AddressContested => "somebody on this node keeps removing the address",
            Self::AddressUnanswered => "nothing answers the request to install the address",
        })
    }
}

/// Another router that advertised the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rival {
    /// Source of its advertisement.
    pub source: IpAddr,
    /// What it advertised.
    pub priority: Priority,
}

/// Why a role changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// Nothing keeps it from taking part any more; it listens first.
    Ready,
    /// It met an obstacle.
    Obstacle(Obstacle),
    /// Active_Down_Timer ran out; the span since the last advertisement, if there ever was one.
    Silence(Option<Duration>),
    /// The Active router resigned (priority 0, or a heartbeat that said so).
    Resigned(IpAddr),
    /// The Active router is in a worse tier than this one.
    BetterTier {
        /// This node's.
        ours: Tier,
        /// The Active one's, as its priority says.
        theirs: Tier,
    },
    /// The Active router ranks below this one and fail-back is due.
    Failback(Rival),
    /// The heartbeat that had held the claim back stopped.
    HeartbeatSilent(u8),
    /// The node of this rank asked for the take-over.
    ClaimRequested(u8),
    /// Another Active router ranks above this one.
    Outranked(Rival),
    /// The heartbeat of the node of this rank says that it is Active and it ranks above this one.
    OutrankedByHeartbeat(u8),
    /// Another node took over while this one was stalled.
    Displaced(Rival),
    /// Our own timers were so late that the address may have expired.
    Stalled(Duration),
    /// The kernel let the address expire.
    AddressExpired,
    /// An operator asked for the move, to the node of this rank if any is named.
    MoveRequested(Option<u8>),
    /// This node is no longer fit, by its own fault.
    LocalFault(Tier),
    /// It is being shut down and lets another take over first.
    ShuttingDown,
    /// The node that was waited for has taken over.
    TakenOver(IpAddr),
    /// Nobody took the address over in time.
    NobodyTookOver,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready to take part, listening first"),
            Self::Obstacle(obstacle) => obstacle.fmt(f),
            Self::Silence(None) => f.write_str("no advertisement was ever heard"),
            Self::Silence(Some(span)) => write!(f, "no advertisement for {} ms", span.as_millis()),
            Self::Resigned(source) => write!(f, "{source} resigned"),
            Self::BetterTier { ours, theirs } => write!(f, "this node is {ours}, the Active one {theirs}"),
            Self::Failback(rival) => write!(f, "fail-back from {rival} is due"),
            Self::HeartbeatSilent(rank) => write!(f, "node {rank} no longer says that it is Active"),
            Self::ClaimRequested(rank) => write!(f, "node {rank} asked for the take-over"),
            Self::Outranked(rival) => write!(f, "{rival} is Active and ranks above"),
            Self::OutrankedByHeartbeat(rank) => {
                write!(f, "node {rank} says by heartbeat that it is Active and ranks above")
            }
            Self::Displaced(rival) => write!(f, "{rival} took over while this node was stalled"),
            Self::Stalled(span) => write!(f, "this node was stalled for {} ms", span.as_millis()),
            Self::AddressExpired => f.write_str("the kernel let the address expire"),
            Self::MoveRequested(None) => f.write_str("an operator asked for the move"),
            Self::MoveRequested(Some(rank)) => write!(f, "an operator asked for the move to node {rank}"),
            Self::LocalFault(tier) => write!(f, "this node became {tier} by its own fault"),
            Self::ShuttingDown => f.write_str("it is being shut down"),
            Self::TakenOver(source) => write!(f, "{source} has taken over"),
            Self::NobodyTookOver => f.write_str("nobody took the address over"),
        }
    }
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (priority {})", self.source, self.priority)
    }
}

/// One change of role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoleChange {
    /// Before.
    pub from: Role,
    /// After.
    pub to: Role,
    /// Why.
    pub reason: Reason,
    /// When.
    pub at: BootInstant,
}
