//! `GET /v1/sessions`: live connections, in the order that was asked for.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::sessions::{Session, SessionId, SessionList, SessionQuery};
use fmc_api::word::{SessionOrder, SessionState};
use fmc_lb::{Phase, Session as Live};

use super::now;
use crate::proxy::appliance::Appliance;

/// Those that the query keeps.
pub(crate) fn list(appliance: &Appliance, query: &SessionQuery) -> SessionList {
    let mut live = appliance.data_plane.sessions().list(|session| matches(appliance, session, query));
    sort(&mut live, query);
    let limit = query.limit.unwrap_or(SessionQuery::DEFAULT_LIMIT);
    let sessions = live.iter().take(limit).map(|live| session(appliance, live)).collect();
    SessionList { now: now(), node: appliance.node.name.clone(), matching: live.len() as u64, sessions }
}

/// They come oldest first, and those that are equal stay so.
fn sort(live: &mut [Arc<Live>], query: &SessionQuery) {
    match query.order.unwrap_or(SessionOrder::Age) {
        SessionOrder::Age => {}
        SessionOrder::Idle => live.sort_by_cached_key(|one| one.last_activity()),
        SessionOrder::Bytes => live.sort_by_cached_key(|one| Reverse(one.to_server().saturating_add(one.to_client()))),
        SessionOrder::Client => live.sort_by_cached_key(|one| one.client()),
        SessionOrder::Server => live.sort_by_cached_key(|one| {
            (one.pool().name().clone(), one.reached().map(|reached| reached.server.name().clone()))
        }),
    }
    if query.reverse == Some(true) {
        live.reverse();
    }
}

fn matches(appliance: &Appliance, live: &Live, query: &SessionQuery) -> bool {
    let SessionQuery { vip, frontend, backend, server, client, older_than_ms, idle_for_ms, .. } = query;
    let settings = live.frontend().settings();
    let same_server = |name: &str| live.reached().is_some_and(|reached| reached.server.name().as_str() == name);
    vip.as_ref().is_none_or(|vip| *vip == settings.vip)
        && frontend.as_ref().is_none_or(|frontend| *frontend == settings.name)
        && backend.as_ref().is_none_or(|backend| backend == live.pool().name())
        && server.as_ref().is_none_or(|server| same_server(server.as_str()))
        && client.is_none_or(|client| client.keeps(live.client().ip()))
        && older_than_ms.is_none_or(|least| live.started().elapsed() >= Duration::from_millis(least))
        && idle_for_ms.is_none_or(|least| idle(appliance, live) >= least)
}

/// One connection in the API's words.
pub(crate) fn session(appliance: &Appliance, live: &Live) -> Session {
    let settings = live.frontend().settings();
    let reached = live.reached();
    Session {
        id: SessionId(live.id()),
        since: moment_of(live.started()),
        state: state(live.phase()),
        client: live.client(),
        via: live.via(),
        vip: settings.vip.clone(),
        frontend: settings.name.clone(),
        port: live.vip().port(),
        backend: live.pool().name().clone(),
        server: reached.map(|reached| reached.server.name().clone()),
        server_address: reached.map(|reached| reached.server.socket_address(live.route())),
        bytes_to_server: live.to_server(),
        bytes_to_client: live.to_client(),
        idle_ms: idle(appliance, live),
    }
}

fn idle(appliance: &Appliance, live: &Live) -> u64 {
    let idle = appliance.data_plane.pulse().now().since(live.last_activity());
    u64::try_from(idle.as_millis()).unwrap_or(u64::MAX)
}

fn state(phase: Phase) -> SessionState {
    match phase {
        Phase::Connecting => SessionState::Dialing,
        Phase::Open => SessionState::Relaying,
        Phase::ClientFinished | Phase::ServerFinished => SessionState::HalfClosed,
    }
}

/// Wall-clock time of something that is known by the monotonic clock.
pub(crate) fn moment_of(then: Instant) -> Moment {
    SystemTime::now().checked_sub(then.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH).into()
}
