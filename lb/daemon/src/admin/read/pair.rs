//! `GET /v1/pair` and what belongs to it: what this node tells the others.

use fmc_api::events::EventList;
use fmc_api::pair::{Opinion, PairQuery, PairReport, Part};
use fmc_api::{Refusal, RefusalKind};

use super::{backends, explain, failovers, now, status};
use crate::admin::response::Answer;
use crate::proxy::appliance::{Appliance, VipState};
use crate::proxy::view::snapshot_of;
use crate::supervisor::sketch::role_word;

/// Everything that changes from second to second.
pub(crate) fn report(appliance: &Appliance, query: PairQuery) -> PairReport {
    let since = appliance.events.of_this_node(query.after, PairQuery::MOST_EVENTS);
    let node = appliance.node.name.clone();
    PairReport {
        now: now(),
        node: node.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config_hash: format!("{:016x}", appliance.config_hash),
        on_trial: appliance.trial.is_some(),
        confirmed: appliance.confirmed.clone().map(Into::into),
        administrative: appliance.administrative.digest().map(|digest| format!("{digest:016x}")).unwrap_or_default(),
        connections: appliance.data_plane.sessions().len() as u64,
        servers: opinions(appliance),
        vips: appliance.vips.iter().map(|state| part(state, appliance)).collect(),
        failovers: failovers::newest(appliance),
        events: EventList {
            now: now(),
            node,
            epoch: since.epoch,
            last: since.last,
            missed: since.missed,
            events: since.events,
        },
    }
}

fn part(state: &VipState, appliance: &Appliance) -> Part {
    Part {
        vip: state.vip.name.clone(),
        role: role_word(state.role),
        for_ms: explain::age(state.since),
        reason: state.reason.clone(),
        priority: snapshot_of(appliance, &state.vip.name).map_or(0, |seen| seen.priority),
        fitness: status::fitness(state),
    }
}

fn opinions(appliance: &Appliance) -> Vec<Opinion> {
    let now = appliance.data_plane.pulse().now();
    let names = appliance.config.backends.iter().map(|backend| backend.name.as_str());
    let pools = names.filter_map(|name| appliance.data_plane.pool(name)).map(|pool| pool.status(now));
    let of_pool = |pool: fmc_lb::PoolStatus| {
        let backend = pool.backend;
        pool.servers.into_iter().map(move |server| Opinion {
            backend: backend.clone(),
            server: server.name,
            health: backends::health(server.health),
            connections: server.in_flight.into(),
        })
    };
    pools.flat_map(of_pool).collect()
}

/// What operators asked of any node and server.
pub(crate) fn record(appliance: &Appliance) -> Answer {
    match appliance.administrative.to_record() {
        Ok(text) => Answer::text("application/toml", text),
        Err(error) => Refusal::new(RefusalKind::Internal, error.to_string(), "please report this").into(),
    }
}
