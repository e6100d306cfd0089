//! What concerns the whole appliance: the pair's channel, the status addresses, the bounds.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// The heartbeat between nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// UDP port on every node.
    pub port: NonZeroU16,
    /// At least 32 bytes shared by the nodes; `None`: heartbeats are unsigned and only the source address is checked.
    pub key_file: Option<PathBuf>,
}

/// Status page, metrics and read-only JSON over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// Who may connect to addresses that are not loopback; loopback may always.
    pub allow: Vec<IpNet>,
    /// Administration over the network; `None`: commands are taken on the node alone.
    pub remote: Option<Remote>,
}

/// The same over TLS, with commands of those who show who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where it listens.
    pub listen: Vec<Listen>,
    /// Its certificate and those that vouch for it, PEM.
    pub cert_file: PathBuf,
    /// The certificate's private key, PEM.
    pub key_file: PathBuf,
    /// The names and tokens of those who may command; `None`: whoever has a certificate may.
    pub token_file: Option<PathBuf>,
    /// Whose certificates clients must show, PEM; `None`: they show none.
    pub client_ca_file: Option<PathBuf>,
    /// Who may connect to addresses that are not loopback; loopback may always.
    pub allow: Vec<IpNet>,
}

/// Where the status page listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// There, on every node.
    Address(SocketAddr),
    /// On each node's own address: one file for all nodes, and no virtual address answers.
    Node(NonZeroU16),
}

impl Listen {
    /// What it is on the node that owns `node`.
    pub fn on(self, node: IpAddr) -> SocketAddr {
        match self {
            Self::Address(address) => address,
            Self::Node(port) => SocketAddr::new(node, port.get()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Node(port) => write!(f, "node:{port}"),
        }
    }
}

/// How the names of servers are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns {
    /// Who is asked; empty: whom /etc/resolv.conf names.
    pub resolvers: Vec<SocketAddr>,
    /// An answer is good for this long at least, whatever its TTL says.
    pub min_ttl: Duration,
    /// And for this long at most.
    pub max_ttl: Duration,
    /// The last good answer is kept for this long while nobody gives another; `None`: for ever.
    pub hold: Option<Duration>,
}

/// Bounds of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Relays alive at once over all frontends.
    pub max_connections: u32,
    /// Memory of the proxy and of the kernel's TCP sockets together, in MiB; `None`: half of what the service may have.
    pub max_memory_mib: Option<NonZeroU32>,
    /// Health checks may start programs.
    pub check_commands: bool,
}
