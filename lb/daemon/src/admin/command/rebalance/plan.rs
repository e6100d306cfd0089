//! Which servers have more than their share, and how many of their connections are idle.

use std::sync::Arc;
use std::time::Duration;

use fmc_api::rebalance::{Rebalance, RebalanceOutcome, ServerShare};
use fmc_api::{Refusal, RefusalKind};
use fmc_config::model::backend::{Balance, Weight};
use fmc_lb::balance::share::{self, Load};
use fmc_lb::{Member, Pool, Server, Session, Snapshot, Ticks};

use crate::proxy::appliance::Appliance;

/// What one command starts from; its limits stay as they are until it ends.
pub(super) struct Plan {
    pub(super) pool: Arc<Pool>,
    pub(super) servers: Vec<Planned>,
    pub(super) quiet: Duration,
    pub(super) per_second: u16,
}

/// One server that takes new connections.
pub(super) struct Planned {
    pub(super) server: Arc<Server>,
    pub(super) limit: u64,
    weight: Weight,
    connections: u64,
    idle: u64,
}

impl Plan {
    /// # Errors
    /// There is no such backend, or closing connections could not spread them.
    pub(super) fn new(wanted: &Rebalance, appliance: &Appliance) -> Result<Self, Refusal> {
        let pool = appliance.data_plane.pool(wanted.backend.as_str()).ok_or_else(|| {
            let error = format!("there is no backend {}", wanted.backend);
            Refusal::new(RefusalKind::NotFound, error, "list them with fmc-lbctl backends")
        })?;
        let snapshot = pool.snapshot();
        let members: Vec<_> = snapshot.in_service().collect();
        let loads: Vec<_> = members.iter().map(|member| load(member)).collect();
        refuse_what_cannot_help(&pool, &snapshot, &members, appliance.data_plane.pulse().precise_now())?;
        let quiet = Duration::from_millis(wanted.idle_ms);
        let servers = members.iter().zip(&loads).zip(share::limits(&loads)).map(|((member, load), limit)| Planned {
            server: Arc::clone(&member.server),
            limit,
            weight: load.weight,
            connections: load.connections,
            idle: idle_on(appliance, &pool, &member.server, quiet),
        });
        let servers = servers.collect();
        Ok(Self { pool: Arc::clone(&pool), servers, quiet, per_second: wanted.per_second.get() })
    }

    /// Connections over the limits, in all, when it was made.
    pub(super) fn over(&self) -> u64 {
        self.servers.iter().map(|server| server.connections.saturating_sub(server.limit)).sum()
    }

    /// Connections over the limits now.
    pub(super) fn over_now(&self) -> u64 {
        self.servers.iter().map(|planned| u64::from(planned.server.in_flight()).saturating_sub(planned.limit)).sum()
    }

    /// True while the same servers are in service as when it was made.
    pub(super) fn still_holds(&self) -> bool {
        let snapshot = self.pool.snapshot();
        let now = snapshot.in_service().map(|member| (Arc::as_ptr(&member.server), member.weight));
        now.eq(self.servers.iter().map(|planned| (Arc::as_ptr(&planned.server), planned.weight)))
    }

    /// At the rate asked for.
    pub(super) fn takes_ms(&self, closes: u64) -> u64 {
        closes * 1000 / u64::from(self.per_second)
    }

    pub(super) fn too_few_idle(&self) -> RebalanceOutcome {
        let quiet = self.quiet.as_millis();
        let why = format!("no connection of theirs has been idle for {quiet} ms; try a shorter --idle, or later");
        RebalanceOutcome::StillUneven { over: self.over_now(), why }
    }
}

impl Planned {
    /// How many can be closed of those that are too many.
    pub(super) fn closes(&self) -> u64 {
        self.connections.saturating_sub(self.limit).min(self.idle)
    }

    /// As the answer tells it.
    pub(super) fn share(&self, closed: u64, dry_run: bool) -> ServerShare {
        ServerShare {
            name: self.server.name().clone(),
            weight: self.weight.get(),
            connections: self.connections,
            limit: self.limit,
            idle: self.idle,
            closed,
            connections_after: if dry_run { self.connections } else { self.server.in_flight().into() },
        }
    }
}

/// True of a connection to that server that may be closed now.
pub(super) fn may_be_closed(
    appliance: &Appliance,
    pool: &Pool,
    server: &Server,
    quiet: Duration,
) -> impl Fn(&Session) -> bool {
    let now = appliance.data_plane.pulse().now();
    move |session| session.is_idle(now, quiet) && session.goes_to(pool.name().as_str(), server.name().as_str())
}

fn idle_on(appliance: &Appliance, pool: &Pool, server: &Server, quiet: Duration) -> u64 {
    appliance.data_plane.sessions().list(may_be_closed(appliance, pool, server, quiet)).len() as u64
}

fn load(member: &Member) -> Load {
    let (connections, most) = (member.server.in_flight().into(), member.max_connections.map(|most| most.get().into()));
    Load { weight: member.weight, connections, most }
}

fn refuse_what_cannot_help(
    pool: &Pool,
    snapshot: &Snapshot,
    in_service: &[&Member],
    now: Ticks,
) -> Result<(), Refusal> {
    if let Some(cold) = in_service.iter().find(|member| member.is_warming_up(snapshot.policy.slow_start, now)) {
        let error = format!("{} came back a moment ago and takes only a part yet (slow_start)", cold.server.name());
        return Err(Refusal::new(RefusalKind::No, error, "ask again when it has its whole share"));
    }
    let rule = match snapshot.policy.balance {
        Balance::SourceHash => "source-hash",
        Balance::First => "first",
        _ if in_service.is_empty() => {
            let error = format!("no server of {} passes its check: there is nowhere to go", pool.name());
            return Err(Refusal::new(RefusalKind::No, error, "see fmc-lbctl backends"));
        }
        Balance::LeastConnections | Balance::RoundRobin | Balance::PowerOfTwo => return Ok(()),
    };
    let error = format!("{} balances by {rule}: who is closed would come back to the same server", pool.name());
    Err(Refusal::new(RefusalKind::No, error, "change its weights, or `balance` in the configuration"))
}
