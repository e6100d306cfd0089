//! How things stand, as values for the status, the metrics and the other processes.

use std::net::IpAddr;
use std::time::Duration;

use fmc_config::model::name::{NodeName, VipName};
use serde::{Deserialize, Serialize};

use super::lateness::LatenessSummary;
use super::mismatch::Mismatch;
use crate::boot_instant::BootInstant;
use crate::heartbeat::session::Rejected;
use crate::packet::Discarded;
use crate::realtime::Realtime;
use crate::router::Statistics;
use crate::router::role::{Reason, Rival, Role};
use crate::tier::Tier;

/// The whole keeper at one moment. Instants are CLOCK_BOOTTIME, the same clock in every process of the machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was made.
    pub at: BootInstant,
    /// Every VIP, in the order of the settings.
    pub vips: Vec<VipSnapshot>,
    /// Every other node, in the order of the settings.
    pub peers: Vec<PeerSnapshot>,
    /// Every interface that carries a VIP, once for each family that is elected there.
    pub interfaces: Vec<InterfaceSnapshot>,
    /// How late the election thread wakes.
    pub lateness: LatenessSummary,
    /// What the kernel granted.
    pub realtime: Realtime,
    /// Until when fail-back is held.
    pub held_until: Option<BootInstant>,
    /// Heartbeats that were refused.
    pub heartbeats_refused: HeartbeatsRefused,
    /// Heartbeats and adverts that the kernel did not take.
    pub sends_failed: u64,
}

/// Heartbeats that had no effect, since the keeper started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeartbeatsRefused {
    /// From the addresses of other nodes, in the order of [`Rejected::COUNTERS`].
    pub rejected: [u64; Rejected::COUNTERS.len()],
    /// From other addresses.
    pub strangers: u64,
}

impl HeartbeatsRefused {
    /// Each reason and its count.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Rejected::COUNTERS.into_iter().zip(self.rejected).chain([("stranger", self.strangers)])
    }
}

/// One virtual router.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VipSnapshot {
    /// As in the settings.
    pub name: VipName,
    /// The address.
    pub address: IpAddr,
    /// The VIP whose election this one goes with; what is said of the role is said of that election.
    pub follows: Option<VipName>,
    /// VRID.
    pub virtual_router_id: u8,
    /// The interface it lives on.
    pub interface: String,
    /// What it is.
    pub role: Role,
    /// Since when.
    pub since: BootInstant,
    /// Why.
    pub reason: Reason,
    /// What it advertises, or would.
    pub priority: u8,
    /// How fit this node is.
    pub tier: Tier,
    /// The address is on this node.
    pub installed: bool,
    /// The last advert of another router.
    pub last_heard: Option<LastHeard>,
    /// Routers that speak for it and are configured otherwise.
    pub mismatches: Vec<Mismatch>,
    /// Counters since the start.
    pub statistics: Statistics,
}

/// An accepted advert of another router.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastHeard {
    /// Whose, and with what priority.
    pub rival: Rival,
    /// When.
    pub at: BootInstant,
}

/// Another node, by its heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSnapshot {
    /// As in the settings.
    pub name: NodeName,
    /// Where it is.
    pub address: IpAddr,
    /// Where its advertisements come from, as it last said: link-local addresses among them, which no configuration knows.
    pub sources: Vec<IpAddr>,
    /// Since its last accepted heartbeat; `None` before the first.
    pub heartbeat_age: Option<Duration>,
    /// Of its configuration; `None` before the first.
    pub config_hash: Option<u64>,
    /// What it last said of the VIPs.
    pub vips: Vec<PeerVip>,
}

/// What another node last said of a VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerVip {
    /// Which one.
    pub vip: VipName,
    /// Its role there.
    pub role: Role,
    /// How fit that node is.
    pub tier: Tier,
    /// A proxy answers there.
    pub serving: bool,
}

/// One interface, as the elections of one family have it: with both it stands twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSnapshot {
    /// Its name.
    pub name: String,
    /// Up, with carrier and with our own address.
    pub up: bool,
    /// Source of our adverts.
    pub primary: IpAddr,
    /// Discarded packets by reason, in the order of [`Discarded::COUNTERS`].
    pub discarded: [u64; Discarded::COUNTERS.len()],
    /// Packets that the kernel dropped because the receive buffer was full.
    pub overflowed: u32,
}
