//! Whose command it is, and for which nodes.

use std::time::SystemTime;

use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_api::{Asked, Moment, NODES_HEADER, Nodes, Refusal, RefusalKind};
use fmc_config::model::name::NodeName;
use hyper::Request;

use super::Caller;
use crate::administrative::Order;
use crate::pair::call::ORDER_HEADER;
use crate::proxy::appliance::Appliance;

/// Which nodes a request is for. What another node sends is for this one: nothing goes in circles.
pub(super) fn nodes<B>(request: &Request<B>, caller: &Caller, this: &NodeName) -> Result<Nodes, Refusal> {
    if !matches!(caller, Caller::Local { .. } | Caller::Remote(_)) {
        return Ok(Nodes::This);
    }
    let Some(value) = request.headers().get(NODES_HEADER) else { return Ok(Nodes::All) };
    let text = value.to_str().unwrap_or_default();
    let nodes = text.parse().map_err(|error: fmc_api::nodes::NodesError| {
        Refusal::new(RefusalKind::BadRequest, format!("header {NODES_HEADER}: {error}"), "use fmc-lbctl")
    })?;
    Ok(if nodes == Nodes::Node(this.clone()) { Nodes::This } else { nodes })
}

/// Under whose name something is done.
pub(super) enum Authority {
    /// Somebody who asks on this node.
    Local { uid: u32 },
    /// Somebody who asks over the network, and has shown who it is.
    Remote { who: String },
    /// Somebody who has asked on another node.
    Given(Order),
}

impl Authority {
    /// An order that is carried out now.
    pub(super) fn order(self, command: &str, body: &[u8], appliance: &mut Appliance) -> Order {
        match self {
            Self::Remote { who } => {
                note(&who, command, body, appliance);
                own(ROOT, appliance)
            }
            Self::Given(order) => {
                appliance.administrative.heard_of(&order.stamp);
                order
            }
            Self::Local { uid } => own(uid, appliance),
        }
    }
}

/// Whoever may command over the network may what root may.
const ROOT: u32 = 0;

/// An order of this node.
fn own(uid: u32, appliance: &mut Appliance) -> Order {
    let asked = Asked { at: Moment::from(SystemTime::now()), uid };
    Order { asked, stamp: appliance.administrative.next_stamp(&appliance.node.name) }
}

/// Leaves a trace of who has commanded what; not of questions what a command would do.
fn note(who: &str, command: &str, body: &[u8], appliance: &mut Appliance) {
    let asked: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    if asked["dry_run"] == true {
        return;
    }
    let words: String = asked.to_string().chars().take(200).collect();
    let text = format!("over the network, {who} commands {} {words}", command.trim_start_matches("/v1/"));
    appliance.note(Severity::Info, EventKind::Command, None, text);
}

/// Under whose name it is done, if the caller may command at all.
pub(super) fn authority<B>(request: &Request<B>, caller: &Caller) -> Result<Authority, Refusal> {
    let refused = |error: String, fix: &str| Err(Refusal::new(RefusalKind::NotPermitted, error, fix));
    match caller {
        Caller::Local { uid: 0 } => Ok(Authority::Local { uid: 0 }),
        Caller::Local { uid } => refused(format!("user id {uid} may look, only root may command"), "use sudo"),
        Caller::Remote(visitor) => {
            let who = visitor.may_command(request.uri().path(), request.headers())?;
            Ok(Authority::Remote { who })
        }
        Caller::Network => {
            refused("commands are not taken here".to_owned(), "use fmc-lbctl on the node, or [admin.remote]")
        }
        Caller::Node(node) => {
            let text = request.headers().get(ORDER_HEADER).map(|value| value.as_bytes()).unwrap_or_default();
            serde_json::from_slice(text).map(Authority::Given).map_err(|error| {
                let error = format!("the header {ORDER_HEADER} of {node} is wrong: {error}");
                Refusal::new(RefusalKind::BadRequest, error, "let both nodes run the same release")
            })
        }
    }
}
