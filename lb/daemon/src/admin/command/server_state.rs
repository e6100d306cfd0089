//! `drain`, `ready`, `maint` and `weight` of servers.

use std::sync::Arc;

use fmc_api::command::{SetWeight, StateAnswer, StateChange, WeightAnswer, WeightChange};
use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_api::{Refusal, RefusalKind, Target};
use fmc_config::model::backend::Weight;
use fmc_config::model::name::ServerName;
use fmc_lb::{Administrative, EndedBy, Pool, Session};

use crate::admin::read::{self, admin_state};
use crate::admin::response::Answer;
use crate::proxy::appliance::{Appliance, Shared};

/// Sets the state of every server that `target` names; `maint` ends what is open to it.
pub(crate) fn set(target: &Target, state: AdminState, dry_run: bool, shared: &Shared) -> Result<Answer, Refusal> {
    let mut appliance = shared.borrow_mut();
    let chosen = choose(&appliance, target)?;
    let changes = chosen.iter().map(|(pool, server)| change(&mut appliance, pool, server, state, dry_run)).collect();
    Ok(Answer::json(&StateAnswer { now: read::now(), dry_run, changes, moves: Vec::new() }))
}

fn change(
    appliance: &mut Appliance,
    pool: &Arc<Pool>,
    server: &ServerName,
    state: AdminState,
    dry_run: bool,
) -> StateChange {
    let target = Target::ServerOf(pool.name().clone(), server.clone());
    let goes_there = |session: &Session| session.goes_to(pool.name().as_str(), server.as_str());
    let sessions = appliance.data_plane.sessions();
    let connections = sessions.list(goes_there).len() as u64;
    let snapshot = pool.snapshot();
    let before =
        snapshot.member(server.as_str()).map_or(AdminState::Ready, |member| admin_state(member.administrative));
    if !dry_run {
        pool.set_administrative(server.as_str(), administrative(state));
        match state {
            AdminState::Maint => {
                appliance.checker.pause(pool.name(), server);
                sessions.end_all(goes_there, EndedBy::ServerDrained);
            }
            AdminState::Ready | AdminState::Drain => {
                if before == AdminState::Maint {
                    pool.warm_up(server.as_str(), appliance.data_plane.pulse().precise_now());
                }
                appliance.checker.resume(pool.name(), server);
            }
        }
        appliance.note(
            Severity::Info,
            EventKind::Command,
            Some(target.to_string()),
            format!("{before} became {state}"),
        );
    }
    let connections_cut = if state == AdminState::Maint { connections } else { 0 };
    StateChange { target, before, after: state, connections, connections_cut }
}

/// Sets the weight of every server that the command names.
pub(crate) fn set_weight(wanted: &SetWeight, shared: &Shared) -> Result<Answer, Refusal> {
    let weight = Weight::new(wanted.weight).ok_or_else(|| {
        Refusal::new(RefusalKind::BadRequest, format!("{} is no weight", wanted.weight), "use 0 to 256")
    })?;
    let mut appliance = shared.borrow_mut();
    let mut changes = Vec::new();
    for (pool, server) in choose(&appliance, &wanted.target)? {
        let before = pool.set_weight(server.as_str(), weight).map_or(weight.get(), Weight::get);
        let subject = Some(format!("{}/{server}", pool.name()));
        appliance.note(Severity::Info, EventKind::Command, subject, format!("weight {before} became {}", weight.get()));
        changes.push(WeightChange { backend: pool.name().clone(), server, before, after: weight.get() });
    }
    Ok(Answer::json(&WeightAnswer { now: read::now(), changes }))
}

type Chosen = Vec<(Arc<Pool>, ServerName)>;

fn choose(appliance: &Appliance, target: &Target) -> Result<Chosen, Refusal> {
    let (backend, server) = match target {
        Target::ServerOf(backend, server) => (Some(backend), server),
        Target::Server(server) => (None, server),
        Target::Node(node) => {
            let error = format!("{node} is a node");
            return Err(Refusal::new(RefusalKind::BadRequest, error, "name a server: BACKEND/SERVER or SERVER"));
        }
    };
    let pools = appliance.data_plane.pools();
    let pools = pools.filter(|pool| backend.is_none_or(|backend| backend == pool.name()));
    let chosen: Chosen = pools
        .filter(|pool| pool.snapshot().member(server.as_str()).is_some())
        .map(|pool| (pool.clone(), server.clone()))
        .collect();
    if chosen.is_empty() {
        let error = format!("there is no server {target}");
        return Err(Refusal::new(RefusalKind::NotFound, error, "list them with fmc-lbctl backends"));
    }
    Ok(chosen)
}

fn administrative(state: AdminState) -> Administrative {
    match state {
        AdminState::Ready => Administrative::Ready,
        AdminState::Drain => Administrative::Drain,
        AdminState::Maint => Administrative::Maint,
    }
}
