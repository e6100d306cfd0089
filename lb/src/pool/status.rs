//! A pool as the admin API shows it.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;

use fmc_config::model::backend::{Balance, Weight};
use fmc_config::model::name::{BackendName, ServerName};

use super::prospect::Prospect;
use super::snapshot::{Administrative, Health, Member, Snapshot};
use crate::dial::Failure;
use crate::pulse::Ticks;

/// A backend and its servers as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolStatus {
    /// As typed in `[backends.NAME]`.
    pub backend: BackendName,
    /// How a server is chosen.
    pub balance: Balance,
    /// Clients that wait for a server with room.
    pub waiting: u32,
    /// In the order of the configuration.
    pub servers: Vec<ServerStatus>,
}

/// One server as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// Unique in its backend.
    pub name: ServerName,
    /// Where it is.
    pub address: IpAddr,
    /// Its own port; `None`: it follows the frontend's.
    pub port: Option<NonZeroU16>,
    /// What the health check believes.
    pub health: Health,
    /// What the operator wants.
    pub administrative: Administrative,
    /// Its share of new connections.
    pub weight: Weight,
    /// Connections open or being opened.
    pub in_flight: u32,
    /// Connections that it accepted since the start.
    pub connections: u64,
    /// Dials since the start that failed by the server's or the network's fault.
    pub failed_dials: u64,
    /// Connections that it has at once; `None`: no limit of its own.
    pub max_connections: Option<NonZeroU32>,
    /// A stand-in, see [`Member::backup`].
    pub backup: bool,
    /// New connections go to it while its dials succeed; `false` of every server: fail-open.
    pub in_service: bool,
    /// Put last for a while because a client's dial failed.
    pub suspected: bool,
    /// It has as many connections as it may.
    pub full: bool,
    /// It came back lately and takes less than its share.
    pub warming_up: bool,
    /// What a new connection would find in it.
    pub prospect: Prospect,
}

impl PoolStatus {
    pub(super) fn new(backend: &BackendName, snapshot: &Snapshot, waiting: u32, now: Ticks) -> Self {
        Self {
            backend: backend.clone(),
            balance: snapshot.policy.balance,
            waiting,
            servers: snapshot
                .members
                .iter()
                .zip(snapshot.prospects(now))
                .map(|(member, prospect)| ServerStatus::new(member, prospect, snapshot, now))
                .collect(),
        }
    }
}

impl ServerStatus {
    fn new(member: &Member, prospect: Prospect, snapshot: &Snapshot, now: Ticks) -> Self {
        let Member { server, health, administrative, weight, max_connections, backup, agent: _, warming_since: _ } =
            member;
        let servers_fault = Failure::ALL.into_iter().filter(|f| f.is_the_servers());
        Self {
            name: server.name().clone(),
            address: server.address(),
            port: server.port(),
            health: *health,
            administrative: *administrative,
            weight: *weight,
            in_flight: server.in_flight(),
            connections: server.connections(),
            failed_dials: servers_fault.map(|f| server.failures(f)).sum(),
            max_connections: *max_connections,
            backup: *backup,
            in_service: snapshot.in_service().any(|other| Arc::ptr_eq(&other.server, server)),
            suspected: server.is_suspected(now),
            full: member.is_full(),
            warming_up: member.is_warming_up(snapshot.policy.slow_start, now),
            prospect,
        }
    }
}
