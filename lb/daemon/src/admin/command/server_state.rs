//! `drain`, `ready`, `maint` and `weight` of servers.

use std::sync::Arc;

use fmc_api::command::{SetWeight, StateAnswer, StateChange, WeightAnswer, WeightChange};
use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_api::{Refusal, RefusalKind, Target};
use fmc_config::model::backend::Weight;
use fmc_config::model::name::{BackendName, ServerName};
use fmc_lb::{Member, Pool, Session};

use super::node_state::verb;
use super::unsaved;
use crate::admin::read::{self, admin_state};
use crate::admin::response::Answer;
use crate::administrative::{Order, Subject, Wanted};
use crate::proxy::appliance::{Appliance, Shared};
use crate::proxy::saver::Receipt;
use crate::wiring::operator;

/// Sets the state of every server that `target` names; `maint` ends what is open to it.
pub(crate) async fn set(
    target: &Target,
    state: AdminState,
    dry_run: bool,
    order: &Order,
    shared: &Shared,
) -> Result<Answer, Refusal> {
    let (changes, receipt) = change_all(target, state, dry_run, order, &mut shared.borrow_mut())?;
    let unsaved = if dry_run { None } else { unsaved(receipt).await };
    Ok(Answer::json(&StateAnswer {
        now: read::now(),
        dry_run,
        changes,
        moves: Vec::new(),
        unsaved,
        others: Vec::new(),
    }))
}

fn change_all(
    target: &Target,
    state: AdminState,
    dry_run: bool,
    order: &Order,
    appliance: &mut Appliance,
) -> Result<(Vec<StateChange>, Option<Receipt>), Refusal> {
    let chosen = choose(appliance, target)?;
    let changes: Vec<_> = chosen.iter().map(|(pool, server)| change(appliance, pool.name(), server, state)).collect();
    if dry_run {
        return Ok((changes, None));
    }
    for change in &changes {
        let text = format!("{} became {state}, asked by {order}", change.before);
        appliance.note(Severity::Info, EventKind::Command, Some(change.target.to_string()), text);
    }
    let what = format!("{} {target}", verb(state));
    Ok((changes, operator::ask(Wanted::State(state), &subjects(&chosen), what, order, appliance)))
}

/// What a state would do to one server.
pub(super) fn change(
    appliance: &Appliance,
    backend: &BackendName,
    server: &ServerName,
    state: AdminState,
) -> StateChange {
    let goes_there = |session: &Session| session.goes_to(backend.as_str(), server.as_str());
    let connections = appliance.data_plane.sessions().list(goes_there).len() as u64;
    StateChange {
        target: Target::ServerOf(backend.clone(), server.clone()),
        before: member(appliance, backend, server, |member| admin_state(member.administrative))
            .unwrap_or(AdminState::Ready),
        after: state,
        connections,
        connections_cut: if state == AdminState::Maint { connections } else { 0 },
    }
}

/// What a weight would do to one server.
pub(super) fn weight_change(
    appliance: &Appliance,
    backend: &BackendName,
    server: &ServerName,
    weight: Weight,
) -> WeightChange {
    let before = member(appliance, backend, server, |member| member.weight.get()).unwrap_or(weight.get());
    WeightChange { backend: backend.clone(), server: server.clone(), before, after: weight.get() }
}

fn member<T>(
    appliance: &Appliance,
    backend: &BackendName,
    server: &ServerName,
    read: impl FnOnce(&Member) -> T,
) -> Option<T> {
    let snapshot = appliance.data_plane.pool(backend.as_str())?.snapshot();
    snapshot.member(server.as_str()).map(read)
}

/// Sets the weight of every server that the command names.
pub(crate) async fn set_weight(wanted: &SetWeight, order: &Order, shared: &Shared) -> Result<Answer, Refusal> {
    let weight = Weight::new(wanted.weight).ok_or_else(|| {
        Refusal::new(RefusalKind::BadRequest, format!("{} is no weight", wanted.weight), "use 0 to 256")
    })?;
    let (changes, receipt) = weigh_all(&wanted.target, weight, order, &mut shared.borrow_mut())?;
    Ok(Answer::json(&WeightAnswer { now: read::now(), changes, unsaved: unsaved(receipt).await, others: Vec::new() }))
}

fn weigh_all(
    target: &Target,
    weight: Weight,
    order: &Order,
    appliance: &mut Appliance,
) -> Result<(Vec<WeightChange>, Option<Receipt>), Refusal> {
    let chosen = choose(appliance, target)?;
    let changes: Vec<_> =
        chosen.iter().map(|(pool, server)| weight_change(appliance, pool.name(), server, weight)).collect();
    for WeightChange { backend, server, before, after } in &changes {
        let text = format!("weight {before} became {after}, asked by {order}");
        appliance.note(Severity::Info, EventKind::Command, Some(format!("{backend}/{server}")), text);
    }
    let what = format!("weight {target} {}", weight.get());
    Ok((changes, operator::ask(Wanted::Weight(weight), &subjects(&chosen), what, order, appliance)))
}

fn subjects(chosen: &Chosen) -> Vec<Subject> {
    chosen.iter().map(|(pool, server)| Subject::Server(pool.name().clone(), server.clone())).collect()
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
    let pools = appliance.data_plane.pools().into_iter();
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
