//! What follows when a VIP comes or goes.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::command::MoveOutcome;
use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_config::model::name::VipName;
use fmc_lb::EndedBy;
use fmc_vrrp::driver::{LogLevel, Report};
use fmc_vrrp::lease::FAREWELL;
use fmc_vrrp::router::role::{Reason, Role, RoleChange};

use super::alarm;
use crate::proxy::appliance::Appliance;
use crate::proxy::metrics;

/// One report of the election that is not a snapshot.
pub(crate) fn hear(report: Report, appliance: &mut Appliance) {
    match report {
        Report::RoleChanged { vip, change } => role_changed(&vip, &change, appliance),
        Report::MoveRefused { vip, why } => {
            if let Some(state) = appliance.vip_mut(&vip) {
                state.settle(|_| MoveOutcome::Refused { why: why.clone() });
            }
        }
        Report::Alarm { vip, alarm } => {
            let text = alarm::sentence(&alarm, &appliance.config.nodes);
            appliance.note(Severity::Warning, EventKind::Peer, Some(format!("vip {vip}")), text);
        }
        Report::Log { level, text } => appliance.note(severity_of(level), EventKind::Peer, None, text),
        Report::AddressInstalled { vip } => tracing::debug!(%vip, "address installed"),
        Report::AddressRemoved { vip } => tracing::debug!(%vip, "address removed"),
        Report::Snapshot(_) => {}
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
    for state in &mut appliance.vips {
        if state.role.holds_address() {
            state.lost_at = Some(Instant::now());
        }
        state.role = Role::Initialize;
        state.since = Moment::from(SystemTime::now());
        "there is no keeper".clone_into(&mut state.reason);
    }
}

fn role_changed(vip: &VipName, change: &RoleChange, appliance: &mut Appliance) {
    let reason = sentence(&change.reason, &appliance.config.nodes);
    let data_plane = appliance.data_plane.clone();
    let taken_by = match change.reason {
        Reason::TakenOver(source) => appliance.others().find(|node| node.owns(source)).map(|node| node.name.clone()),
        _ => None,
    };
    let Some(state) = appliance.vip_mut(vip) else { return };
    state.taken_by = taken_by;
    state.role = change.to;
    state.since = Moment::from(SystemTime::now());
    state.reason.clone_from(&reason);
    let address = state.vip.address;
    let subject = Some(format!("vip {}", state.vip.name));
    match (change.from, change.to) {
        (_, Role::Leaving) => return,
        (Role::Leaving, Role::Active) => state.settle(|waited_ms| MoveOutcome::NobodyCame { waited_ms }),
        (Role::Leaving, _) => {
            state.settle(|took_ms| MoveOutcome::Moved { took_ms });
            tokio::task::spawn_local(say_farewell(data_plane, address));
        }
        (Role::Active, _) => {
            state.lost_at = Some(Instant::now());
            state.settle(|_| MoveOutcome::Refused { why: reason.clone() });
        }
        (_, Role::Active) => state.lost_at = None,
        (Role::Initialize | Role::Backup, Role::Initialize | Role::Backup) => {}
    }
    appliance.note(severity(change), EventKind::Role, subject, format!("{} {address}: {reason}", change.to));
}

/// Resets what is open on an address that another node has taken over, while resets can still leave from it, and what an
/// unlucky client opens meanwhile: it connects again, to the new owner.
async fn say_farewell(data_plane: fmc_lb::Handle, address: Ipv4Addr) {
    let until = Instant::now() + FAREWELL;
    while Instant::now() < until {
        data_plane.sessions().end_all(|session| *session.vip().ip() == address, EndedBy::VipMoved);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn severity(change: &RoleChange) -> Severity {
    let lost_it = change.from == Role::Active && change.to != Role::Leaving;
    if lost_it || change.reason == Reason::NobodyTookOver { Severity::Warning } else { Severity::Info }
}

/// The reason with the nodes' names in place of their addresses.
fn sentence(reason: &Reason, nodes: &[fmc_config::model::node::Node]) -> String {
    let named =
        nodes.iter().fold(reason.to_string(), |text, node| text.replace(&node.address.to_string(), node.name.as_str()));
    nodes.iter().fold(named, |text, node| text.replace(&format!("node {}", node.rank), node.name.as_str()))
}

fn severity_of(level: LogLevel) -> Severity {
    match level {
        LogLevel::Info => Severity::Info,
        LogLevel::Warn => Severity::Warning,
        LogLevel::Error => Severity::Error,
    }
}
