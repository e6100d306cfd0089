//! A command for every node that it concerns: done here, then on the others, whose answers stand beside this node's.

use std::time::Duration;

use fmc_api::command::{Failover, FailoverAnswer, Pin, SetState, StateAnswer, StateChange, Undo, VipChoice};
use fmc_api::configure::{Configure, Confirm, Rollback};
use fmc_api::status::Owner;
use fmc_api::word::AdminState;
use fmc_api::{Elsewhere, Outcome, Refusal, Target, path};
use fmc_config::model::name::NodeName;
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{agreement, failover, here, parse, unsaved};
use crate::admin::response::Answer;
use crate::admin::{pass_on, read};
use crate::administrative::{Order, Subject, Wanted};
use crate::pair::call::Line;
use crate::proxy::appliance::{Appliance, Shared};
use crate::proxy::view::owner;
use crate::wiring::operator;

/// A node that answers at all answers within this.
const WITHIN: Duration = Duration::from_secs(10);

/// Does what the path and the body say on every node that it concerns.
pub(super) async fn answer(path: &str, body: Bytes, order: &Order, shared: &Shared) -> Answer {
    match path {
        path::DRAIN | path::READY | path::MAINT => {
            let (own, node) = (shared.borrow().node.name.clone(), other_node(&body, &shared.borrow()));
            match node {
                // The others cannot do it; they hear of it, as of everything that was asked.
                None if named(&body).as_ref() == Some(&own) => here(path, &body, order, shared).await,
                Some(node) => of_other_node(node, path, body, order, shared).await,
                None => of_all(path, body, order, shared).await,
            }
        }
        path::WEIGHT | path::UNDO => of_all(path, body, order, shared).await,
        path::PIN => match parse::<Pin>(&body) {
            Ok(wanted) => of_all(path, json(&Pin { all_nodes: true, ..wanted }), order, shared).await,
            Err(refusal) => refusal.into(),
        },
        path::FAILOVER => match parse::<Failover>(&body) {
            Ok(wanted) => fail_over(wanted, body, order, shared).await,
            Err(refusal) => refusal.into(),
        },
        path::CONFIGURE => match parse::<Configure>(&body) {
            Ok(wanted) => agreement::agree(wanted, order, shared).await,
            Err(refusal) => refusal.into(),
        },
        path::CONFIRM | path::ROLLBACK => of_all(path, body, order, shared).await,
        // A connection lives on one node, and a probe is one node's view.
        _ => here(path, &body, order, shared).await,
    }
}

/// The other node of `[nodes]` that a state is asked for.
fn other_node(body: &[u8], appliance: &Appliance) -> Option<NodeName> {
    named(body).filter(|node| appliance.others().any(|other| other.name == *node))
}

/// The node that a state is asked for.
fn named(body: &[u8]) -> Option<NodeName> {
    let SetState { target, dry_run: _ } = parse(body).ok()?;
    let Target::Node(node) = target else { return None };
    Some(node)
}

/// What concerns every node: here first, and what was done here is done there.
async fn of_all(path: &str, body: Bytes, order: &Order, shared: &Shared) -> Answer {
    let done = here(path, &body, order, shared).await;
    let Some(mut value) = done.is_success().then(|| done.value()).flatten() else { return done };
    let there = match path {
        path::UNDO => same_act(&value),
        path::CONFIRM => same_configuration(&value),
        path::ROLLBACK => same_trial(&value),
        _ => body,
    };
    let is_dry = value["dry_run"] == Value::Bool(true);
    let others = ask_others(path, there, order, is_dry, shared).await;
    if !others.is_empty() {
        value["others"] = serde_json::to_value(others).unwrap_or_default();
    }
    Answer::json(&value)
}

/// The others take back the act that was taken back here, and no other.
fn same_act(done: &Value) -> Bytes {
    let by = done["act"]["by"].as_str().and_then(|name| name.parse().ok());
    json(&Undo { act: done["act"]["number"].as_u64(), by, dry_run: done["dry_run"] == Value::Bool(true) })
}

/// The others confirm what was confirmed here, and nothing else.
fn same_configuration(done: &Value) -> Bytes {
    json(&Confirm { hash: done["hash"].as_str().map(str::to_owned) })
}

/// The others go back from the trial that ended here, and from no other.
fn same_trial(done: &Value) -> Bytes {
    json(&Rollback { trial: serde_json::from_value(done["trial"].clone()).ok() })
}

pub(super) fn json(body: &impl Serialize) -> Bytes {
    serde_json::to_vec(body).unwrap_or_default().into()
}

/// Answers as what they are.
pub(super) fn typed<T: DeserializeOwned>(others: Vec<Elsewhere<Value>>) -> Vec<Elsewhere<T>> {
    let one = |Elsewhere { node, outcome }| Elsewhere { node, outcome: read_answer(outcome) };
    others.into_iter().map(one).collect()
}

fn read_answer<T: DeserializeOwned>(outcome: Outcome<Value>) -> Outcome<T> {
    match outcome {
        Outcome::Done(value) => match serde_json::from_value(value) {
            Ok(answer) => Outcome::Done(answer),
            Err(error) => Outcome::NotAsked(format!("its answer cannot be read: {error}")),
        },
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
        Outcome::Later(why) => Outcome::Later(why),
        Outcome::NotAsked(why) => Outcome::NotAsked(why),
    }
}

/// What each other node makes of it; they are asked at the same time.
pub(super) async fn ask_others(
    path: &str,
    body: Bytes,
    order: &Order,
    is_dry: bool,
    shared: &Shared,
) -> Vec<Elsewhere<Value>> {
    let lines: Vec<Line> = shared.borrow().channel.lines().cloned().collect();
    if lines.is_empty() {
        return unasked(&shared.borrow());
    }
    let asked = lines.into_iter().map(|line| {
        let (path, body, order) = (path.to_owned(), body.clone(), order.clone());
        tokio::task::spawn_local(async move {
            let outcome = ask(&line, &path, body, &order, is_dry).await;
            Elsewhere { node: line.node, outcome }
        })
    });
    let asked: Vec<_> = asked.collect();
    let mut others = Vec::with_capacity(asked.len());
    for task in asked {
        others.extend(task.await.ok());
    }
    others
}

pub(super) async fn ask(line: &Line, path: &str, body: Bytes, order: &Order, is_dry: bool) -> Outcome<Value> {
    match line.post(path, body, order, WITHIN).await {
        Ok((head, body)) if head.status().is_success() => match serde_json::from_slice(&body) {
            Ok(value) => Outcome::Done(value),
            Err(error) => Outcome::NotAsked(format!("its answer cannot be read: {error}")),
        },
        Ok((head, body)) => match serde_json::from_slice::<Refusal>(&body) {
            Ok(refusal) => Outcome::Refused(refusal),
            Err(_) => Outcome::NotAsked(format!("it answers {}", head.status())),
        },
        Err(error) if is_dry => Outcome::NotAsked(error.to_string()),
        // What is in force here is told to it each second, until it has it.
        Err(error) => Outcome::Later(error.to_string()),
    }
}

/// A pair without a key: each node acts alone.
fn unasked(appliance: &Appliance) -> Vec<Elsewhere<Value>> {
    let why = format!("the nodes have no channel to each other: {}", pass_on::NO_KEY);
    let of = |node: &fmc_config::model::node::Node| Elsewhere {
        node: node.name.clone(),
        outcome: Outcome::NotAsked(why.clone()),
    };
    appliance.others().map(of).collect()
}

/// `drain`, `ready` or `maint` of another node: it does it itself, now or when it answers again.
async fn of_other_node(node: NodeName, path: &str, body: Bytes, order: &Order, shared: &Shared) -> Answer {
    let line = match pass_on::line_to(&node, &shared.borrow()) {
        Ok(line) => line,
        Err(refusal) => return refusal.into(),
    };
    let wanted: SetState = match parse(&body) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal.into(),
    };
    match ask(&line, path, body, order, wanted.dry_run).await {
        Outcome::Done(value) => Answer::json(&value),
        Outcome::Refused(refusal) => refusal.into(),
        missing @ (Outcome::Later(_) | Outcome::NotAsked(_)) => {
            remember(node, path, wanted, order, missing, shared).await
        }
    }
}

/// Keeps it here for the other node.
async fn remember(
    node: NodeName,
    path: &str,
    wanted: SetState,
    order: &Order,
    missing: Outcome<Value>,
    shared: &Shared,
) -> Answer {
    let state = match path {
        path::DRAIN => AdminState::Drain,
        path::MAINT => AdminState::Maint,
        _ => AdminState::Ready,
    };
    let before = shared.borrow().administrative.node(&node);
    let unsaved = if wanted.dry_run {
        None
    } else {
        let subjects = [Subject::Node(node.clone())];
        let what = format!("{state} node {node}");
        let receipt = {
            let appliance = &mut shared.borrow_mut();
            // Others may have commanded while the node was being called.
            let stamp = appliance.administrative.next_stamp(&order.stamp.by);
            let order = Order { stamp, ..order.clone() };
            operator::ask(Wanted::State(state), &subjects, what, &order, appliance)
        };
        unsaved(receipt).await
    };
    let change = StateChange { target: wanted.target, before, after: state, connections: 0, connections_cut: 0 };
    let (now, dry_run) = (read::now(), wanted.dry_run);
    let done = StateAnswer { now, dry_run, changes: vec![change], moves: Vec::new(), unsaved, others: Vec::new() };
    let mut value = serde_json::to_value(done).unwrap_or_default();
    value["others"] = serde_json::to_value([Elsewhere { node, outcome: missing }]).unwrap_or_default();
    Answer::json(&value)
}

/// A VIP is moved by its owner.
async fn fail_over(wanted: Failover, body: Bytes, order: &Order, shared: &Shared) -> Answer {
    let this = shared.borrow().node.name.clone();
    match &wanted.vips {
        VipChoice::Named(vip) => {
            let owner = {
                let appliance = shared.borrow();
                appliance.vips.iter().find(|state| state.vip.name == *vip).map(|state| owner(&appliance, state))
            };
            match owner {
                Some(Owner::Node(node)) if node != this && shared.borrow().channel.line(&node).is_some() => {
                    pass_on::post(path::FAILOVER, body, order, &node, shared).await
                }
                _ => here(path::FAILOVER, &body, order, shared).await,
            }
        }
        VipChoice::All if wanted.to.is_some() => from_everywhere(wanted, this, body, order, shared).await,
        VipChoice::All => here(path::FAILOVER, &body, order, shared).await,
    }
}

/// Every VIP goes to one node, whoever owns it.
async fn from_everywhere(wanted: Failover, this: NodeName, body: Bytes, order: &Order, shared: &Shared) -> Answer {
    let mut moves = Vec::new();
    if wanted.to.as_ref() != Some(&this) {
        match failover::moves(&wanted, shared).await {
            Ok(own) => moves.extend(own),
            Err(refusal) => return refusal.into(),
        }
    }
    let lines: Vec<Line> =
        shared.borrow().channel.lines().filter(|line| wanted.to.as_ref() != Some(&line.node)).cloned().collect();
    let mut others = Vec::new();
    for line in lines {
        // A move is of the moment: nobody makes up for it.
        let outcome = ask(&line, path::FAILOVER, body.clone(), order, true).await;
        match read_answer::<FailoverAnswer>(outcome) {
            Outcome::Done(answer) => moves.extend(answer.moves),
            outcome => others.push(Elsewhere { node: line.node, outcome }),
        }
    }
    Answer::json(&FailoverAnswer { now: read::now(), dry_run: wanted.dry_run, moves, others })
}
