//! `pin`: for a while no address moves back to a node only because that node ranks higher.

use std::time::Duration;

use fmc_api::command::{Pin, PinAnswer};
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_api::{Refusal, RefusalKind};

use super::unsaved;
use crate::admin::read;
use crate::admin::response::Answer;
use crate::administrative::{Order, Subject, Wanted};
use crate::proxy::appliance::Shared;
use crate::wiring::operator;

/// Pins this node, or all, or ends their pin.
pub(super) async fn pin(wanted: Pin, order: &Order, shared: &Shared) -> Result<Answer, Refusal> {
    if wanted.for_ms > Pin::LONGEST_MS {
        let error = format!("{} ms is longer than a week", wanted.for_ms);
        return Err(Refusal::new(RefusalKind::BadRequest, error, "pin for less; failback = \"never\" is for good"));
    }
    let receipt = {
        let appliance = &mut shared.borrow_mut();
        let seconds = wanted.for_ms / 1000;
        let (text, what) = match wanted.for_ms {
            0 => (format!("the pin is gone, asked by {order}"), "pin 0s".to_owned()),
            _ => (format!("pinned for {seconds} s, asked by {order}"), format!("pin {seconds}s")),
        };
        appliance.note(Severity::Info, EventKind::Command, None, text);
        // Each node has what was asked of all: one that is away hears of its own part when it is back.
        let this = appliance.node.name.clone();
        let pinned = appliance.config.nodes.iter().map(|node| node.name.clone());
        let subjects: Vec<Subject> =
            pinned.filter(|node| wanted.all_nodes || *node == this).map(Subject::Node).collect();
        operator::ask(Wanted::Pin(Duration::from_millis(wanted.for_ms)), &subjects, what, order, appliance)
    };
    let unsaved = unsaved(receipt).await;
    Ok(Answer::json(&PinAnswer { now: read::now(), for_ms: wanted.for_ms, unsaved, others: Vec::new() }))
}
