//! `undo`: the last `drain`, `ready`, `maint` or `weight` is taken back.

use fmc_api::command::{Act as ActWords, Move, StateChange, Undo, UndoAnswer, WeightChange};
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_api::{Refusal, RefusalKind};

use super::node_state::{self, Begun};
use super::{server_state, unsaved};
use crate::admin::read;
use crate::admin::response::Answer;
use crate::administrative::{Act, Administrative, Effect, Order, Stamp, Undone};
use crate::proxy::appliance::{Appliance, Shared};
use crate::proxy::saver::Receipt;
use crate::wiring::operator;

/// Takes the last act back, or says what that would do.
pub(crate) async fn undo(wanted: Undo, order: &Order, shared: &Shared) -> Result<Answer, Refusal> {
    let Plan { after, undone, changes, weights, moves } = plan(&wanted, order, &shared.borrow())?;
    let Undone { act, effects } = undone;
    let (moves, unsaved) = if wanted.dry_run {
        (moves, None)
    } else {
        let (begun, receipt) = begin(after, &act, &effects, moves, order, &mut shared.borrow_mut());
        (node_state::await_all(begun, shared).await, unsaved(receipt).await)
    };
    let (now, dry_run, act) = (read::now(), wanted.dry_run, words(act));
    Ok(Answer::json(&UndoAnswer { now, dry_run, act, changes, weights, moves, unsaved, others: Vec::new() }))
}

struct Plan {
    /// The layer as it will be.
    after: Administrative,
    undone: Undone,
    changes: Vec<StateChange>,
    weights: Vec<WeightChange>,
    moves: Vec<Move>,
}

fn plan(wanted: &Undo, order: &Order, appliance: &Appliance) -> Result<Plan, Refusal> {
    check_act(wanted, appliance)?;
    let mut after = appliance.administrative.clone();
    let undone = after.undo(order, &appliance.config).ok_or_else(nothing)?;
    let mut plan = Plan { after, undone, changes: Vec::new(), weights: Vec::new(), moves: Vec::new() };
    for effect in &plan.undone.effects {
        match effect {
            // Another node gives its own addresses away.
            Effect::Node(node, _) if *node != appliance.node.name => {}
            Effect::Node(node, state) => {
                let node_state::Plan { change, moves } = node_state::plan(node, *state, appliance)?;
                plan.changes.push(change);
                plan.moves.extend(moves);
            }
            Effect::State(backend, server, state) => {
                plan.changes.push(server_state::change(appliance, backend, server, *state));
            }
            // It moves nothing by itself, and the act is named.
            Effect::Pin(_) => {}
            Effect::Weight(backend, server, weight) => {
                plan.weights.push(server_state::weight_change(appliance, backend, server, *weight));
            }
        }
    }
    Ok(plan)
}

/// Somebody else may have acted since the caller looked.
fn check_act(wanted: &Undo, appliance: &Appliance) -> Result<(), Refusal> {
    let last = appliance.administrative.last_act().ok_or_else(nothing)?;
    let Stamp { count, by } = &last.stamp;
    let is_it = wanted.act.is_none_or(|number| number == *count) && wanted.by.as_ref().is_none_or(|node| node == by);
    if is_it {
        return Ok(());
    }
    let error = format!("the last act is another one: {}, by uid {} on {by}, number {count}", last.what, last.uid);
    Err(Refusal::new(RefusalKind::No, error, "look again with fmc-lbctl undo --dry-run"))
}

fn nothing() -> Refusal {
    let fix =
        "drain, ready, maint and weight can be taken back; see fmc-lbctl status and backends for what is in force";
    Refusal::new(RefusalKind::No, "there is nothing to take back", fix)
}

fn begin(
    after: Administrative,
    act: &Act,
    effects: &[Effect],
    moves: Vec<Move>,
    order: &Order,
    appliance: &mut Appliance,
) -> (Begun, Option<Receipt>) {
    let begun = node_state::expect_all(moves, appliance);
    let text = format!("{order} took back: {}, asked by uid {} at {}", act.what, act.uid, act.at);
    appliance.note(Severity::Info, EventKind::Command, None, text);
    appliance.administrative = after;
    operator::carry_out(effects, appliance);
    (begun, operator::save(appliance))
}

fn words(act: Act) -> ActWords {
    let Act { stamp: Stamp { count, by }, at, uid, what, .. } = act;
    ActWords { number: count, by, at, uid, what }
}
