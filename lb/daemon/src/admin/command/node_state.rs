//! `drain`, `ready` and `maint` of this node: whether it may own VIPs at all.

use std::time::Instant;

use fmc_api::command::{Move, MoveOutcome, StateAnswer, StateChange};
use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_api::{Refusal, RefusalKind, Target};
use fmc_config::model::name::NodeName;
use tokio::sync::oneshot;

use super::failover::{finish, owned};
use crate::admin::read;
use crate::admin::response::Answer;
use crate::proxy::appliance::{Appliance, Moving, Shared};
use crate::proxy::view::{is_better_than_unfit, live_peers};
use crate::wiring;

/// Takes this node out of, or back into, the election of every VIP.
pub(crate) async fn set(node: &NodeName, state: AdminState, dry_run: bool, shared: &Shared) -> Result<Answer, Refusal> {
    let (change, begun) = begin(node, state, dry_run, shared)?;
    let mut moves = Vec::with_capacity(begun.len());
    for (planned, waiting) in begun {
        moves.push(match waiting {
            Some(outcome) => finish(planned, outcome, KEPT, shared).await,
            None => planned,
        });
    }
    Ok(Answer::json(&StateAnswer { now: read::now(), dry_run, changes: vec![change], moves }))
}

const KEPT: &str = "no better node is there: this node keeps it until one is";

/// Each VIP that would leave, and where its outcome comes from if it really does.
type Begun = Vec<(Move, Option<oneshot::Receiver<MoveOutcome>>)>;

fn begin(node: &NodeName, state: AdminState, dry_run: bool, shared: &Shared) -> Result<(StateChange, Begun), Refusal> {
    let mut appliance = shared.borrow_mut();
    if *node != appliance.node.name {
        let error = format!("this is {}, not {node}", appliance.node.name);
        return Err(Refusal::new(RefusalKind::No, error, format!("run the command on {node}")));
    }
    let leaves = state != AdminState::Ready && appliance.admin == AdminState::Ready;
    let moves = if leaves { owned(&appliance, None) } else { Vec::new() };
    let connections = appliance.data_plane.sessions().len() as u64;
    let before = appliance.admin;
    let connections_cut = moves.iter().map(|planned| planned.connections_cut).sum();
    let change = StateChange { target: Target::Node(node.clone()), before, after: state, connections, connections_cut };
    if dry_run {
        return Ok((change, moves.into_iter().map(|planned| (planned, None)).collect()));
    }
    let begun = moves.into_iter().map(|planned| await_move(planned, &mut appliance)).collect();
    appliance.admin = state;
    appliance.note(Severity::Info, EventKind::Command, None, format!("this node was {before} and is now {state}"));
    wiring::tell_fitness(&mut appliance);
    Ok((change, begun))
}

/// A VIP leaves only when a node that is heard is better than one in maintenance, or when none is heard at all.
fn await_move(planned: Move, appliance: &mut Appliance) -> (Move, Option<oneshot::Receiver<MoveOutcome>>) {
    let mut peers = live_peers(appliance).peekable();
    if peers.peek().is_some() && !peers.any(|peer| is_better_than_unfit(peer, &planned.vip)) {
        return (Move { outcome: MoveOutcome::Refused { why: KEPT.to_owned() }, ..planned }, None);
    }
    drop(peers);
    let (answer, outcome) = oneshot::channel();
    if let Some(vip) = appliance.vip_mut(&planned.vip) {
        vip.moving.push(Moving { since: Instant::now(), answer });
    }
    (planned, Some(outcome))
}
