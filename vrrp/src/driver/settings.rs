//! What the keeper is told: the part of the configuration that concerns the election, for one node.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use fmc_config::model::Config;
use fmc_config::model::backend::Backend;
use fmc_config::model::election::{Centiseconds, Failback, Transport, Version};
use fmc_config::model::frontend::Frontend;
use fmc_config::model::name::{NodeName, VipName};
use fmc_config::model::node::{InterfaceName, Node};
use fmc_config::model::vip::{Vip, VirtualRouterId};
use serde::{Deserialize, Serialize};

use super::advert_keys::{AdvertKey, AdvertKeys};
use crate::packet::MULTICAST_GROUP;

/// Everything that the keeper needs; it crosses from the proxy, which alone reads files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperSettings {
    /// This node.
    pub node: NodeName,
    /// Its place in `[nodes]`, 0 first.
    pub rank: u8,
    /// Its own address.
    pub address: Ipv4Addr,
    /// Every other node.
    pub peers: Vec<PeerSettings>,
    /// Every virtual address.
    pub vips: Vec<VipSettings>,
    /// Advertisement_Interval.
    pub interval: Centiseconds,
    /// Preempt_Mode inside a tier.
    pub failback: Failback,
    /// What the first node advertises when fit.
    pub priority: u8,
    /// The version of VRRP that every node speaks.
    pub version: Version,
    /// To whom adverts go.
    pub transport: Transport,
    /// UDP port of the heartbeat on every node.
    pub pair_port: NonZeroU16,
    /// Sign heartbeats; without one only their source is checked.
    pub keys: PairKeys,
    /// Sign adverts; without, none is signed and signed ones are not understood.
    pub auth_hmac: Option<AdvertKeys>,
    /// Of the whole configuration; heartbeats carry it, so that nodes that differ are noticed.
    pub config_hash: u64,
    /// Wish for SCHED_FIFO and locked memory.
    pub realtime: bool,
    /// Listen and report, never advertise nor install: `fmc-lb run --observe`.
    pub observe: bool,
}

/// Another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerSettings {
    /// As in `[nodes]`.
    pub name: NodeName,
    /// Heartbeats go there and come from there.
    pub address: Ipv4Addr,
    /// Its place in `[nodes]`.
    pub rank: u8,
}

/// One virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipSettings {
    /// As in `[vips.NAME]`.
    pub name: VipName,
    /// The address.
    pub address: Ipv4Addr,
    /// VRID.
    pub virtual_router_id: VirtualRouterId,
    /// Where it lives on this node; `None`: on the interface that holds the node's address.
    pub interface: Option<InterfaceName>,
    /// How long a fall that the servers caused must last before it acts.
    pub settle: Duration,
}

/// The secrets of the pair: the first signs, every one is accepted, so that a key can be replaced on one node after the other.
/// Never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairKeys(Vec<Vec<u8>>);

impl PairKeys {
    /// More than a rotation needs. Each one more is one more signature to try for each datagram of a forger.
    pub const MOST: usize = 4;

    /// The keys in their order, each of at least 32 bytes; those after [`PairKeys::MOST`] are not taken.
    pub fn new(mut keys: Vec<Vec<u8>>) -> Self {
        keys.truncate(Self::MOST);
        Self(keys)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key's bytes, the one that signs first.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }
}

impl fmt::Debug for PairKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PairKeys({} secrets)", self.0.len())
    }
}

/// What the files with keys hold; the configuration only names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Of `[pair] key_file`.
    pub pair: PairKeys,
    /// Of `[election] auth_hmac.key_file`.
    pub adverts: Vec<AdvertKey>,
}

/// The node is none of `[nodes]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not in [nodes]")]
pub struct UnknownNode(pub NodeName);

impl KeeperSettings {
    /// The part of `config` for `node`. The secrets are read by the caller, who also hashes the configuration.
    pub fn new(config: &Config, node: &NodeName, secrets: Secrets, config_hash: u64) -> Result<Self, UnknownNode> {
        let Secrets { pair, adverts } = secrets;
        let own = config.nodes.iter().find(|other| other.name == *node).ok_or_else(|| UnknownNode(node.clone()))?;
        let election = &config.election;
        Ok(Self {
            node: own.name.clone(),
            rank: own.rank,
            address: own.address,
            peers: config.nodes.iter().filter(|other| other.name != own.name).map(PeerSettings::of).collect(),
            vips: config.vips.iter().map(|vip| VipSettings::of(vip, own, config)).collect(),
            interval: election.interval,
            failback: election.failback,
            priority: election.priority,
            version: election.version,
            transport: election.transport,
            pair_port: config.pair.port,
            keys: pair,
            auth_hmac: election.auth_hmac.as_ref().map(|auth| AdvertKeys { mode: auth.mode, keys: adverts }),
            config_hash,
            realtime: true,
            observe: false,
        })
    }
}

impl KeeperSettings {
    /// Where adverts go.
    pub fn destinations(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let group = (self.transport == Transport::Multicast).then_some(MULTICAST_GROUP);
        let peers = self.peers.iter().filter(|_| self.transport == Transport::Unicast).map(|peer| peer.address);
        group.into_iter().chain(peers)
    }
}

impl PeerSettings {
    fn of(node: &Node) -> Self {
        Self { name: node.name.clone(), address: node.address, rank: node.rank }
    }
}

impl VipSettings {
    fn of(vip: &Vip, own: &Node, config: &Config) -> Self {
        Self {
            name: vip.name.clone(),
            address: vip.address,
            virtual_router_id: vip.virtual_router_id,
            interface: vip.interface_on(own).cloned(),
            settle: settle(vip, config),
        }
    }
}

/// Two detection times of the slowest check behind the address: both nodes have seen by then what there is to see.
fn settle(vip: &Vip, config: &Config) -> Duration {
    let is_behind =
        |backend: &Backend, frontend: &Frontend| frontend.vip == vip.name && frontend.backend == backend.name;
    let behind = config.backends.iter().filter(|backend| config.frontends.iter().any(|f| is_behind(backend, f)));
    behind.map(|backend| backend.check.detection_time() * 2).max().unwrap_or_default()
}
