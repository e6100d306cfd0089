//! `GET /v1/explain/...`: gathers the facts; [`crate::explanation`] puts them in words.

use std::time::SystemTime;

use fmc_api::events::EventKind;
use fmc_api::explain::{BackendExplanation, BehindVip, NodePart, ServerExplanation, VipExplanation};
use fmc_api::word::{Prospect as Word, Role as RoleWord};
use fmc_api::{Moment, Refusal, RefusalKind, path};
use fmc_config::model::frontend::Frontend;
use fmc_config::model::name::NodeName;
use fmc_config::model::node::Node;
use fmc_health::ServerStatus as Checked;
use fmc_lb::{PoolStatus, Prospect, ServerStatus as Pooled};

use super::backends::{check_result, server};
use super::{now, status};
use crate::admin::response::Answer;
use crate::explanation::{backend, vip};
use crate::proxy::appliance::{Appliance, VipState};
use crate::proxy::view::{live_peers, owner, snapshot_of};
use crate::supervisor::sketch::role_word;

/// Checks that an explanation shows of a server.
const CHECKS_SHOWN: usize = 5;

/// Moves that an explanation shows of a VIP.
const MOVES_SHOWN: usize = 10;

/// Answers a path of the two kinds; `None`: it is of neither.
pub(crate) fn answer(path: &str, appliance: &Appliance) -> Option<Answer> {
    if let Some(name) = path.strip_prefix(path::EXPLAIN_VIP) {
        let state = appliance.vips.iter().find(|state| state.vip.name.as_str() == name);
        let known = appliance.vips.iter().map(|state| state.vip.name.as_str());
        return Some(
            state.map_or_else(|| unknown("VIP", name, known), |state| Answer::json(&of_vip(state, appliance))),
        );
    }
    let name = path.strip_prefix(path::EXPLAIN_BACKEND)?;
    let known = appliance.config.backends.iter().map(|backend| backend.name.as_str());
    Some(of_backend(name, appliance).map_or_else(|| unknown("backend", name, known), |found| Answer::json(&found)))
}

fn unknown<'a>(kind: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Answer {
    let fix = format!("use one of {}", known.collect::<Vec<_>>().join(", "));
    Refusal::new(RefusalKind::NotFound, format!("there is no {kind} {name:?}"), fix).into()
}

fn of_vip(state: &VipState, appliance: &Appliance) -> VipExplanation {
    let nodes: Vec<NodePart> = appliance.config.nodes.iter().map(|node| part(node, state, appliance)).collect();
    let (owner, address) = (owner(appliance, state), state.vip.address);
    let failback = appliance.config.election.failback;
    let together: Vec<_> = appliance.config.elected_with(&state.vip.name).map(|vip| &vip.name).collect();
    let subject = format!("vip {}", state.vip.name);
    let events = appliance.events.since(None).events.into_iter();
    let mut moves: Vec<_> = events
        .filter(|event| event.kind == EventKind::Role && event.subject.as_deref() == Some(subject.as_str()))
        .collect();
    moves.drain(..moves.len().saturating_sub(MOVES_SHOWN));
    let here = appliance.config.frontends.iter().filter(|frontend| together.contains(&&frontend.vip));
    let mut backends: Vec<BehindVip> = Vec::new();
    for backend in here.flat_map(Frontend::backends) {
        if !backends.iter().any(|known| known.name == *backend)
            && let Some(found) = of_backend(backend.as_str(), appliance)
        {
            backends.push(BehindVip { name: found.backend, sentence: found.sentence });
        }
    }
    VipExplanation {
        now: now(),
        node: appliance.node.name.clone(),
        sentence: vip::sentence(&vip::Facts { address, together: &together, owner: &owner, failback, nodes: &nodes }),
        vip: state.vip.name.clone(),
        address,
        owner,
        nodes,
        backends,
        moves,
    }
}

/// What is known here of a node's part: its own facts, a heartbeat's, and what the channel adds.
fn part(node: &Node, state: &VipState, appliance: &Appliance) -> NodePart {
    let name = &node.name;
    let asked_of = |part: NodePart| NodePart {
        admin: appliance.administrative.node(name),
        admin_asked: appliance.administrative.node_asked(name),
        pinned: status::pinned(name, appliance),
        ..part
    };
    if *name == appliance.node.name {
        return asked_of(of_this_node(state, appliance));
    }
    let said = live_peers(appliance).find(|peer| peer.name == *name);
    let said = said.and_then(|peer| peer.vips.iter().find(|said| said.vip == state.vip.name));
    let role = said.map(|said| role_word(said.role));
    let parts = appliance.channel.heard(name).map(|heard| &heard.report.vips);
    let told = parts.and_then(|parts| parts.iter().find(|part| part.vip == state.vip.name));
    // What the channel tells is up to a second old: of another role it says nothing.
    let told = told.filter(|told| Some(told.role) == role);
    asked_of(NodePart {
        heard: said.is_some(),
        role,
        for_ms: told.map(|told| told.for_ms),
        reason: told.map(|told| told.reason.clone()),
        tier: said.map(|said| status::tier_word(said.tier)),
        cause: told.and_then(|told| told.fitness.cause.clone()),
        priority: told.map(|told| told.priority),
        ..nothing_of(name)
    })
}

fn of_this_node(state: &VipState, appliance: &Appliance) -> NodePart {
    let fitness = status::fitness(state);
    NodePart {
        heard: true,
        role: Some(role_word(state.role)),
        for_ms: Some(age(state.since)),
        reason: Some(state.reason.clone()),
        tier: Some(fitness.tier),
        cause: fitness.cause,
        priority: snapshot_of(appliance, &state.vip.name).map(|seen| seen.priority),
        ..nothing_of(&appliance.node.name)
    }
}

fn nothing_of(node: &NodeName) -> NodePart {
    NodePart {
        node: node.clone(),
        heard: false,
        role: None::<RoleWord>,
        for_ms: None,
        reason: None,
        tier: None,
        cause: None,
        priority: None,
        admin: fmc_api::word::AdminState::Ready,
        admin_asked: None,
        pinned: None,
    }
}

/// In milliseconds, by this node's clock.
pub(super) fn age(since: Moment) -> u64 {
    u64::try_from(since.until(Moment::from(SystemTime::now())).as_millis()).unwrap_or(u64::MAX)
}

fn of_backend(name: &str, appliance: &Appliance) -> Option<BackendExplanation> {
    let checked = appliance.checker.status();
    let found = appliance.data_plane.pool(name)?;
    let members = found.snapshot();
    let pool: PoolStatus = found.status(appliance.data_plane.pulse().now());
    let statuses: Vec<_> = pool
        .servers
        .iter()
        .map(|pooled| {
            let seen = checked.iter().find(|seen| seen.backend == pool.backend && seen.server == pooled.name);
            (pooled, seen, server(appliance, &pool, pooled, seen))
        })
        .collect();
    let told: Vec<(backend::Facts<'_>, String)> = statuses
        .iter()
        .map(|(pooled, _, status)| {
            let agent = members.member(pooled.name.as_str()).map(|member| &member.agent);
            let facts = backend::Facts {
                server: status,
                prospect: word(pooled.prospect),
                full: pooled.full,
                suspected: pooled.suspected,
                warming_up: pooled.warming_up,
                agent_refuses: agent.is_some_and(|wish| !wish.takes_new || wish.is_down || wish.percent == 0),
            };
            let why = backend::why(&facts);
            (facts, why)
        })
        .collect();
    let frontends = appliance.config.frontends.iter().filter(|frontend| frontend.leads_to(&pool.backend));
    Some(BackendExplanation {
        now: now(),
        node: appliance.node.name.clone(),
        sentence: backend::sentence(&pool.backend, pool.balance, pool.waiting, &told),
        balance: backend::words(pool.balance).0.to_owned(),
        waiting: pool.waiting,
        frontends: frontends.map(|frontend| frontend.name.clone()).collect(),
        servers: statuses.iter().zip(&told).map(|((pooled, seen, _), told)| explained(pooled, *seen, told)).collect(),
        backend: pool.backend.clone(),
    })
}

fn explained(
    pooled: &Pooled,
    seen: Option<&Checked>,
    (facts, why): &(backend::Facts<'_>, String),
) -> ServerExplanation {
    let history = seen.map(|seen| seen.history.as_slice()).unwrap_or_default();
    let (contradicted, changes_at) = seen.map(|seen| seen.contradicted).unwrap_or_default();
    ServerExplanation {
        server: facts.server.clone(),
        prospect: word(pooled.prospect),
        why: why.clone(),
        asked_at: seen.map(|seen| seen.addresses.clone()).unwrap_or_default(),
        contradicted,
        changes_at,
        checks: history[history.len().saturating_sub(CHECKS_SHOWN)..].iter().map(check_result).collect(),
    }
}

fn word(prospect: Prospect) -> Word {
    match prospect {
        Prospect::Next => Word::Next,
        Prospect::Candidate => Word::Candidate,
        Prospect::LastResort => Word::LastResort,
        Prospect::Never => Word::Never,
    }
}
