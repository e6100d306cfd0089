//! `drain`, `ready` and `maint` of this node: whether it may own VIPs at all.

use std::time::Instant;

use fmc_api::command::{Move, MoveOutcome, StateAnswer, StateChange};
use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_api::{Refusal, RefusalKind, Target};
use fmc_config::model::name::NodeName;
use tokio::sync::oneshot;

use super::failover::{finish, owned};
use super::unsaved;
use crate::admin::read;
use crate::admin::response::Answer;
use crate::administrative::{Order, Subject, Wanted};
use crate::proxy::appliance::{Appliance, Moving, Shared};
use crate::proxy::saver::Receipt;
use crate::proxy::view::{is_better_than_unfit, live_peers};
use crate::wiring::operator;

/// Takes this node out of, or back into, the election of every VIP.
pub(crate) async fn set(
    node: &NodeName,
    state: AdminState,
    dry_run: bool,
    order: &Order,
    shared: &Shared,
) -> Result<Answer, Refusal> {
    let plan = plan(node, state, &shared.borrow())?;
    let answer = |change, moves, unsaved| {
        let changes = vec![change];
        Answer::json(&StateAnswer { now: read::now(), dry_run, changes, moves, unsaved, others: Vec::new() })
    };
    if dry_run {
        return Ok(answer(plan.change, plan.moves, None));
    }
    let (begun, receipt) = begin(node, state, plan.moves, order, &mut shared.borrow_mut());
    let moves = await_all(begun, shared).await;
    Ok(answer(plan.change, moves, unsaved(receipt).await))
}

/// What would change.
pub(super) struct Plan {
    pub(super) change: StateChange,
    /// Each VIP that would leave.
    pub(super) moves: Vec<Move>,
}

/// What a state would do to this node.
pub(super) fn plan(node: &NodeName, state: AdminState, appliance: &Appliance) -> Result<Plan, Refusal> {
    if *node != appliance.node.name {
        let error = format!("this is {}, not {node}", appliance.node.name);
        return Err(Refusal::new(RefusalKind::No, error, format!("run the command on {node}")));
    }
    let before = appliance.administrative.node(node);
    let leaves = state != AdminState::Ready && before == AdminState::Ready;
    let moves = if leaves { owned(appliance, None) } else { Vec::new() };
    let connections = appliance.data_plane.sessions().len() as u64;
    let connections_cut = moves.iter().map(|planned| planned.connections_cut).sum();
    let change = StateChange { target: Target::Node(node.clone()), before, after: state, connections, connections_cut };
    Ok(Plan { change, moves })
}

/// Each VIP that leaves, and where its outcome comes from if it really does.
pub(super) type Begun = Vec<(Move, Option<oneshot::Receiver<MoveOutcome>>)>;

fn begin(
    node: &NodeName,
    state: AdminState,
    moves: Vec<Move>,
    order: &Order,
    appliance: &mut Appliance,
) -> (Begun, Option<Receipt>) {
    let before = appliance.administrative.node(node);
    let text = format!("this node was {before} and is now {state}, asked by {order}");
    let begun = expect_all(moves, appliance);
    appliance.note(Severity::Info, EventKind::Command, None, text);
    let what = format!("{} node {node}", verb(state));
    (begun, operator::ask(Wanted::State(state), &[Subject::Node(node.clone())], what, order, appliance))
}

/// The command that asks for a state.
pub(super) fn verb(state: AdminState) -> &'static str {
    // Each state is named after its command.
    state.as_str()
}

/// Gets ready to hear how each move goes; to be called before what causes it.
pub(super) fn expect_all(moves: Vec<Move>, appliance: &mut Appliance) -> Begun {
    moves.into_iter().map(|planned| expect(planned, appliance)).collect()
}

/// Waits for each.
pub(super) async fn await_all(begun: Begun, shared: &Shared) -> Vec<Move> {
    let mut moves = Vec::with_capacity(begun.len());
    for (planned, waiting) in begun {
        moves.push(match waiting {
            Some(outcome) => finish(planned, outcome, KEPT, shared).await,
            None => planned,
        });
    }
    moves
}

const KEPT: &str = "no better node is there: this node keeps it until one is";

/// A VIP leaves only when a node that is heard is better than one in maintenance, or when none is heard at all.
fn expect(planned: Move, appliance: &mut Appliance) -> (Move, Option<oneshot::Receiver<MoveOutcome>>) {
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
