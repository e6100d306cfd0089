//! What follows when a VIP comes or goes.

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::command::MoveOutcome;
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_config::model::name::VipName;
use fmc_lb::EndedBy;
use fmc_vrrp::clock;
use fmc_vrrp::driver::{LogLevel, Report, Snapshot};
use fmc_vrrp::lease::FAREWELL;
use fmc_vrrp::router::role::{Reason, Role};

use super::{alarm, failover, observing, reason};
use crate::proxy::appliance::{Appliance, VipState};
use crate::proxy::metrics;

/// One report of the election that is not a snapshot.
pub(crate) fn hear(report: Report, appliance: &mut Appliance) {
    match report {
        Report::RoleChanged { vip, change } => {
            let ago = clock::now().saturating_duration_since(change.at);
            enter(&vip, change.to, &change.reason, ago, appliance);
        }
        Report::MoveRefused { vip, why } => {
            let why = reason::of_refusal(why, &appliance.config.nodes);
            if let Some(state) = appliance.vip_mut(&vip) {
                state.settle(|_| MoveOutcome::Refused { why: why.clone() });
            }
        }
        Report::Alarm { vip, alarm } => {
            let text = alarm::sentence(&alarm, &appliance.nodes_by_source());
            appliance.note(Severity::Warning, EventKind::Peer, Some(format!("vip {vip}")), text);
        }
        Report::Sighted { vip, sighting } => observing::sighted(&vip, sighting, appliance),
        Report::Log { level, text } => appliance.note(severity_of(level), EventKind::Peer, None, text),
        Report::AddressInstalled { vip, at } => {
            tracing::debug!(%vip, "address installed");
            failover::address_installed(&vip, clock::now().saturating_duration_since(at), appliance);
        }
        Report::AddressRemoved { vip } => tracing::debug!(%vip, "address removed"),
        Report::Snapshot(_) => {}
    }
}

/// Makes up for role changes whose report was lost: the keeper never waits for us.
pub(crate) fn reconcile(snapshot: &Snapshot, appliance: &mut Appliance) {
    let now = clock::now();
    for vip in &snapshot.vips {
        let ago = now.saturating_duration_since(vip.since);
        enter(&vip.name, vip.role, &vip.reason, ago, appliance);
    }
}

/// The keeper is gone: the supervisor has removed what it held; another keeper is on its way, or the service ends.
pub(crate) fn keeper_gone(appliance: &mut Appliance) {
    appliance.snapshot = None;
    metrics::export_absence(appliance);
    let held = appliance.vips.iter().any(|state| state.role.holds_address());
    let (severity, text) = match held {
        true => (Severity::Error, "the keeper died while it held addresses; the supervisor removes them"),
        false => (Severity::Info, "the keeper is gone; it held no address"),
    };
    appliance.note(severity, EventKind::Process, Some("keeper".to_owned()), text.to_owned());
    let holds = |state: &&VipState| state.role.holds_address();
    let lost: Vec<VipName> = appliance.vips.iter().filter(holds).map(|state| state.vip.name.clone()).collect();
    for state in &mut appliance.vips {
        if state.role.holds_address() {
            state.lost_at = Some(Instant::now());
        }
        state.settle(|_| MoveOutcome::Refused { why: "the keeper died; see fmc-lbctl events".to_owned() });
        state.role = Role::Initialize;
        state.since = Moment::from(SystemTime::now());
        "there is no keeper".clone_into(&mut state.reason);
    }
    failover::keeper_gone(&lost, appliance);
}

/// A VIP is in a role since `ago`. What follows depends on the role that we knew, not on the one that the keeper came from:
/// reports in between may be lost.
fn enter(vip: &VipName, to: Role, why: &Reason, ago: Duration, appliance: &mut Appliance) {
    let nodes = appliance.nodes_by_source();
    let sentence = reason::of_change(why, &nodes);
    let taken_by = match why {
        Reason::TakenOver(source) => {
            let taker = nodes.into_iter().find(|node| node.owns(*source) && node.name != appliance.node.name);
            taker.map(|node| node.name)
        }
        _ => None,
    };
    let data_plane = appliance.data_plane.clone();
    let Some(state) = appliance.vip_mut(vip) else { return };
    let from = std::mem::replace(&mut state.role, to);
    if from == to && state.reason == sentence {
        return;
    }
    state.since = Moment::from(SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH));
    let before = std::mem::replace(&mut state.reason, sentence.clone());
    let address = state.vip.address;
    let handed_over = from.holds_address() && matches!(why, Reason::TakenOver(_));
    match (from, to) {
        // One line for one move: the one that says how it ended.
        (_, Role::Leaving) => return,
        (Role::Leaving, Role::Active) => state.settle(|waited_ms| MoveOutcome::NobodyCame { waited_ms }),
        (_, Role::Active) => state.lost_at = None,
        _ if handed_over => {
            state.taken_by = taken_by;
            state.settle(|took_ms| MoveOutcome::Moved { took_ms });
            tokio::task::spawn_local(say_farewell(data_plane, address));
        }
        (Role::Active | Role::Leaving, _) => {
            state.lost_at = Some(Instant::now());
            state.settle(|_| MoveOutcome::Refused { why: sentence.clone() });
        }
        (Role::Initialize | Role::Backup, _) => {}
    }
    failover::note(&failover::Turn { vip, from, to, why, before: &before, sentence: &sentence, ago }, appliance);
    let lost = from.holds_address() && !to.holds_address() && !handed_over;
    let severity = if lost || *why == Reason::NobodyTookOver { Severity::Warning } else { Severity::Info };
    appliance.note(severity, EventKind::Role, Some(format!("vip {vip}")), format!("{to} {address}: {sentence}"));
}

/// Resets what was open on an address when another node took it over, while resets can still leave from it. What an unlucky
/// client opens meanwhile has until the address goes.
async fn say_farewell(data_plane: fmc_lb::Handle, address: IpAddr) {
    let moved = || data_plane.sessions().end_all(|session| session.vip().ip() == address, EndedBy::VipMoved);
    moved();
    tokio::time::sleep(FAREWELL.mul_f32(0.8)).await;
    moved();
}

fn severity_of(level: LogLevel) -> Severity {
    match level {
        LogLevel::Info => Severity::Info,
        LogLevel::Warn => Severity::Warning,
        LogLevel::Error => Severity::Error,
    }
}
