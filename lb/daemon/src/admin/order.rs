//! Whose command it is, and for which nodes.

use std::time::SystemTime;

use fmc_api::{Asked, Moment, NODES_HEADER, Nodes, Refusal, RefusalKind};
use fmc_config::model::name::NodeName;
use hyper::Request;

use super::Caller;
use crate::administrative::Order;
use crate::pair::call::ORDER_HEADER;
use crate::proxy::appliance::Appliance;

/// Which nodes a request is for. What another node sends is for this one: nothing goes in circles.
pub(super) fn nodes<B>(request: &Request<B>, caller: &Caller, this: &NodeName) -> Result<Nodes, Refusal> {
    let Caller::Local { .. } = caller else { return Ok(Nodes::This) };
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
    /// Somebody who has asked on another node.
    Given(Order),
}

impl Authority {
    /// An order that is carried out now.
    pub(super) fn order(self, appliance: &mut Appliance) -> Order {
        match self {
            Self::Given(order) => {
                appliance.administrative.heard_of(&order.stamp);
                order
            }
            Self::Local { uid } => Order {
                asked: Asked { at: Moment::from(SystemTime::now()), uid },
                stamp: appliance.administrative.next_stamp(&appliance.node.name),
            },
        }
    }
}

/// Under whose name it is done, if the caller may command at all.
pub(super) fn authority<B>(request: &Request<B>, caller: &Caller) -> Result<Authority, Refusal> {
    let refused = |error: String, fix: &str| Err(Refusal::new(RefusalKind::NotPermitted, error, fix));
    match caller {
        Caller::Local { uid: 0 } => Ok(Authority::Local { uid: 0 }),
        Caller::Local { uid } => refused(format!("user id {uid} may look, only root may command"), "use sudo"),
        Caller::Network => {
            refused("commands are taken on the unix socket only".to_owned(), "use fmc-lbctl on the node")
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
