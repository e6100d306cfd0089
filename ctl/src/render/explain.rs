//! `explain`: the sentence first, then the facts behind it.

use std::time::Duration;

use fmc_api::Moment;
use fmc_api::backends::CheckResult;
use fmc_api::explain::{BackendExplanation, NodePart, ServerExplanation, VipExplanation};
use fmc_api::word::{AdminState, Prospect};

use super::backends::{asked_of, health_tone};
use super::events;
use super::fact::{count, span, tier_tone};
use super::paint::{Paint, Tone};
use super::table::{Cell, table};
use crate::span::Span;

pub(crate) fn vip(explained: &VipExplanation, paint: Paint) -> String {
    let rows = explained.nodes.iter().map(node_row).collect();
    let nodes = table(["NODE", "ROLE", "TIER", "PRIORITY", "FOR", "WHY"], rows, paint);
    let asked: String = explained.nodes.iter().filter_map(|node| asked_of_node(node, explained.now)).collect();
    let backends = explained.backends.iter().map(|backend| format!("{}: {}\n", backend.name, backend.sentence));
    let behind = headed("behind it", backends.collect(), paint);
    let moves = explained.moves.iter().map(|event| events::row(event, paint) + "\n").collect();
    let title = paint.strong(&format!("{} {}", explained.vip, explained.address));
    format!("{title}: {}\n\n{nodes}{asked}{behind}{}", explained.sentence, headed("its last moves", moves, paint))
}

fn node_row(node: &NodePart) -> [Cell; 6] {
    let unknown = || "-".to_owned();
    let tier = node.tier.map_or_else(|| Cell::left(unknown()), |tier| Cell::toned(tier, tier_tone(tier)));
    let role = node.role.map_or_else(|| Cell::toned("not heard", Tone::Bad), Cell::left);
    let why = [node.reason.clone(), node.cause.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ");
    [
        Cell::left(&node.node),
        role,
        tier,
        Cell::right(node.priority.map_or_else(unknown, |priority| priority.to_string())),
        Cell::right(node.for_ms.map_or_else(unknown, |ms| Span(Duration::from_millis(ms)).to_string())),
        Cell::left(why),
    ]
}

/// `asked of loadbalancer2: drain for 3 m by uid 0`.
fn asked_of_node(node: &NodePart, now: Moment) -> Option<String> {
    let NodePart { admin, admin_asked, pinned, .. } = node;
    let state = admin_asked.filter(|_| *admin != AdminState::Ready);
    let state = state.map(|asked| format!("{admin} for {} by uid {}", span(asked.at, now), asked.uid));
    let pin = pinned.as_ref().map(|pin| {
        let left = Span(Duration::from_millis(pin.left_ms));
        format!("pinned for {left} more by uid {}", pin.asked.uid)
    });
    let said: Vec<String> = [state, pin].into_iter().flatten().collect();
    (!said.is_empty()).then(|| format!("asked of {}: {}\n", node.node, said.join(", ")))
}

fn headed(title: &str, lines: String, paint: Paint) -> String {
    if lines.is_empty() { lines } else { format!("\n{}\n{lines}", paint.strong(&format!("{title}:"))) }
}

pub(crate) fn backend(explained: &BackendExplanation, paint: Paint) -> String {
    let rows = explained.servers.iter().map(server_row).collect();
    let servers = table(["SERVER", "GETS NEW", "HEALTH", "WEIGHT", "OPEN", "WHY"], rows, paint);
    let frontends: Vec<&str> = explained.frontends.iter().map(|name| name.as_str()).collect();
    let used = if frontends.is_empty() { "no frontend".to_owned() } else { frontends.join(", ") };
    let details = explained.servers.iter().map(|server| details(server, explained.now, paint));
    let title = paint.strong(explained.backend.as_str());
    let waiting = match explained.waiting {
        0 => String::new(),
        waiting => format!("; {}", count(waiting.into(), "client waits", "clients wait")),
    };
    format!(
        "{title} ({}, for {used}{waiting}): {}\n\n{servers}{}",
        explained.balance,
        explained.sentence,
        details.collect::<String>()
    )
}

fn server_row(explained: &ServerExplanation) -> [Cell; 6] {
    let server = &explained.server;
    let gets = match explained.prospect {
        Prospect::Next => Cell::toned("next", Tone::Good),
        Prospect::Candidate => Cell::toned("yes", Tone::Good),
        Prospect::LastResort => Cell::toned("last", Tone::Warn),
        Prospect::Never => Cell::toned("no", Tone::Bad),
    };
    [
        Cell::left(&server.name),
        gets,
        Cell::toned(server.health, health_tone(server.health)),
        Cell::right(server.weight),
        Cell::right(server.connections),
        Cell::left(&explained.why),
    ]
}

/// What was asked of a server, and its last checks, the newest first.
fn details(explained: &ServerExplanation, now: Moment, paint: Paint) -> String {
    let server = &explained.server;
    let at: Vec<String> = explained.asked_at.iter().map(ToString::to_string).collect();
    let at = if at.is_empty() { "nothing is asked".to_owned() } else { format!("asked at {}", at.join(", ")) };
    let turning = match explained.contradicted {
        0 => String::new(),
        times => format!("; {times} of {} checks that would change it", explained.changes_at),
    };
    let since = span(server.since, now);
    let head = format!("\n{} {} for {since}, {at}{turning}\n", paint.strong(server.name.as_str()), server.health);
    let asked = asked_of(server, now).map(|asked| format!("  {asked}\n")).unwrap_or_default();
    let agent = server.agent.as_ref();
    let agent = agent.map(|said| format!("  its agent says {}, {} ago\n", said.words, span(said.at, now)));
    let checks = explained.checks.iter().rev().map(|check| check_line(check, now, paint)).collect::<String>();
    head + &asked + &agent.unwrap_or_default() + &checks
}

fn check_line(check: &CheckResult, now: Moment, paint: Paint) -> String {
    let CheckResult { at, passed, rung, words, latency_ms } = check;
    let verdict = if *passed { paint.good("pass") } else { paint.bad("fail") };
    let rung = rung.as_ref().map(|rung| format!("{rung}: ")).unwrap_or_default();
    format!("  {verdict}  {} ago, {rung}{words} in {latency_ms:.1} ms\n", span(*at, now))
}
