//! `GET /v1/status` and `/v1/vips`: who owns what, since when, why, and whether this node may be stopped.

use std::net::Ipv4Addr;
use std::time::Duration;

use fmc_api::Moment;
use fmc_api::status::{
    Alarm, Fitness, FrontendStatus, LoadedConfig, Owner, PeerRole, PeerStatus, Process, Roles, SafeToPatch, Status,
    VipStatus,
};
use fmc_api::word::{Answerer, ProcessState, Role as RoleWord, Severity, Tier as TierWord};
use fmc_config::model::name::{NodeName, VipName};
use fmc_lb::{EndedBy, Frontend, ListenerState};
use fmc_vrrp::driver::{PeerSnapshot, VipSnapshot};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::role::Role;
use fmc_vrrp::tier::Tier;

use super::now;
use crate::proxy::appliance::{Appliance, VipState};
use crate::supervisor::sketch::process_roles;

/// An advertisement or a heartbeat older than this says nothing of the present.
const HEARD_RECENTLY: Duration = Duration::from_secs(1);

/// The whole status.
pub(crate) fn status(appliance: &Appliance) -> Status {
    Status {
        now: now(),
        answered_by: Answerer::Proxy,
        node: appliance.node.name.clone(),
        admin: appliance.admin,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        up_since: appliance.processes.as_ref().map_or(appliance.configured_at, |p| Moment::from_unix_ms(p.since)),
        observe: false,
        config: LoadedConfig {
            file: appliance.file.clone(),
            hash: format!("{:016x}", appliance.config_hash),
            since: appliance.configured_at,
        },
        roles: roles(appliance),
        vips: vips(appliance),
        peers: peers(appliance),
        safe_to_patch: safe_to_patch(appliance),
        alarms: alarms(appliance),
    }
}

/// Every VIP, in the order of the configuration.
pub(crate) fn vips(appliance: &Appliance) -> Vec<VipStatus> {
    appliance.vips.iter().map(|state| vip(appliance, state)).collect()
}

/// Who serves a VIP, as known here: this node, else a peer whose heartbeat says so, else whoever was last heard advertising it.
pub(crate) fn owner(appliance: &Appliance, state: &VipState) -> Owner {
    if state.role.holds_address() {
        return Owner::Node(appliance.node.name.clone());
    }
    if let Some(peer) = live_peers(appliance).find(|peer| says_active(peer, &state.vip.name)) {
        return Owner::Node(peer.name.clone());
    }
    match heard(appliance, &state.vip.name) {
        None => Owner::Nobody,
        Some(source) => {
            let node = appliance.others().find(|node| node.address == source);
            node.map_or(Owner::Foreign(source), |node| Owner::Node(node.name.clone()))
        }
    }
}

/// The source of the last advertisement of another router, unless that was too long ago to mean anything.
fn heard(appliance: &Appliance, vip: &VipName) -> Option<Ipv4Addr> {
    let snapshot = appliance.snapshot.as_ref()?;
    let heard = snapshot_of(appliance, vip)?.last_heard?;
    let age = snapshot.at.saturating_duration_since(heard.at);
    (age < HEARD_RECENTLY && heard.rival.priority != Priority::RESIGN).then_some(heard.rival.source)
}

fn says_active(peer: &PeerSnapshot, vip: &VipName) -> bool {
    peer.vips.iter().any(|said| said.vip == *vip && said.role.holds_address())
}

fn vip(appliance: &Appliance, state: &VipState) -> VipStatus {
    let seen = snapshot_of(appliance, &state.vip.name);
    VipStatus {
        name: state.vip.name.clone(),
        address: state.vip.address,
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

fn fitness(state: &VipState) -> Fitness {
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
    });
    peers.collect()
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn frontends(appliance: &Appliance, state: &VipState) -> Vec<FrontendStatus> {
    let here = appliance.data_plane.frontends().iter().filter(|frontend| frontend.settings().vip == state.vip.name);
    here.map(|frontend| frontend_status(appliance, frontend)).collect()
}

fn frontend_status(appliance: &Appliance, frontend: &Frontend) -> FrontendStatus {
    let (settings, traffic) = (frontend.settings(), frontend.traffic());
    let listeners = appliance.data_plane.listeners();
    let mut own = listeners.iter().filter(|listener| listener.frontend == settings.name);
    FrontendStatus {
        name: settings.name.clone(),
        backend: settings.backend.clone(),
        ports: settings.ports.iter().map(|route| route.listen.get()).collect(),
        listening: own.all(|listener| listener.state != ListenerState::Dead),
        connections: traffic.open().into(),
        connections_total: traffic.accepted(),
        refused_total: traffic.ended(EndedBy::RefusedByAllowList) + traffic.ended(EndedBy::NoServerAccepts),
    }
}

/// May this node be stopped now? Only when it owns nothing, or another node that is fit will take what it owns.
fn safe_to_patch(appliance: &Appliance) -> SafeToPatch {
    let verdict = |safe, why: String| SafeToPatch { safe, why };
    let owned: Vec<&VipState> = appliance.vips.iter().filter(|state| state.role.holds_address()).collect();
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

fn alarms(appliance: &Appliance) -> Vec<Alarm> {
    let alarm = |severity, text: String, fix: Option<&str>| Alarm {
        severity,
        since: appliance.configured_at,
        text,
        fix: fix.map(str::to_owned),
    };
    let mut alarms = Vec::new();
    if appliance.snapshot.is_none() {
        alarms.push(alarm(Severity::Error, "the keeper is not running".to_owned(), Some("see journalctl -u fmc-lb")));
    }
    for state in &appliance.vips {
        if owner(appliance, state) == Owner::Nobody {
            alarms.push(alarm(
                Severity::Error,
                format!("nobody serves {}", state.vip.name),
                Some("see fmc-lbctl vips"),
            ));
        }
        let contested = live_peers(appliance).any(|peer| says_only_active(peer, &state.vip.name));
        if state.role == Role::Active && contested {
            let text = format!("CONFLICT: {} is served by two nodes", state.vip.name);
            alarms.push(alarm(Severity::Error, text, Some("let protocol 112 through between the nodes")));
        }
    }
    for node in appliance.others() {
        let peer = live_peers(appliance).find(|peer| peer.name == node.name);
        let drift = peer.and_then(|peer| peer.config_hash).is_some_and(|hash| hash != appliance.config_hash);
        if peer.is_none() {
            let fix = Some("look at that node, and let UDP from it through");
            alarms.push(alarm(Severity::Warning, format!("no heartbeat from {}", node.name), fix));
        }
        if drift {
            let fix = Some("give both the same file and restart the one that is behind");
            alarms.push(alarm(Severity::Warning, format!("{} runs another configuration", node.name), fix));
        }
    }
    alarms.sort_by_key(|alarm| alarm.severity != Severity::Error);
    alarms
}

fn roles(appliance: &Appliance) -> Roles {
    let unknown = |pid| Process { state: ProcessState::Starting, pid, since: appliance.configured_at, restarts: 0 };
    match &appliance.processes {
        Some(processes) => process_roles(processes),
        None => Roles { supervisor: unknown(None), keeper: unknown(None), proxy: unknown(Some(std::process::id())) },
    }
}

fn snapshot_of<'a>(appliance: &'a Appliance, vip: &VipName) -> Option<&'a VipSnapshot> {
    appliance.snapshot.as_ref()?.vips.iter().find(|seen| seen.name == *vip)
}

fn live_peers(appliance: &Appliance) -> impl Iterator<Item = &PeerSnapshot> {
    appliance.snapshot.iter().flat_map(|snapshot| &snapshot.peers).filter(|peer| is_alive(peer))
}

fn is_alive(peer: &PeerSnapshot) -> bool {
    peer.heartbeat_age.is_some_and(|age| age < HEARD_RECENTLY)
}

fn could_take(peer: &PeerSnapshot, vip: &VipName) -> bool {
    peer.vips.iter().any(|said| said.vip == *vip && said.serving && said.tier == Tier::Fit)
}

/// Active, and not in the middle of handing over.
fn says_only_active(peer: &PeerSnapshot, vip: &VipName) -> bool {
    peer.vips.iter().any(|said| said.vip == *vip && said.role == Role::Active)
}

fn role_word(role: Role) -> RoleWord {
    match role {
        Role::Initialize => RoleWord::Initialize,
        Role::Backup => RoleWord::Backup,
        Role::Active | Role::Leaving => RoleWord::Active,
    }
}

fn tier_word(tier: Tier) -> TierWord {
    match tier {
        Tier::Unfit => TierWord::Unfit,
        Tier::Degraded => TierWord::Degraded,
        Tier::Fit => TierWord::Fit,
    }
}
