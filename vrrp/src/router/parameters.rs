//! Parameters per virtual router (RFC 9568 §6.1), and ours. [core]

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use fmc_config::model::election::{Centiseconds, Failback, Transport, Version};
use fmc_config::model::family::Family;
use fmc_config::model::vip::VirtualRouterId;

use crate::tier::{RANKS, TierPriorities};

/// Every other node of `[nodes]`.
pub const MAX_PEERS: usize = RANKS as usize - 1;

/// What one virtual router on one node is told by its configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// VRID.
    pub virtual_router_id: VirtualRouterId,
    /// The virtual address; of several the first one advertised, which heartbeats name.
    pub address: IpAddr,
    /// The other addresses that it gives to the same owner, in the order of its advertisements.
    pub others: Vec<IpAddr>,
    /// This node's own primary address on the interface: source of its advertisements, and the tie-break (RFC 9568 §6.4.3).
    pub source: IpAddr,
    /// This node's place in `[nodes]`.
    pub rank: u8,
    /// What is spoken.
    pub version: Version,
    /// To whom.
    pub transport: Transport,
    /// Advertisement_Interval.
    pub interval: Centiseconds,
    /// What this node advertises in each tier, and how peers' priorities are read.
    pub priorities: TierPriorities,
    /// Preempt_Mode inside a tier.
    pub failback: Failback,
    /// How long a fall that the servers caused must stay, with a better peer, before it acts: two detection times.
    pub settle: Duration,
    /// The kernel lifetime of the address; being later than half of it means that the address may be gone.
    pub lease: Duration,
    /// The other nodes.
    pub peers: ArrayVec<Peer, MAX_PEERS>,
}

impl Parameters {
    /// Every address that advertisements name, in their order: those of the other family are not among them (RFC 9568 §5.2.9).
    pub fn advertised(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let family = Family::of(self.address);
        let others = self.others.iter().copied().filter(move |other| Family::of(*other) == family);
        std::iter::once(self.address).chain(others)
    }
}

/// Another node of `[nodes]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its place in `[nodes]`; not this node's own.
    pub rank: u8,
    /// Where its advertisements come from, as far as configured. A heartbeat that names another source replaces it: on a
    /// second bridge a node has an address that `[nodes]` does not know.
    pub source: IpAddr,
}
