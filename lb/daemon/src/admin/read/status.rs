//! `GET /v1/status` and `/v1/vips`: who owns what, since when, why, and whether this node may be stopped.

use std::time::Duration;

use fmc_api::Moment;
use fmc_api::status::{
    Fitness, FrontendStatus, LoadedConfig, Owner, PeerRole, PeerStatus, Pinned, Process, Roles, RouteStatus,
    SafeToPatch, Status, VipStatus,
};
use fmc_api::word::{Answerer, ProcessState, Tier as TierWord};
use fmc_config::model::frontend::Protocol;
use fmc_config::model::name::{NodeName, VipName};
use fmc_config::model::route::Route;
use fmc_lb::{EndedBy, Frontend, ListenerState};
use fmc_vrrp::tier::Tier;

use super::now;
use crate::proxy::appliance::{Appliance, VipState};
use crate::proxy::view::{could_take, is_alive, live_peers, owner, snapshot_of};
use crate::supervisor::sketch::{process_roles, role_word};

/// The whole status.
pub(crate) fn status(appliance: &Appliance) -> Status {
    Status {
        now: now(),
        answered_by: Answerer::Proxy,
        node: appliance.node.name.clone(),
        admin: appliance.administrative.node(&appliance.node.name),
        admin_asked: appliance.administrative.node_asked(&appliance.node.name),
        pinned: pinned(&appliance.node.name, appliance),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        up_since: appliance.processes.as_ref().map_or(appliance.configured_at, |p| Moment::from_unix_ms(p.since)),
        observe: appliance.observing.is_some(),
        config: LoadedConfig {
            file: appliance.file.clone(),
            hash: format!("{:016x}", appliance.config_hash),
            since: appliance.configured_at,
            trial_ends_in_ms: appliance.trial.as_ref().map(|trial| milliseconds(trial.left())),
        },
        roles: roles(appliance),
        vips: vips(appliance),
        peers: peers(appliance),
        safe_to_patch: safe_to_patch(appliance),
        alarms: appliance.alarms.visible().collect(),
    }
}

/// A node's pin, while it holds.
pub(super) fn pinned(node: &NodeName, appliance: &Appliance) -> Option<Pinned> {
    let pin = appliance.administrative.pin(node)?;
    let left = pin.left(now());
    (!left.is_zero()).then(|| Pinned { asked: pin.asked(), left_ms: milliseconds(left) })
}

/// Every VIP, in the order of the configuration.
pub(crate) fn vips(appliance: &Appliance) -> Vec<VipStatus> {
    appliance.vips.iter().map(|state| vip(appliance, state)).collect()
}

fn vip(appliance: &Appliance, state: &VipState) -> VipStatus {
    let seen = snapshot_of(appliance, &state.vip.name);
    VipStatus {
        name: state.vip.name.clone(),
        address: state.vip.address,
        follows: state.vip.follows.clone(),
        virtual_router_id: state.vip.virtual_router_id.get(),
        interface: seen.map_or_else(String::new, |seen| seen.interface.clone()),
        owner: owner(appliance, state),
        role: role_word(state.role),
        since: state.since,
        reason: state.reason.clone(),
        priority: seen.map_or(0, |seen| seen.priority),
        fitness: fitness(state),
        peers: peer_roles(appliance, &state.vip.name),
        frontends: frontends(appliance, state),
        connections: appliance.connections_on(state.vip.address),
    }
}

/// How well this node could serve it.
pub(super) fn fitness(state: &VipState) -> Fitness {
    match &state.judgement {
        None => Fitness { tier: TierWord::Unfit, cause: Some("the first health checks are still out".to_owned()) },
        Some(judgement) => {
            let cause = (judgement.tier != Tier::Fit).then(|| judgement.reason.to_string());
            Fitness { tier: tier_word(judgement.tier), cause }
        }
    }
}

fn peer_roles(appliance: &Appliance, vip: &VipName) -> Vec<PeerRole> {
    let said = |node: &NodeName| {
        let peer = live_peers(appliance).find(|peer| peer.name == *node)?;
        peer.vips.iter().find(|said| said.vip == *vip)
    };
    let roles = appliance.others().map(|node| PeerRole {
        node: node.name.clone(),
        role: said(&node.name).map(|said| role_word(said.role)),
        tier: said(&node.name).map(|said| tier_word(said.tier)),
    });
    roles.collect()
}

fn peers(appliance: &Appliance) -> Vec<PeerStatus> {
    let known = |name: &NodeName| appliance.snapshot.as_ref()?.peers.iter().find(|peer| peer.name == *name);
    let peers = appliance.others().map(|node| PeerStatus {
        node: node.name.clone(),
        address: node.address,
        heartbeat_age_ms: known(&node.name).and_then(|peer| peer.heartbeat_age).map(milliseconds),
        alive: known(&node.name).is_some_and(is_alive),
        config_hash: known(&node.name).and_then(|peer| peer.config_hash).map(|hash| format!("{hash:016x}")),
        version: appliance.channel.heard(&node.name).map(|said| said.report.version.clone()),
        connections: appliance.channel.heard(&node.name).map(|said| said.report.connections),
        channel_trouble: appliance.channel.trouble(&node.name).map(str::to_owned),
    });
    peers.collect()
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn frontends(appliance: &Appliance, state: &VipState) -> Vec<FrontendStatus> {
    let all = appliance.data_plane.frontends();
    let here = all.iter().filter(|frontend| frontend.settings().vip == state.vip.name);
    here.map(|frontend| frontend_status(appliance, frontend)).collect()
}

fn frontend_status(appliance: &Appliance, frontend: &Frontend) -> FrontendStatus {
    let (settings, traffic) = (frontend.settings(), frontend.traffic());
    let listeners = appliance.data_plane.listeners();
    let mut own = listeners.iter().filter(|listener| listener.frontend == settings.name);
    FrontendStatus {
        name: settings.name.clone(),
        backend: settings.backend.clone(),
        routes: settings.routes.iter().map(route_status).collect(),
        ports: settings.ports.iter().map(|route| route.listen.get()).collect(),
        udp: settings.protocol == Protocol::Udp,
        listening: own.all(|listener| listener.state != ListenerState::Dead),
        connections: traffic.open().into(),
        connections_total: traffic.accepted(),
        refused_total: traffic.ended(EndedBy::RefusedByAllowList) + traffic.ended(EndedBy::NoServerAccepts),
    }
}

fn route_status(route: &Route) -> RouteStatus {
    let Route { server_names, alpn, sources, backend } = route;
    RouteStatus {
        server_names: server_names.iter().map(ToString::to_string).collect(),
        alpn: alpn.clone(),
        sources: sources.iter().map(ToString::to_string).collect(),
        backend: backend.clone(),
    }
}

/// May this node be stopped now? Only when it owns nothing, or another node that is fit will take what it owns.
fn safe_to_patch(appliance: &Appliance) -> SafeToPatch {
    let verdict = |safe, why: String| SafeToPatch { safe, why };
    let owned: Vec<&VipState> = appliance.vips.iter().filter(|state| state.role.holds_address()).collect();
    if let Some(orphan) = appliance.vips.iter().find(|state| owner(appliance, state) == Owner::Nobody) {
        return verdict(false, format!("nobody serves {} at the moment", orphan.vip.name));
    }
    let covered = |state: &VipState| live_peers(appliance).any(|peer| could_take(peer, &state.vip.name));
    if let Some(alone) = appliance.vips.iter().find(|state| !covered(state)) {
        return verdict(false, format!("no other node is fit to serve {}", alone.vip.name));
    }
    match owned.as_slice() {
        [] => verdict(true, "this node owns no VIP, and another is fit for each".to_owned()),
        some => {
            let names: Vec<&str> = some.iter().map(|state| state.vip.name.as_str()).collect();
            let relays: u64 = some.iter().map(|state| appliance.connections_on(state.vip.address)).sum();
            let names = names.join(", ");
            verdict(
                false,
                format!("it owns {names} with {relays} relays; first: fmc-lbctl drain node {}", appliance.node.name),
            )
        }
    }
}

fn roles(appliance: &Appliance) -> Roles {
    let unknown = |pid| Process { state: ProcessState::Starting, pid, since: appliance.configured_at, restarts: 0 };
    match &appliance.processes {
        Some(processes) => process_roles(processes),
        None => Roles { supervisor: unknown(None), keeper: unknown(None), proxy: unknown(Some(std::process::id())) },
    }
}

/// The election's word in the API's.
pub(super) fn tier_word(tier: Tier) -> TierWord {
    match tier {
        Tier::Unfit => TierWord::Unfit,
        Tier::Degraded => TierWord::Degraded,
        Tier::Fit => TierWord::Fit,
    }
}
