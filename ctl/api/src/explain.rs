//! `GET /v1/explain/vip/NAME` and `GET /v1/explain/backend/NAME`: one sentence that says why, and the facts behind it.

use std::net::{IpAddr, SocketAddr};

use fmc_config::model::name::{BackendName, FrontendName, NodeName, VipName};
use serde::{Deserialize, Serialize};

use crate::backends::{CheckResult, ServerStatus};
use crate::events::Event;
use crate::status::{Owner, Pinned};
use crate::word::{AdminState, Prospect, Role, Tier};
use crate::{Asked, Moment};

/// Why a VIP is where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VipExplanation {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// The whole of it.
    pub sentence: String,
    /// As in `[vips.NAME]`.
    pub vip: VipName,
    /// What clients connect to.
    pub address: IpAddr,
    /// Who serves it, as known here.
    pub owner: Owner,
    /// Every node of `[nodes]`, the one that ranks first first.
    pub nodes: Vec<NodePart>,
    /// What is behind it.
    pub backends: Vec<BehindVip>,
    /// When it came and went, oldest first, as far as the events that are kept tell.
    pub moves: Vec<Event>,
}

/// One node's part in a VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePart {
    /// Which node.
    pub node: NodeName,
    /// It is the answering one, or its heartbeat is fresh.
    pub heard: bool,
    /// `null`: not heard.
    pub role: Option<Role>,
    /// For how long it has been in that role; `null`: it does not tell, for want of a channel.
    pub for_ms: Option<u64>,
    /// Why it came into that role; `null`: it does not tell.
    pub reason: Option<String>,
    /// How well it could serve the VIP; `null`: not heard.
    pub tier: Option<Tier>,
    /// Why not better; `null`: it is fit, or it does not tell.
    pub cause: Option<String>,
    /// What it advertises, or would; `null`: it does not tell.
    pub priority: Option<u8>,
    /// What operators asked of the node.
    pub admin: AdminState,
    /// Who asked for that, and when; `null` when nobody did.
    pub admin_asked: Option<Asked>,
    /// Nothing fails back to it for a while; `null`: nobody asked for that.
    pub pinned: Option<Pinned>,
}

/// A backend behind a VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BehindVip {
    /// As in `[backends.NAME]`.
    pub name: BackendName,
    /// That of its own explanation.
    pub sentence: String,
}

/// Why a backend's clients go where they go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BackendExplanation {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// The whole of it.
    pub sentence: String,
    /// As in `[backends.NAME]`.
    pub backend: BackendName,
    /// The rule, as in `balance`.
    pub balance: String,
    /// Clients that wait for a server with room.
    pub waiting: u32,
    /// The services that send clients here.
    pub frontends: Vec<FrontendName>,
    /// In the order of the configuration.
    pub servers: Vec<ServerExplanation>,
}

/// Why a server gets new connections, or none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerExplanation {
    /// As in `/v1/backends`.
    pub server: ServerStatus,
    /// What a new connection would find in it now.
    pub prospect: Prospect,
    /// Why, one sentence.
    pub why: String,
    /// What its check asks; empty when no frontend sends clients to it.
    pub asked_at: Vec<SocketAddr>,
    /// Outcomes in a row that contradict `server.health`.
    pub contradicted: u8,
    /// So many of them would change it.
    pub changes_at: u8,
    /// Its last checks, oldest first.
    pub checks: Vec<CheckResult>,
}
