//! `GET /v1/backends`: every server, its health, its load, and what an operator has asked of it.

use std::net::IpAddr;

use fmc_config::model::name::{BackendName, NodeName, ServerName};
use serde::{Deserialize, Serialize};

use crate::word::{AdminState, Health};
use crate::{Asked, Moment};

/// Every backend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendList {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// In the order of the configuration.
    pub backends: Vec<BackendStatus>,
}

/// One group of servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// As in `[backends.NAME]`.
    pub name: BackendName,
    /// Servers that new connections go to now.
    pub in_service: usize,
    /// Every other server is out of service or fails its check, so the backups serve.
    pub on_backups: bool,
    /// Clients that wait here for a server with room.
    #[serde(default)]
    pub waiting: u32,
    /// No server passes its check, so all that accept are used.
    pub fail_open: bool,
    /// In the order of the configuration; those whose address a name tells stand here while it is known.
    pub servers: Vec<ServerStatus>,
    /// The servers that were typed with a name in the place of an address.
    #[serde(default)]
    pub names: Vec<NameStatus>,
}

/// A server that was typed with a name in the place of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameStatus {
    /// As in the configuration.
    pub server: ServerName,
    /// What the DNS is asked for.
    pub host: String,
    /// By the last good answer; empty: there was none, or it was given up, and the server is down.
    pub addresses: Vec<IpAddr>,
    /// When that came.
    pub answered_at: Option<Moment>,
    /// Why there is no newer one; `null`: there is.
    pub failure: Option<String>,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    /// Unique in its backend.
    pub name: ServerName,
    /// Where it is.
    pub address: IpAddr,
    /// `null`: follows the frontend's port.
    pub port: Option<u16>,
    /// What the last probes say.
    pub health: Health,
    /// When it came into this health.
    pub since: Moment,
    /// `null` before the first one ended, and in `maint`.
    pub last_check: Option<CheckResult>,
    /// What an operator has asked.
    pub admin: AdminState,
    /// Who asked for that, and when; `null` when nobody did.
    #[serde(default)]
    pub admin_asked: Option<Asked>,
    /// In force, 0-256.
    pub weight: u16,
    /// As in the configuration; differs from `weight` after `fmc-lbctl weight`.
    pub configured_weight: u16,
    /// Who asked for another one, and when; `null` when the configuration's is in force.
    #[serde(default)]
    pub weight_asked: Option<Asked>,
    /// A stand-in, for when no other server is ready and healthy.
    pub backup: bool,
    /// Connections that it has at once; `null`: no limit of its own.
    pub max_connections: Option<u32>,
    /// Open now.
    pub connections: u64,
    /// Connected since the proxy started.
    pub connections_total: u64,
    /// Connection attempts that failed since the proxy started.
    pub dial_failures: u64,
    /// What its agent last said, in words; `null`: it has none, or has not said anything yet.
    #[serde(default)]
    pub agent: Option<AgentWord>,
    /// What the other nodes last said of it over the pair's channel.
    #[serde(default)]
    pub elsewhere: Vec<Opinion>,
}

/// What a server's agent said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentWord {
    /// `drain, 50 % (the cache is cold)`.
    pub words: String,
    /// When.
    pub at: Moment,
}

/// What another node thinks of a server, and has open on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// The other node.
    pub node: NodeName,
    /// What its own probes say.
    pub health: Health,
    /// Relays open on the server from there.
    pub connections: u64,
    /// How old that is.
    pub age_ms: u64,
}

/// How the last probe ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// When.
    pub at: Moment,
    /// Did it pass?
    pub passed: bool,
    /// How far up the ladder it got, for example `/ping`; `null` for a probe of one step.
    pub rung: Option<String>,
    /// What happened, one sentence: `answered 200`, `connection refused`.
    pub words: String,
    /// From the first packet to the verdict, in milliseconds.
    pub latency_ms: f64,
}
