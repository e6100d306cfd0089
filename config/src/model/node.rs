//! The balancers that share the virtual addresses.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::name::NodeName;

/// One balancer: who it is, where it is, and its place in the order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// As typed in `[nodes]`.
    pub name: NodeName,
    /// The address it owns for itself; it knows itself by it, and heartbeats go there.
    pub address: IpAddr,
    /// The interface its VIPs live on when a VIP does not name one; `None`: the one that holds `address`.
    pub interface: Option<InterfaceName>,
    /// Further addresses of the same machine: on a VIP's network that `address` is not in, its adverts come from there.
    pub other_addresses: Vec<IpAddr>,
    /// 0 for the first node of `[nodes]`; ranks nodes inside a priority tier.
    pub rank: u8,
}

impl Node {
    /// Whether `address` is one of its own.
    pub fn owns(&self, address: IpAddr) -> bool {
        self.address == address || self.other_addresses.contains(&address)
    }
}

/// The name of a network interface: 1 to 15 bytes, no blank, no slash (`IFNAMSIZ`, netdevice(7)).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InterfaceName(String);

/// Why a text cannot be the name of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an interface name has 1 to 15 characters, no blank and no '/'")]
pub struct InterfaceNameError;

impl InterfaceName {
    /// The name as the kernel spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for InterfaceName {
    type Err = InterfaceNameError;

    fn from_str(text: &str) -> Result<Self, InterfaceNameError> {
        let legal = |c: char| c.is_ascii_graphic() && c != '/' && c != ':';
        if (1..=15).contains(&text.len()) && text.chars().all(legal) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InterfaceNameError)
        }
    }
}

impl TryFrom<String> for InterfaceName {
    type Error = InterfaceNameError;

    fn try_from(text: String) -> Result<Self, InterfaceNameError> {
        text.parse()
    }
}

impl From<InterfaceName> for String {
    fn from(name: InterfaceName) -> Self {
        name.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
