//! `GET /v1/status` and `GET /v1/vips`: who owns what, since when, why, and whether this node may be patched.

use std::net::IpAddr;
use std::path::PathBuf;

use fmc_config::model::name::{BackendName, FrontendName, NodeName, VipName};
use serde::{Deserialize, Serialize};

use crate::word::{AdminState, Answerer, ProcessState, Role, Severity, Tier};
use crate::{Asked, Moment};

/// One node's view of itself and of its peers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The answering node's clock.
    pub now: Moment,
    /// The proxy, or the supervisor when the proxy is dead.
    pub answered_by: Answerer,
    /// This node.
    pub node: NodeName,
    /// What an operator has asked of this node: `drain` and `maint` give its VIPs away and keep them away.
    pub admin: AdminState,
    /// Who asked for that, and when; `null` when nobody did.
    #[serde(default)]
    pub admin_asked: Option<Asked>,
    /// No address fails back from or to this node; `null` when nobody asked for that, or it is over.
    #[serde(default)]
    pub pinned: Option<Pinned>,
    /// Of the running binary.
    pub version: String,
    /// When the supervisor started.
    pub up_since: Moment,
    /// Started with `--observe`: elections are followed and never joined.
    pub observe: bool,
    /// What is loaded.
    pub config: LoadedConfig,
    /// The three processes.
    pub roles: Roles,
    /// Every VIP, in the order of the configuration.
    pub vips: Vec<VipStatus>,
    /// Every other node of `[nodes]`, in that order.
    pub peers: Vec<PeerStatus>,
    /// May this node be stopped now?
    pub safe_to_patch: SafeToPatch,
    /// What is wrong now, the most severe first; empty when all is well.
    pub alarms: Vec<Alarm>,
}

/// Addresses stay where they are, unless they are better served elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Who asked, and when.
    pub asked: Asked,
    /// For how much longer.
    pub left_ms: u64,
}

/// Which configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedConfig {
    /// Where it was read.
    pub file: PathBuf,
    /// Hexadecimal digest of what it means, the one that heartbeats carry; equal on nodes that agree.
    pub hash: String,
    /// When it came into force.
    pub since: Moment,
    /// It is on trial: in so many milliseconds the one before it comes back, unless it is confirmed. `null`: it stays.
    #[serde(default)]
    pub trial_ends_in_ms: Option<u64>,
}

/// The three processes of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roles {
    /// Spawns and restarts the other two.
    pub supervisor: Process,
    /// Elections and addresses.
    pub keeper: Process,
    /// Listeners, relays, health checks and this API.
    pub proxy: Process,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its life.
    pub state: ProcessState,
    /// `null` while there is none.
    pub pid: Option<u32>,
    /// When it came into this state.
    pub since: Moment,
    /// Starts after the first one, since the supervisor started.
    pub restarts: u32,
}

/// One virtual address, as this node sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VipStatus {
    /// As in `[vips.NAME]`.
    pub name: VipName,
    /// What clients connect to.
    pub address: IpAddr,
    /// The VIP whose owner owns this one too: one election for both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<VipName>,
    /// VRID on the wire.
    pub virtual_router_id: u8,
    /// The interface it lives on here.
    pub interface: String,
    /// Who serves it, as known here.
    pub owner: Owner,
    /// This node's part.
    pub role: Role,
    /// When this node came into this role.
    pub since: Moment,
    /// Why it did, one sentence: `loadbalancer1 stopped advertising`.
    pub reason: String,
    /// What this node advertises, or would.
    pub priority: u8,
    /// How well this node could serve it.
    pub fitness: Fitness,
    /// The other nodes' part.
    pub peers: Vec<PeerRole>,
    /// The services on it.
    pub frontends: Vec<FrontendStatus>,
    /// Relays open on it on this node: what a move from here would cut.
    pub connections: u64,
}

/// Who serves a VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// A node of `[nodes]`.
    Node(NodeName),
    /// A VRRP router that is not one of ours, by its address: Keepalived during a migration.
    Foreign(IpAddr),
    /// Nobody is heard.
    Nobody,
    /// The answering process does not follow elections: the supervisor in the proxy's place.
    Unknown,
}

/// How well a node could serve a VIP, and why not better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitness {
    /// The tier its priority is taken from.
    pub tier: Tier,
    /// One sentence; `null` when fit: `no server of masters accepts`.
    pub cause: Option<String>,
}

/// What another node last said about its part in a VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerRole {
    /// The other node.
    pub node: NodeName,
    /// `null` before its first heartbeat.
    pub role: Option<Role>,
    /// `null` before its first heartbeat.
    pub tier: Option<Tier>,
}

/// Another node, as its heartbeats tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// As in `[nodes]`.
    pub node: NodeName,
    /// Where heartbeats go and come from.
    pub address: IpAddr,
    /// Since its last accepted heartbeat; `null` before the first.
    pub heartbeat_age_ms: Option<u64>,
    /// Is it heard, that is, is the last heartbeat fresh?
    pub alive: bool,
    /// The configuration it runs; `null` before its first heartbeat.
    pub config_hash: Option<String>,
    /// The release it runs; `null` while it is not heard over the pair's channel.
    #[serde(default)]
    pub version: Option<String>,
    /// Relays open there; `null` while it is not heard over the pair's channel.
    #[serde(default)]
    pub connections: Option<u64>,
    /// Why commands do not reach it; `null`: they do, or it is not known yet.
    #[serde(default)]
    pub channel_trouble: Option<String>,
}

/// One service on a VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrontendStatus {
    /// As in `[frontends.NAME]`.
    pub name: FrontendName,
    /// Where its connections go that no route takes.
    pub backend: BackendName,
    /// Where others go, the first that fits.
    #[serde(default)]
    pub routes: Vec<RouteStatus>,
    /// Ports on the VIP.
    pub ports: Vec<u16>,
    /// They are of UDP; otherwise of TCP.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub udp: bool,
    /// Are all of them listened on?
    pub listening: bool,
    /// Open now.
    pub connections: u64,
    /// Accepted since the proxy started.
    pub connections_total: u64,
    /// Refused since the proxy started: not in the allow list, or no server accepted.
    pub refused_total: u64,
}

/// Where a frontend's connections go for which every condition holds; an empty one always does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Whom a TLS client asks for: `grafana.lab`, `*.apps.lab`.
    pub server_names: Vec<String>,
    /// What a TLS client offers to speak: `h2`.
    pub alpn: Vec<String>,
    /// Networks that the client is in.
    pub sources: Vec<String>,
    /// Where they go.
    pub backend: BackendName,
}

/// May this node be stopped now without clients losing the service?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafeToPatch {
    /// The answer.
    pub safe: bool,
    /// One sentence: `loadbalancer2 owns both VIPs and is fit`, or what to do first.
    pub why: String,
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// How soon to look.
    pub severity: Severity,
    /// When it began.
    pub since: Moment,
    /// What is wrong, one sentence.
    pub text: String,
    /// What to do; `null` when it mends itself.
    pub fix: Option<String>,
}

/// Every VIP; the answer to `GET /v1/vips`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VipList {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// In the order of the configuration.
    pub vips: Vec<VipStatus>,
}
