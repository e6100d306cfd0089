//! The commanding half of the admin API: every `POST`. Parse, decide, do, say what changed.

mod agreement;
mod configure;
mod everywhere;
mod failover;
mod node_state;
mod pin;
mod probe;
mod rebalance;
mod server_state;
mod trial;
mod undo;

use fmc_api::command::{Failover, Kill, KillAnswer, SetState, SetWeight, Undo};
use fmc_api::events::EventKind;
use fmc_api::rebalance::Rebalance;
use fmc_api::word::{AdminState, Severity};
use fmc_api::{Nodes, Refusal, RefusalKind, Target, path};
use fmc_lb::EndedBy;
use hyper::body::Bytes;
use serde::de::DeserializeOwned;

use super::response::Answer;
use super::{pass_on, read};
use crate::administrative::Order;
use crate::proxy::appliance::Shared;
use crate::proxy::saver::Receipt;

/// Does what the path and the body say, under the name of whoever gave the order, on the nodes that it is for.
pub(crate) async fn answer(path: &str, body: Bytes, order: &Order, nodes: Nodes, shared: &Shared) -> Answer {
    match nodes {
        Nodes::All => everywhere::answer(path, body, order, shared).await,
        Nodes::This => here(path, &body, order, shared).await,
        Nodes::Node(node) => pass_on::post(path, body, order, &node, shared).await,
    }
}

/// On this node alone.
async fn here(path: &str, body: &[u8], order: &Order, shared: &Shared) -> Answer {
    let outcome = match path {
        path::DRAIN => set_state(body, AdminState::Drain, order, shared).await,
        path::READY => set_state(body, AdminState::Ready, order, shared).await,
        path::MAINT => set_state(body, AdminState::Maint, order, shared).await,
        path::WEIGHT => match parse::<SetWeight>(body) {
            Ok(weight) => server_state::set_weight(&weight, order, shared).await,
            Err(refusal) => Err(refusal),
        },
        path::UNDO => match parse::<Undo>(body) {
            Ok(wanted) => undo::undo(wanted, order, shared).await,
            Err(refusal) => Err(refusal),
        },
        path::CONFIGURE => match parse(body) {
            Ok(wanted) => configure::configure(wanted, order, shared).await.map(|answer| Answer::json(&answer)),
            Err(refusal) => Err(refusal),
        },
        path::CONFIRM => parse(body).and_then(|wanted| trial::confirm(&wanted, shared)),
        path::ROLLBACK => match parse(body) {
            Ok(wanted) => trial::roll_back(wanted, order, shared).await,
            Err(refusal) => Err(refusal),
        },
        path::PIN => match parse(body) {
            Ok(wanted) => pin::pin(wanted, order, shared).await,
            Err(refusal) => Err(refusal),
        },
        path::KILL => parse::<Kill>(body).and_then(|wanted| kill(wanted, shared)),
        path::PROBE => match parse(body) {
            Ok(wanted) => probe::answer(&wanted, shared).await,
            Err(refusal) => Err(refusal),
        },
        path::FAILOVER => match parse::<Failover>(body) {
            Ok(failover) => failover::fail_over(&failover, shared).await,
            Err(refusal) => Err(refusal),
        },
        path::REBALANCE => match parse::<Rebalance>(body) {
            Ok(wanted) => rebalance::rebalance(&wanted, shared).await,
            Err(refusal) => Err(refusal),
        },
        other => {
            Err(Refusal::new(RefusalKind::NotFound, format!("there is no command {other}"), "see fmc-lbctl --help"))
        }
    };
    outcome.unwrap_or_else(Answer::from)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::new(RefusalKind::BadRequest, format!("the body is wrong: {error}"), "use fmc-lbctl"))
}

async fn set_state(body: &[u8], state: AdminState, order: &Order, shared: &Shared) -> Result<Answer, Refusal> {
    let wanted: SetState = parse(body)?;
    match &wanted.target {
        Target::Node(node) => node_state::set(node, state, wanted.dry_run, order, shared).await,
        target => server_state::set(target, state, wanted.dry_run, order, shared).await,
    }
}

/// Why what was asked would be forgotten by a restart; `None`: it is on the disk. Waits for the disk, but not for long.
async fn unsaved(receipt: Option<Receipt>) -> Option<String> {
    match receipt {
        Some(receipt) => receipt.unsaved().await,
        None => Some("it cannot be written down; see the log".to_owned()),
    }
}

fn kill(wanted: Kill, shared: &Shared) -> Result<Answer, Refusal> {
    let mut appliance = shared.borrow_mut();
    let live = appliance.data_plane.sessions().find(wanted.session.0).ok_or_else(|| {
        let error = format!("there is no session {}", wanted.session);
        Refusal::new(RefusalKind::NotFound, error, "list them with fmc-lbctl sessions; it may have ended by itself")
    })?;
    let session = read::session(&appliance, &live);
    live.end(EndedBy::KilledByOperator);
    let text = format!("session {} of {} was ended by an operator", session.id, session.client);
    appliance.note(Severity::Info, EventKind::Command, Some(format!("session {}", session.id)), text);
    Ok(Answer::json(&KillAnswer { now: read::now(), session }))
}
