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

/// Pins this node, or ends its pin.
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
        let subject = Subject::Node(appliance.node.name.clone());
        operator::ask(Wanted::Pin(Duration::from_millis(wanted.for_ms)), &[subject], what, order, appliance)
    };
    let unsaved = unsaved(receipt).await;
    Ok(Answer::json(&PinAnswer { now: read::now(), for_ms: wanted.for_ms, unsaved, others: Vec::new() }))
}
