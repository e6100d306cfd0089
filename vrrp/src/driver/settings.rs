//! What the keeper is told: the part of the configuration that concerns the election, for one node.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use fmc_config::model::Config;
use fmc_config::model::backend::Backend;
use fmc_config::model::election::{Centiseconds, Failback, Transport, Version};
use fmc_config::model::family::Family;
use fmc_config::model::frontend::Frontend;
use fmc_config::model::name::{NodeName, VipName};
use fmc_config::model::node::{InterfaceName, Node};
use fmc_config::model::vip::{Vip, VirtualRouterId};
use serde::{Deserialize, Serialize};

use super::advert_keys::{AdvertKey, AdvertKeys};
use crate::packet::multicast_group;

/// Everything that the keeper needs; it crosses from the proxy, which alone reads files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeeperSettings {
    /// This node.
    pub node: NodeName,
    /// Its place in `[nodes]`, 0 first.
    pub rank: u8,
    /// Its own address.
    pub address: IpAddr,
    /// Further ones of its own.
    pub other_addresses: Vec<IpAddr>,
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
    pub address: IpAddr,
    /// Further ones of its own.
    pub other_addresses: Vec<IpAddr>,
    /// Its place in `[nodes]`.
    pub rank: u8,
}

/// One virtual address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VipSettings {
    /// As in `[vips.NAME]`.
    pub name: VipName,
    /// The address.
    pub address: IpAddr,
    /// VRID.
    pub virtual_router_id: VirtualRouterId,
    /// Where it lives on this node; `None`: on the interface that holds the node's address.
    pub interface: Option<InterfaceName>,
    /// It is at the virtual router's own MAC address (RFC 9568 §7.3), not at that of the card.
    pub virtual_mac: bool,
    /// How long a fall that the servers caused must last before it acts.
    pub settle: Duration,
    /// The others that the same election gives to the same owner, in the order of their adverts.
    pub followers: Vec<FollowerSettings>,
}

/// A virtual address that goes where another one goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowerSettings {
    /// As in `[vips.NAME]`.
    pub name: VipName,
    /// The address.
    pub address: IpAddr,
    /// Where it lives on this node; `None`: on the interface that holds the node's address.
    pub interface: Option<InterfaceName>,
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
        let elected = config.vips.iter().filter(|vip| vip.follows.is_none());
        Ok(Self {
            node: own.name.clone(),
            rank: own.rank,
            address: own.address,
            other_addresses: own.other_addresses.clone(),
            peers: config.nodes.iter().filter(|other| other.name != own.name).map(PeerSettings::of).collect(),
            vips: elected.map(|vip| VipSettings::of(vip, own, config)).collect(),
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
    /// Where adverts of this family go.
    pub fn destinations(&self, family: Family) -> impl Iterator<Item = IpAddr> + '_ {
        let group = (self.transport == Transport::Multicast).then(|| multicast_group(family));
        let peers = self.peers.iter().filter(|_| self.transport == Transport::Unicast);
        group.into_iter().chain(peers.filter_map(move |peer| peer.address_in(family)))
    }
}

impl PeerSettings {
    fn of(node: &Node) -> Self {
        let Node { name, address, interface: _, other_addresses, rank } = node;
        Self { name: name.clone(), address: *address, other_addresses: other_addresses.clone(), rank: *rank }
    }

    /// The first of its addresses that is of this family.
    pub fn address_in(&self, family: Family) -> Option<IpAddr> {
        std::iter::once(&self.address).chain(&self.other_addresses).copied().find(|own| Family::of(*own) == family)
    }
}

impl VipSettings {
    fn of(vip: &Vip, own: &Node, config: &Config) -> Self {
        Self {
            name: vip.name.clone(),
            address: vip.address,
            virtual_router_id: vip.virtual_router_id,
            interface: vip.interface_on(own).cloned(),
            virtual_mac: vip.virtual_mac,
            settle: settle(vip, config),
            followers: config
                .elected_with(&vip.name)
                .skip(1)
                .map(|follower| FollowerSettings::of(follower, own))
                .collect(),
        }
    }

    /// The names of all that the election is about, its own first.
    pub fn names(&self) -> impl Iterator<Item = &VipName> {
        std::iter::once(&self.name).chain(self.followers.iter().map(|follower| &follower.name))
    }

    /// All addresses that it gives away, its own first.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        std::iter::once(self.address).chain(self.followers.iter().map(|follower| follower.address))
    }

    /// That of its virtual router; those that follow may be of the other.
    pub fn family(&self) -> Family {
        Family::of(self.address)
    }

    /// Where each of its addresses lives, its own first.
    pub fn interfaces(&self) -> impl Iterator<Item = Option<&InterfaceName>> {
        std::iter::once(&self.interface)
            .chain(self.followers.iter().map(|follower| &follower.interface))
            .map(Option::as_ref)
    }
}

/// An interface by its name, if it has one in the settings, and the family of the adverts there.
pub(super) type Place<'a> = (Option<&'a InterfaceName>, Family);

impl VipSettings {
    /// The same with the family of the election, by which an interface has sockets.
    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.interfaces().map(|interface| (interface, self.family()))
    }
}

impl FollowerSettings {
    fn of(vip: &Vip, own: &Node) -> Self {
        Self { name: vip.name.clone(), address: vip.address, interface: vip.interface_on(own).cloned() }
    }
}

/// Two detection times of the slowest check behind the addresses of the election: both nodes have seen by then what there is to see.
fn settle(vip: &Vip, config: &Config) -> Duration {
    let names: Vec<_> = config.elected_with(&vip.name).map(|other| &other.name).collect();
    let is_behind =
        |backend: &Backend, frontend: &Frontend| names.contains(&&frontend.vip) && frontend.backend == backend.name;
    let behind = config.backends.iter().filter(|backend| config.frontends.iter().any(|f| is_behind(backend, f)));
    behind.map(|backend| backend.check.detection_time() * 2).max().unwrap_or_default()
}
