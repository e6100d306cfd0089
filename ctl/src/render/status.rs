//! `status` in six lines for two VIPs: the node, each VIP, the peers, the processes, and whether it may be patched.

use std::time::Duration;

use fmc_api::status::{Alarm, Owner, PeerStatus, Pinned, Process, Status, VipStatus};
use fmc_api::word::{AdminState, Answerer, ProcessState, Role};
use fmc_api::{Asked, Moment};

use super::fact::{connections, count, fitness, owner, severity_tone, span};
use super::paint::Paint;
use super::table::labelled;
use crate::span::Span;

/// One label and what it stands for, a line each.
pub(crate) fn write(status: &Status, paint: Paint) -> String {
    let mut lines = vec![(status.node.to_string(), node(status, paint))];
    lines
        .extend(status.vips.iter().map(|vip| (format!("{} {}", vip.name, vip.address), self::vip(vip, status, paint))));
    lines.push(("peers".to_owned(), peers(status, paint)));
    lines.push(("processes".to_owned(), processes(status, paint)));
    lines.push(("patch this node?".to_owned(), patch(status, paint)));
    lines.extend(status.alarms.iter().map(|alarm| self::alarm(alarm, status.now, paint)));
    labelled("", &lines)
}

fn node(status: &Status, paint: Paint) -> String {
    let up = span(status.up_since, status.now);
    let loaded = span(status.config.since, status.now);
    let mut line = format!("fmc-lb {}, up {up}, configuration {} for {loaded}", status.version, status.config.hash);
    if let Some(left) = status.config.trial_ends_in_ms {
        line += &paint.warn(&format!(", on trial for {} more", Span(Duration::from_millis(left))));
    }
    if status.observe {
        line += &paint.warn(", only observing");
    }
    match status.admin {
        AdminState::Ready => {}
        AdminState::Drain => line += &paint.warn(&format!(", drained{}", asked(status))),
        AdminState::Maint => line += &paint.warn(&format!(", in maintenance{}", asked(status))),
    }
    if let Some(Pinned { asked: Asked { at: _, uid }, left_ms }) = status.pinned {
        line += &format!(", pinned for {} more by uid {uid}", Span(Duration::from_millis(left_ms)));
    }
    if status.answered_by == Answerer::Supervisor {
        line += &paint.bad(", PROXY DOWN: the supervisor answers");
    }
    line
}

/// Since when, and by whom.
fn asked(status: &Status) -> String {
    let asked = status.admin_asked.map(|Asked { at, uid }| format!(" for {} by uid {uid}", span(at, status.now)));
    asked.unwrap_or_default()
}

fn vip(vip: &VipStatus, status: &Status, paint: Paint) -> String {
    let here = vip.owner == Owner::Node(status.node.clone());
    let owner = owner(&vip.owner, paint);
    let role = match vip.role {
        Role::Active if here => " (this node)",
        Role::Active => "; active here too",
        Role::Backup => "; backup here",
        Role::Initialize => "; not taking part here",
    };
    let since = span(vip.since, status.now);
    let fitness = fitness(&vip.fitness, paint);
    let open = match vip.connections {
        0 => String::new(),
        open => format!(", {}", connections(open)),
    };
    format!("{owner}{role} for {since}: {}; {fitness}, priority {}{open}", vip.reason, vip.priority)
}

fn peers(status: &Status, paint: Paint) -> String {
    if status.peers.is_empty() {
        return "none configured: nobody can take over".to_owned();
    }
    let peers: Vec<String> = status.peers.iter().map(|one| peer(one, status, paint)).collect();
    peers.join("; ")
}

fn peer(peer: &PeerStatus, status: &Status, paint: Paint) -> String {
    let Some(age) = peer.heartbeat_age_ms else {
        return paint.bad(&format!("{} never heard", peer.node));
    };
    let heard = format!("{} heard {} ago", peer.node, Span(Duration::from_millis(age)));
    let heard = if peer.alive { heard } else { paint.bad(&heard) };
    let configuration = peer.config_hash.as_ref().map(|hash| match *hash == status.config.hash {
        true => "same configuration".to_owned(),
        false => paint.warn(&format!("another configuration ({hash})")),
    });
    let release = peer.version.as_ref().filter(|version| **version != status.version);
    let release = release.map(|version| paint.warn(&format!("fmc-lb {version}")));
    let open = peer.connections.filter(|open| *open > 0).map(connections);
    [Some(heard), configuration, release, open].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn processes(status: &Status, paint: Paint) -> String {
    let roles = &status.roles;
    let named = [("supervisor", &roles.supervisor), ("keeper", &roles.keeper), ("proxy", &roles.proxy)];
    let each: Vec<String> = named.iter().map(|(name, one)| process(name, one, status.now, paint)).collect();
    let restarts = named.iter().map(|(_, one)| u64::from(one.restarts)).sum();
    format!("{}; {}", each.join(", "), count(restarts, "restart", "restarts"))
}

fn process(name: &str, process: &Process, now: Moment, paint: Paint) -> String {
    let pid = process.pid.map(|pid| format!(" {pid}")).unwrap_or_default();
    match process.state {
        ProcessState::Running => format!("{name}{pid}"),
        state => paint.bad(&format!("{name}{pid} {state} for {}", span(process.since, now))),
    }
}

fn patch(status: &Status, paint: Paint) -> String {
    let answer = if status.safe_to_patch.safe { paint.good("yes") } else { paint.bad("no") };
    format!("{answer}: {}", status.safe_to_patch.why)
}

fn alarm(alarm: &Alarm, now: Moment, paint: Paint) -> (String, String) {
    let text = paint.tone(severity_tone(alarm.severity), &alarm.text);
    let fix = alarm.fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
    (alarm.severity.to_string(), format!("for {}: {text}{fix}", span(alarm.since, now)))
}
