//! A virtual address and the virtual router that elects its owner.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU8;

use serde::{Deserialize, Serialize};

use super::name::{NodeName, VipName};
use super::node::{InterfaceName, Node};

/// One virtual address; its ownership is elected by a virtual router of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vip {
    /// As typed in `[vips.NAME]`.
    pub name: VipName,
    /// The address clients connect to.
    pub address: Ipv4Addr,
    /// VRID on the wire (RFC 9568 §5.2.3); by default the last octet of `address`.
    pub virtual_router_id: VirtualRouterId,
    /// The interface that carries it, per node; empty: each node's own default.
    pub interfaces: Vec<(NodeName, InterfaceName)>,
}

impl Vip {
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
