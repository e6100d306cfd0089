//! What a command changed.

use std::time::Duration;

use fmc_api::Target;
use fmc_api::command::{
    Act, KillAnswer, Move, PinAnswer, StateAnswer, StateChange, UndoAnswer, WeightAnswer, WeightChange,
};
use fmc_api::word::AdminState;

use super::fact::{bytes, connections, span};
use super::paint::Paint;
use super::{moves, others, sessions};
use crate::span::Span;

/// What is about to be cut, before it is confirmed; nothing to say when nothing is.
pub(crate) fn plan(answer: &StateAnswer, paint: Paint) -> String {
    let there = answer.others.iter().filter_map(|other| {
        let text = about_to_cut(&other.done()?.changes, &[], paint);
        (!text.is_empty()).then(|| format!("{}: {text}", other.node))
    });
    about_to_cut(&answer.changes, &answer.moves, paint) + &there.collect::<String>()
}

fn about_to_cut(changes: &[StateChange], moves: &[Move], paint: Paint) -> String {
    // What a node cuts is said of each VIP that moves.
    let is_server = |change: &&StateChange| !matches!(change.target, Target::Node(_));
    let servers = changes.iter().filter(is_server).filter(|change| change.connections_cut > 0);
    let servers = servers.map(|change| {
        let cut = paint.warn(&connections(change.connections_cut));
        format!("{} goes to {}, which cuts {cut}\n", change.target, change.after)
    });
    servers.collect::<String>() + &moves::lines(moves, paint)
}

pub(crate) fn states(answer: &StateAnswer, paint: Paint) -> String {
    let changes = |answer: &StateAnswer| -> String {
        answer.changes.iter().map(|change| state(change, answer.dry_run)).collect()
    };
    let here = changes(answer);
    let others = others::lines(&answer.others, paint, |there| other_than(&here, changes(there)));
    here + &moves::lines(&answer.moves, paint) + &others
}

/// What was done on another node, in one line, when it is not what was done here.
fn other_than(here: &str, there: String) -> Option<String> {
    (there != here).then(|| there.trim_end().replace('\n', "; "))
}

fn state(change: &StateChange, dry_run: bool) -> String {
    let StateChange { target, before, after, connections: open, connections_cut } = change;
    let node = matches!(target, Target::Node(_));
    if before == after {
        let rest = if node { String::new() } else { format!(", with {} open", connections(*open)) };
        return format!("{target} is {after} already{rest}\n");
    }
    let became = if dry_run { "would go" } else { "went" };
    let rest = match (*connections_cut, after) {
        _ if node => String::new(),
        (0, AdminState::Drain) if *open > 0 => format!("; {} left open", connections(*open)),
        (0, _) => String::new(),
        (cut, _) if dry_run => format!("; {} would be cut", connections(cut)),
        (cut, _) => format!("; {} cut", connections(cut)),
    };
    format!("{target} {became} from {before} to {after}{rest}\n")
}

pub(crate) fn weights(answer: &WeightAnswer, paint: Paint) -> String {
    let changes =
        |answer: &WeightAnswer| -> String { answer.changes.iter().map(|change| weight(change, false)).collect() };
    let here = changes(answer);
    let others = others::lines(&answer.others, paint, |there| other_than(&here, changes(there)));
    here + &others
}

fn weight(change: &WeightChange, dry_run: bool) -> String {
    let WeightChange { backend, server, before, after } = change;
    match (before == after, dry_run) {
        (true, _) => format!("{backend}/{server} has weight {after} already\n"),
        (false, true) => format!("{backend}/{server} would go from weight {before} to {after}\n"),
        (false, false) => format!("{backend}/{server} went from weight {before} to {after}\n"),
    }
}

pub(crate) fn pinned(answer: &PinAnswer, paint: Paint) -> String {
    let here = match answer.for_ms {
        0 => "not pinned: addresses fail back as configured\n".to_owned(),
        ms => format!(
            "pinned for {}: no address moves back only because a node ranks higher\n",
            Span(Duration::from_millis(ms))
        ),
    };
    here + &others::lines(&answer.others, paint, |_| None)
}

/// What is about to be taken back, before it is confirmed.
pub(crate) fn undo_plan(answer: &UndoAnswer, paint: Paint) -> String {
    format!("taking back: {}\n", act(answer)) + &about_to_cut(&answer.changes, &answer.moves, paint)
}

pub(crate) fn undone(answer: &UndoAnswer, paint: Paint) -> String {
    let head = if answer.dry_run { format!("would take back: {}\n", act(answer)) } else { String::new() };
    let here = taken_back(answer);
    let others = others::lines(&answer.others, paint, |there| other_than(&here, taken_back(there)));
    head + &here + &moves::lines(&answer.moves, paint) + &others
}

fn taken_back(answer: &UndoAnswer) -> String {
    let states = answer.changes.iter().map(|change| state(change, answer.dry_run));
    let weights = answer.weights.iter().map(|change| weight(change, answer.dry_run));
    let changes: String = states.chain(weights).collect();
    let nothing = "nothing is left of it here: the configuration has replaced it since, or it was another node's\n";
    if changes.is_empty() { nothing.to_owned() } else { changes }
}

/// `drain masters/master2, asked by uid 0 on loadbalancer1 3 m ago`.
fn act(answer: &UndoAnswer) -> String {
    let Act { number: _, by, at, uid, what } = &answer.act;
    format!("{what}, asked by uid {uid} on {by} {} ago", span(*at, answer.now))
}

pub(crate) fn killed(answer: &KillAnswer, _: Paint) -> String {
    let session = &answer.session;
    format!(
        "ended session {}: {} to {} on {}, open for {}, {} to the server, {} to the client\n",
        session.id,
        session.client,
        session.frontend,
        sessions::server(session),
        span(session.since, answer.now),
        bytes(session.bytes_to_server),
        bytes(session.bytes_to_client)
    )
}
