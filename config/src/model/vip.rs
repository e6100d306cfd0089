//! A virtual address and the virtual router that elects its owner.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};

use super::name::{NodeName, VipName};
use super::node::{InterfaceName, Node};

/// One virtual address; its owner is elected by a virtual router of its own, or by that of the VIP that it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vip {
    /// As typed in `[vips.NAME]`.
    pub name: VipName,
    /// The address clients connect to.
    pub address: IpAddr,
    /// The VIP whose owner owns this one too: one virtual router elects for both, and has both addresses. That one follows nobody.
    pub follows: Option<VipName>,
    /// VRID on the wire (RFC 9568 §5.2.3): that of the VIP it follows; by default the last octet of `address`.
    pub virtual_router_id: VirtualRouterId,
    /// It is at the virtual router's own MAC address (RFC 9568 §7.3), whichever node owns it; never of one that follows.
    pub virtual_mac: bool,
    /// The interface that carries it, per node; empty: each node's own default.
    pub interfaces: Vec<(NodeName, InterfaceName)>,
}

impl Vip {
    /// The VIP whose virtual router elects the owner: itself, unless it follows another.
    pub fn elected_as(&self) -> &VipName {
        self.follows.as_ref().unwrap_or(&self.name)
    }

    /// The interface this VIP lives on at `node`: its own word first, then the node's; `None`: the one that holds the node's address.
    pub fn interface_on<'a>(&'a self, node: &'a Node) -> Option<&'a InterfaceName> {
        let named = self.interfaces.iter().find(|(name, _)| *name == node.name);
        named.map(|(_, interface)| interface).or(node.interface.as_ref())
    }
}

/// A Virtual Router Identifier, 1-255 (RFC 9568 §5.2.3, §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VirtualRouterId(NonZeroU8);

impl VirtualRouterId {
    /// `None` for 0, which no virtual router may use.
    pub const fn new(id: u8) -> Option<Self> {
        match NonZeroU8::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// The number on the wire.
    pub const fn get(self) -> u8 {
        self.0.get()
    }
}

impl fmt::Display for VirtualRouterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
