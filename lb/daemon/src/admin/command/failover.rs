//! `failover`: planned moves of VIPs, each with its outcome.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use fmc_api::command::{Failover, FailoverAnswer, Move, MoveOutcome, VipChoice};
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_api::{Refusal, RefusalKind};
use fmc_config::model::name::{NodeName, VipName};
use fmc_vrrp::driver::Command;
use fmc_vrrp::router::role::Role;
use tokio::sync::oneshot;

use crate::admin::read;
use crate::admin::response::Answer;
use crate::message::ToKeeper;
use crate::proxy::appliance::{Appliance, Moving, Shared};
use crate::proxy::view::owner;

/// A keeper that does not tell how a move went within this, beyond the interval that a taker is waited for, is not going to.
const OUTCOME_WITHIN: Duration = Duration::from_secs(3);

const UNHEARD: &str = "the keeper did not say how the move went; see fmc-lbctl events";

/// How long a move may take to be told of.
fn patience(appliance: &Appliance) -> Duration {
    appliance.config.election.interval.duration() + OUTCOME_WITHIN
}

/// Moves what the command names, or says what it would move.
pub(crate) async fn fail_over(wanted: &Failover, shared: &Shared) -> Result<Answer, Refusal> {
    let moves = moves(wanted, shared).await?;
    Ok(Answer::json(&FailoverAnswer { now: read::now(), dry_run: wanted.dry_run, moves, others: Vec::new() }))
}

/// What becomes, or would become, of each VIP of this node that the command is about.
pub(super) async fn moves(wanted: &Failover, shared: &Shared) -> Result<Vec<Move>, Refusal> {
    let plan = plan(wanted, &shared.borrow())?;
    Ok(carry_out(plan, wanted.to.as_ref(), wanted.dry_run, shared).await)
}

/// Asks the keeper for each move in turn and waits for its outcome.
async fn carry_out(plan: Vec<Move>, to: Option<&NodeName>, dry_run: bool, shared: &Shared) -> Vec<Move> {
    let waiting: Vec<_> = plan
        .into_iter()
        .map(|planned| match planned.outcome {
            MoveOutcome::WouldMove if !dry_run => {
                let answer = ask_keeper(&planned.vip, to, &mut shared.borrow_mut());
                (planned, Some(answer))
            }
            _ => (planned, None),
        })
        .collect();
    let mut moves = Vec::with_capacity(waiting.len());
    for (planned, answer) in waiting {
        moves.push(match answer {
            Some(answer) => finish(planned, answer, UNHEARD, shared).await,
            None => planned,
        });
    }
    moves
}

/// Waits for how one move went; `unheard` is said when the keeper does not tell.
pub(crate) async fn finish(
    planned: Move,
    answer: oneshot::Receiver<MoveOutcome>,
    unheard: &str,
    shared: &Shared,
) -> Move {
    let patience = patience(&shared.borrow());
    let outcome = match tokio::time::timeout(patience, answer).await {
        Ok(Ok(outcome)) => outcome,
        _ => MoveOutcome::Refused { why: unheard.to_owned() },
    };
    let appliance = shared.borrow();
    let state = appliance.vips.iter().find(|state| state.vip.name == planned.vip);
    let taken_by = state.and_then(|state| state.taken_by.clone());
    let to = if matches!(outcome, MoveOutcome::Moved { .. }) { taken_by } else { planned.to.clone() };
    Move { outcome, to, ..planned }
}

fn plan(wanted: &Failover, appliance: &Appliance) -> Result<Vec<Move>, Refusal> {
    if let Some(to) = &wanted.to {
        check_target(to, appliance)?;
    }
    match &wanted.vips {
        VipChoice::All => Ok(owned(appliance, wanted.to.as_ref())),
        VipChoice::Named(name) => {
            let known = appliance.vips.iter().find(|state| state.vip.name == *name);
            let state = known.ok_or_else(|| {
                Refusal::new(RefusalKind::NotFound, format!("there is no VIP {name}"), "list them with fmc-lbctl vips")
            })?;
            // One election moves all that it carries.
            let together = appliance.config.elected_with(&state.vip.name);
            Ok(together.filter_map(|vip| one(appliance, vip.address, wanted.to.as_ref())).collect())
        }
    }
}

/// Every VIP that this node owns, as a move that could be tried.
pub(crate) fn owned(appliance: &Appliance, to: Option<&NodeName>) -> Vec<Move> {
    let active = appliance.vips.iter().filter(|state| state.role == Role::Active);
    active.filter_map(|state| one(appliance, state.vip.address, to)).collect()
}

fn one(appliance: &Appliance, address: IpAddr, to: Option<&NodeName>) -> Option<Move> {
    let state = appliance.vips.iter().find(|state| state.vip.address == address)?;
    let outcome = match (state.role, &appliance.snapshot) {
        (Role::Active, Some(_)) => MoveOutcome::WouldMove,
        (_, None) => MoveOutcome::Refused { why: "the keeper is not running; wait for its restart".to_owned() },
        (Role::Leaving, _) => MoveOutcome::Refused { why: "it is being moved already".to_owned() },
        _ => MoveOutcome::Refused { why: "this node does not own it; run the command on its owner".to_owned() },
    };
    Some(Move {
        vip: state.vip.name.clone(),
        address,
        from: owner(appliance, state),
        to: to.cloned(),
        connections_cut: if state.role == Role::Active { appliance.connections_on(address) } else { 0 },
        outcome,
    })
}

fn check_target(to: &NodeName, appliance: &Appliance) -> Result<(), Refusal> {
    if *to == appliance.node.name {
        return Err(Refusal::new(
            RefusalKind::No,
            format!("{to} is this node"),
            "run the command on the present owner",
        ));
    }
    if appliance.config.nodes.iter().any(|node| node.name == *to) {
        return Ok(());
    }
    let names: Vec<&str> = appliance.config.nodes.iter().map(|node| node.name.as_str()).collect();
    Err(Refusal::new(
        RefusalKind::NotFound,
        format!("there is no node {to}"),
        format!("use one of {}", names.join(", ")),
    ))
}

fn ask_keeper(vip: &VipName, to: Option<&NodeName>, appliance: &mut Appliance) -> oneshot::Receiver<MoveOutcome> {
    let (answer, outcome) = oneshot::channel();
    let text = to.map_or_else(
        || "an operator asked for a move".to_owned(),
        |to| format!("an operator asked for a move to {to}"),
    );
    if let Some(state) = appliance.vip_mut(vip) {
        state.moving.push(Moving { since: Instant::now(), answer });
    }
    // Who follows is moved by what is asked for the one that it follows.
    if appliance.config.elected_with(vip).next().is_none_or(|leader| leader.name == *vip) {
        let resign = Command::Resign { vip: Some(vip.clone()), to: to.cloned() };
        appliance.keeper.tell(&ToKeeper::Command(resign));
    }
    appliance.note(Severity::Info, EventKind::Command, Some(format!("vip {vip}")), text);
    outcome
}
