//! Requests that another node answers through this one.

use std::time::Duration;

use fmc_api::{Refusal, RefusalKind};
use fmc_config::model::name::NodeName;
use hyper::body::Bytes;
use hyper::{Method, Request, Response};

use super::response::Answer;
use crate::administrative::Order;
use crate::pair::call::{CallError, Line};
use crate::proxy::appliance::{Appliance, Shared};

/// What is read is read quickly.
const READ_WITHIN: Duration = Duration::from_secs(5);

/// A command of another node may wait for a move or for a probe; whoever asked has a deadline of its own.
const COMMAND_WITHIN: Duration = Duration::from_secs(320);

/// Has `node` answer what is asked of it.
pub(super) async fn get<B>(request: &Request<B>, node: &NodeName, shared: &Shared) -> Answer {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let line = match line_to(node, &shared.borrow()) {
        Ok(line) => line,
        Err(refusal) => return refusal.into(),
    };
    whole(node, line.call(Method::GET, &target, Bytes::new(), None, READ_WITHIN).await)
}

/// Has `node` do what is asked of it.
pub(super) async fn post(path: &str, body: Bytes, order: &Order, node: &NodeName, shared: &Shared) -> Answer {
    let line = match line_to(node, &shared.borrow()) {
        Ok(line) => line,
        Err(refusal) => return refusal.into(),
    };
    whole(node, line.post(path, body, order, COMMAND_WITHIN).await)
}

fn whole(node: &NodeName, outcome: Result<(Response<()>, Bytes), CallError>) -> Answer {
    match outcome {
        Ok((head, body)) => Answer::passed_on(head.status(), body),
        Err(error) => Refusal::new(
            RefusalKind::Unavailable,
            format!("{node} does not answer: {error}"),
            format!("see whether it runs, and whether TCP to the pair's port of {node} is let through"),
        )
        .into(),
    }
}

/// The way to a node. Errors: there is no such node, or no key.
pub(super) fn line_to(node: &NodeName, appliance: &Appliance) -> Result<Line, Refusal> {
    if let Some(line) = appliance.channel.line(node) {
        return Ok(line.clone());
    }
    if !appliance.others().any(|other| other.name == *node) {
        let names: Vec<&str> = appliance.config.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(Refusal::new(
            RefusalKind::NotFound,
            format!("there is no node {node}"),
            format!("use one of {}", names.join(", ")),
        ));
    }
    Err(Refusal::new(
        RefusalKind::No,
        format!("this node has no channel to {node}"),
        format!("{NO_KEY}, or run the command on {node}"),
    ))
}

/// What to do about a pair whose nodes cannot command each other.
pub(super) const NO_KEY: &str = "make a key with fmc-lb keygen and name it as key_file in [pair] on every node";
