//! `backends`: a line for each server; the first column is what `drain` takes.

use fmc_api::Moment;
use fmc_api::backends::{BackendList, BackendStatus, CheckResult, ServerStatus};
use fmc_api::word::{AdminState, Health};

use super::fact::span;
use super::paint::{Paint, Tone};
use super::table::{Cell, table};

const HEADER: [&str; 9] = ["SERVER", "ADDRESS", "HEALTH", "FOR", "STATE", "WEIGHT", "OPEN", "TOTAL", "LAST CHECK"];

pub(crate) fn write(list: &BackendList, paint: Paint) -> String {
    let rows =
        list.backends.iter().flat_map(|backend| backend.servers.iter().map(|server| row(backend, server, list.now)));
    let notes = list.backends.iter().filter_map(|backend| note(backend, paint));
    table(HEADER, rows.collect(), paint) + &notes.collect::<String>()
}

fn row(backend: &BackendStatus, server: &ServerStatus, now: Moment) -> [Cell; 9] {
    let port = server.port.map_or_else(String::new, |port| format!(":{port}"));
    [
        Cell::left(format!("{}/{}", backend.name, server.name)),
        Cell::left(format!("{}{port}", server.address)),
        Cell::toned(server.health, health_tone(server.health)),
        Cell::right(span(server.since, now)),
        Cell::toned(server.admin, admin_tone(server.admin)),
        Cell::right(weight(server)),
        Cell::right(server.connections),
        Cell::right(server.connections_total),
        Cell::left(check(server, now)),
    ]
}

pub(super) fn health_tone(health: Health) -> Tone {
    match health {
        Health::Healthy => Tone::Good,
        Health::Unhealthy => Tone::Bad,
        Health::Unknown => Tone::Warn,
    }
}

fn admin_tone(admin: AdminState) -> Tone {
    match admin {
        AdminState::Ready => Tone::Plain,
        AdminState::Drain | AdminState::Maint => Tone::Warn,
    }
}

fn weight(server: &ServerStatus) -> String {
    match server.configured_weight {
        configured if configured == server.weight => server.weight.to_string(),
        configured => format!("{} (file: {configured})", server.weight),
    }
}

fn check(server: &ServerStatus, now: Moment) -> String {
    let dials = match server.dial_failures {
        0 => String::new(),
        failures => format!("; {failures} dials failed"),
    };
    match &server.last_check {
        None => format!("none yet{dials}"),
        Some(CheckResult { at, passed: _, rung, words, latency_ms }) => {
            let rung = rung.as_ref().map(|rung| format!("{rung}: ")).unwrap_or_default();
            format!("{rung}{words} in {latency_ms:.1} ms, {} ago{dials}", span(*at, now))
        }
    }
}

fn note(backend: &BackendStatus, paint: Paint) -> Option<String> {
    let name = &backend.name;
    let text = match (backend.fail_open, backend.in_service) {
        (true, _) => format!("{name}: every server fails its check, so those that accept are used all the same"),
        (false, 0) => format!("{name}: no server is in service"),
        (false, _) => return None,
    };
    Some(paint.bad(&text) + "\n")
}
