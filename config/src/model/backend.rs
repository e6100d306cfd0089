//! A group of servers, how one of them is chosen, and how it is reached.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use super::health_check::HealthCheck;
use super::name::{BackendName, HostName, ServerName};

pub use named::{NamedServer, Records};

mod named;

/// A group of servers, every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// As typed in `[backends.NAME]`.
    pub name: BackendName,
    /// In the order typed; those whose address a name tells are among them while it is known.
    pub servers: Vec<Server>,
    /// Those whose address a name tells, known or not.
    pub named: Vec<NamedServer>,
    /// How one is chosen.
    pub balance: Balance,
    /// Frontends of UDP lead here: their flows go by Maglev, whatever `balance` says.
    pub has_flows: bool,
    /// How each is probed.
    pub check: HealthCheck,
    /// What is written to a server before the client's bytes.
    pub proxy_protocol: Option<ProxyProtocol>,
    /// One attempt to connect may take this long.
    pub connect_timeout: Duration,
    /// A server that has not accepted after this has another one dialled beside it, and whichever accepts first is taken; `None`: never.
    pub hedge_after: Option<Duration>,
    /// How many servers a connection tries, always another one, before the client is refused.
    pub attempts: u8,
    /// Where clients wait while every server that works has its `max_connections`.
    pub queue: Queue,
    /// An agent on each server that says how it wants to be used; `None`: nobody is asked.
    pub agent: Option<Agent>,
    /// What clients' failures say of a server; `None`: only its check speaks.
    pub observe: Option<Observe>,
    /// A server that recovers takes its share of new connections in full after this; `None`: at once.
    pub slow_start: Option<Duration>,
}

/// Where clients wait for a server with room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queue {
    /// Clients that may wait at once; 0: nobody waits, and who finds no room is refused.
    pub length: u32,
    /// One that has waited this long is refused.
    pub timeout: Duration,
}

/// A program on each server that answers a connection with one line of words (HAProxy's `agent-check`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent {
    /// Where it listens, on the address that the check asks.
    pub port: NonZeroU16,
    /// Between questions.
    pub interval: Duration,
    /// One without a whole line by then has not answered.
    pub timeout: Duration,
}

/// When the failures of clients put a server out that its check finds well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observe {
    /// So many failed.
    pub failures: NonZeroU32,
    /// In this time.
    pub within: Duration,
    /// It is out for this long at least, whatever its check says.
    pub out_for: Duration,
}

/// One server of a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Unique in its backend.
    pub name: ServerName,
    /// Where it is.
    pub address: IpAddr,
    /// Its port; `None`: follows the frontend's port.
    pub port: Option<NonZeroU16>,
    /// Its share of new connections, 0-256; 0 takes none.
    pub weight: Weight,
    /// Connections that it has at once; further ones go elsewhere. `None`: no limit of its own.
    pub max_connections: Option<NonZeroU32>,
    /// Only takes connections while no server that is none of these may: a stand-in.
    pub backup: bool,
    /// Where its health check goes; `None`: where clients go.
    pub check_address: Option<IpAddr>,
    /// The name that told its address; `None`: the configuration did.
    pub found_by: Option<HostName>,
    /// Every port that a frontend sends clients to on this server: what a health check without a port of its own proves.
    pub serving_ports: Vec<NonZeroU16>,
}

/// A share of new connections, 0-256 as HAProxy counts it; 0: no new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// `None` over 256.
    pub const fn new(value: u16) -> Option<Self> {
        match value {
            0..=256 => Some(Self(value)),
            _ => None,
        }
    }

    /// The number as typed.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// How a server is chosen for a new connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// The fewest connections for its weight: for long-lived ones.
    LeastConnections,
    /// In turn by weight, spread evenly.
    RoundRobin,
    /// Two drawn at random by weight, then the one with fewer connections for its weight.
    PowerOfTwo,
    /// The same server for the same client address, on every node.
    SourceHash,
    /// The first in the order typed, until it has as many connections as it may.
    First,
}

/// The header that tells a server who the client is (HAProxy's proxy-protocol.txt).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// Version 2, binary.
    V2,
}
