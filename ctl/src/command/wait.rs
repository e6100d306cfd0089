//! `--wait`: look again until it is so, saying how far it is.

use std::time::Duration;

use fmc_api::backends::{BackendList, ServerStatus};
use fmc_api::command::StateChange;
use fmc_api::status::{Owner, Status, VipStatus};
use fmc_api::word::{Health, Tier};
use fmc_api::{Client, Target};
use fmc_config::model::name::{BackendName, NodeName, ServerName};
use tokio::time::{Instant, sleep};

use crate::exit::Exit;
use crate::render::Output;
use crate::span::Span;

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// No connection is open on it, and a node owns no VIP.
    Empty,
    /// It is healthy; a node is fit for every VIP.
    InService,
}

/// Looks until every changed thing is as awaited; says so whenever what is missing has changed.
pub(super) async fn until(
    client: &Client,
    awaited: Awaited,
    changes: &[StateChange],
    timeout: Duration,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let by = Instant::now() + timeout;
    let mut said = String::new();
    loop {
        let missing = missing(client, awaited, changes).await?;
        let Some(missing) = missing else {
            return done(awaited, output);
        };
        let left = by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            output.note(&format!("gave up after {}: {missing}; what was asked stays asked", Span(timeout)))?;
            return Ok(Exit::No);
        }
        if missing != said {
            output.note(&format!("waiting: {missing}, {} left", Span(left)))?;
            said = missing;
        }
        sleep(INTERVAL.min(left)).await;
    }
}

fn done(awaited: Awaited, output: &mut Output) -> anyhow::Result<Exit> {
    output.note(match awaited {
        Awaited::Empty => "drained: nothing is open on it",
        Awaited::InService => "in service",
    })?;
    Ok(Exit::Done)
}

/// What is still missing, in words; `None`: nothing.
async fn missing(client: &Client, awaited: Awaited, changes: &[StateChange]) -> anyhow::Result<Option<String>> {
    let node = changes.iter().find_map(|change| match &change.target {
        Target::Node(node) => Some(node),
        Target::ServerOf(..) | Target::Server(_) => None,
    });
    Ok(match node {
        Some(node) => node_missing(awaited, node, &client.status().await?),
        None => servers_missing(awaited, changes, &client.backends().await?),
    })
}

fn servers_missing(awaited: Awaited, changes: &[StateChange], list: &BackendList) -> Option<String> {
    let named = changes.iter().filter_map(|change| match &change.target {
        Target::ServerOf(backend, server) => find(list, backend, server).map(|status| (&change.target, status)),
        Target::Server(_) | Target::Node(_) => None,
    });
    let missing = named.filter_map(|(target, server)| match awaited {
        Awaited::Empty => open(open_anywhere(server)).map(|open| format!("{target} has {open}")),
        Awaited::InService => unhealthy(server).map(|health| format!("{target} is {health}")),
    });
    sentence(missing)
}

/// On this node and on those that it hears.
fn open_anywhere(server: &ServerStatus) -> u64 {
    server.connections + server.elsewhere.iter().map(|opinion| opinion.connections).sum::<u64>()
}

fn find<'a>(list: &'a BackendList, backend: &BackendName, server: &ServerName) -> Option<&'a ServerStatus> {
    let backend = list.backends.iter().find(|candidate| candidate.name == *backend)?;
    backend.servers.iter().find(|candidate| candidate.name == *server)
}

fn node_missing(awaited: Awaited, node: &NodeName, status: &Status) -> Option<String> {
    let missing = status.vips.iter().filter_map(|vip| match awaited {
        Awaited::Empty => not_given_away(vip, node, status),
        Awaited::InService => not_fit(vip, node, status),
    });
    sentence(missing)
}

fn not_given_away(vip: &VipStatus, node: &NodeName, status: &Status) -> Option<String> {
    if vip.owner == Owner::Node(node.clone()) {
        return Some(format!("{node} still owns {}", vip.name));
    }
    let here = *node == status.node;
    open(vip.connections).filter(|_| here).map(|open| format!("{} still has {open}", vip.name))
}

fn not_fit(vip: &VipStatus, node: &NodeName, status: &Status) -> Option<String> {
    let there = vip.peers.iter().find(|peer| peer.node == *node).and_then(|peer| peer.tier);
    let tier = if *node == status.node { Some(vip.fitness.tier) } else { there };
    match tier {
        Some(Tier::Fit) => None,
        Some(tier) => Some(format!("{node} is {tier} for {}", vip.name)),
        None => Some(format!("{node} is not heard")),
    }
}

fn open(connections: u64) -> Option<String> {
    match connections {
        0 => None,
        1 => Some("1 connection open".to_owned()),
        many => Some(format!("{many} connections open")),
    }
}

fn unhealthy(server: &ServerStatus) -> Option<Health> {
    (server.health != Health::Healthy).then_some(server.health)
}

fn sentence(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
