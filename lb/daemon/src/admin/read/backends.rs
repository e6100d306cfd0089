//! `GET /v1/backends`: what the pool does with each server, beside what the checker believes of it.

use fmc_api::backends::{AgentWord, BackendList, BackendStatus, CheckResult, NameStatus, Opinion, ServerStatus};
use fmc_api::word::{AdminState, Health};
use fmc_config::model::backend::NamedServer;
use fmc_config::model::name::{BackendName, ServerName};
use fmc_health::{Observed, Rung, ServerStatus as Checked};
use fmc_lb::{Administrative, Health as PoolHealth, PoolStatus, ServerStatus as Pooled};

use super::now;
use super::sessions::moment_of;
use crate::administrative::Standing;
use crate::proxy::appliance::Appliance;

/// Every backend, in the order of the configuration.
pub(crate) fn list(appliance: &Appliance) -> BackendList {
    let checked = appliance.checker.status();
    let now_ticks = appliance.data_plane.pulse().now();
    let names = appliance.config.backends.iter().map(|backend| backend.name.as_str());
    let pools = names.filter_map(|name| appliance.data_plane.pool(name)).map(|pool| pool.status(now_ticks));
    let backends = pools.map(|pool| backend(appliance, &pool, &checked)).collect();
    BackendList { now: now(), node: appliance.node.name.clone(), backends }
}

fn backend(appliance: &Appliance, pool: &PoolStatus, checked: &[Checked]) -> BackendStatus {
    let ready = |server: &&Pooled| server.administrative == Administrative::Ready && server.weight.get() > 0;
    let in_service = || pool.servers.iter().filter(|server| server.in_service);
    let healthy = in_service().filter(|server| server.health == PoolHealth::Healthy).count();
    let usable = pool.servers.iter().filter(ready).count();
    let find = |server: &Pooled| checked.iter().find(|seen| seen.backend == pool.backend && seen.server == server.name);
    BackendStatus {
        name: pool.backend.clone(),
        in_service: if healthy > 0 { healthy } else { usable },
        on_backups: in_service().any(|server| server.backup),
        waiting: pool.waiting,
        fail_open: healthy == 0 && usable > 0,
        servers: pool.servers.iter().map(|pooled| server(appliance, pool, pooled, find(pooled))).collect(),
        names: names(appliance, &pool.backend),
    }
}

/// What is known of the names of its servers.
pub(super) fn names(appliance: &Appliance, backend: &BackendName) -> Vec<NameStatus> {
    let configured = appliance.config.backends.iter().find(|known| known.name == *backend);
    let named = configured.into_iter().flat_map(|backend| &backend.named);
    let status = |named: &NamedServer| {
        let known = appliance.resolution.of(&named.host);
        NameStatus {
            server: named.name.clone(),
            host: named.host.to_string(),
            addresses: appliance.resolution.addresses(named),
            answered_at: known.and_then(|known| known.answered_at).map(moment_of),
            failure: known.and_then(|known| known.failing.as_ref()).map(|failing| failing.why.clone()),
        }
    };
    named.map(status).collect()
}

/// One server in the API's words.
pub(super) fn server(
    appliance: &Appliance,
    pool: &PoolStatus,
    pooled: &Pooled,
    checked: Option<&Checked>,
) -> ServerStatus {
    let configured = appliance.config.backends.iter().find(|backend| backend.name == pool.backend);
    let configured = configured.and_then(|backend| backend.servers.iter().find(|server| server.name == pooled.name));
    let asked = appliance.administrative.server(&pool.backend, &pooled.name);
    let since = checked.map_or(appliance.configured_at, |checked| moment_of(checked.since));
    ServerStatus {
        name: pooled.name.clone(),
        address: pooled.address,
        port: pooled.port.map(Into::into),
        health: health(pooled.health),
        since,
        last_check: checked.and_then(last_check),
        admin: admin_state(pooled.administrative),
        admin_asked: asked.and_then(Standing::state_asked),
        weight: pooled.weight.get(),
        configured_weight: configured.map_or(pooled.weight.get(), |server| server.weight.get()),
        weight_asked: asked.and_then(Standing::weight_asked),
        backup: pooled.backup,
        max_connections: pooled.max_connections.map(Into::into),
        connections: pooled.in_flight.into(),
        connections_total: pooled.connections,
        dial_failures: pooled.failed_dials,
        agent: agent(appliance, pool, pooled),
        elsewhere: elsewhere(appliance, pool, pooled),
    }
}

fn agent(appliance: &Appliance, pool: &PoolStatus, pooled: &Pooled) -> Option<AgentWord> {
    let (words, at) = appliance.said.get(&(pool.backend.clone(), pooled.name.clone()))?;
    Some(AgentWord { words: words.to_string(), at: *at })
}

fn elsewhere(appliance: &Appliance, pool: &PoolStatus, pooled: &Pooled) -> Vec<Opinion> {
    let opinions = appliance.channel.opinions(&pool.backend, &pooled.name);
    let said = opinions.map(|(node, opinion, age)| Opinion {
        node: node.clone(),
        health: opinion.health,
        connections: opinion.connections,
        age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
    });
    said.collect()
}

fn last_check(checked: &Checked) -> Option<CheckResult> {
    checked.last().map(check_result)
}

/// One outcome in the API's words.
pub(super) fn check_result(observed: &Observed) -> CheckResult {
    let Observed { at, outcome } = observed;
    CheckResult {
        at: moment_of(*at),
        passed: outcome.passed(),
        rung: outcome.rung.map(|rung| rung_words(rung).to_owned()),
        words: outcome.detail.clone(),
        latency_ms: outcome.latency.as_secs_f64() * 1000.0,
    }
}

fn rung_words(rung: Rung) -> &'static str {
    match rung {
        Rung::Readyz => "/readyz",
        Rung::Ping => "/ping",
        Rung::AnyStatus => "any status",
    }
}

/// What the pool believes of one server.
pub(crate) fn health_of(appliance: &Appliance, backend: &BackendName, server: &ServerName) -> Health {
    let pool = appliance.data_plane.pool(backend.as_str()).map(|pool| pool.snapshot());
    let member = pool.as_ref().and_then(|pool| pool.member(server.as_str()));
    member.map_or(Health::Unknown, |member| health(member.health))
}

pub(super) fn health(health: PoolHealth) -> Health {
    match health {
        PoolHealth::Unknown => Health::Unknown,
        PoolHealth::Healthy => Health::Healthy,
        PoolHealth::Unhealthy => Health::Unhealthy,
    }
}

/// The pool's word in the API's.
pub(crate) fn admin_state(state: Administrative) -> AdminState {
    match state {
        Administrative::Ready => AdminState::Ready,
        Administrative::Drain => AdminState::Drain,
        Administrative::Maint => AdminState::Maint,
    }
}
