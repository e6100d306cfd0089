//! `backends`: a line for each server; the first column is what `drain` takes.

use fmc_api::backends::{AgentWord, BackendList, BackendStatus, CheckResult, NameStatus, ServerStatus};
use fmc_api::word::{AdminState, Health};
use fmc_api::{Asked, Moment};

use super::fact::{connections, count, span};
use super::paint::{Paint, Tone};
use super::table::{Cell, table};

const HEADER: [&str; 9] = ["SERVER", "ADDRESS", "HEALTH", "FOR", "STATE", "WEIGHT", "OPEN", "TOTAL", "LAST CHECK"];

pub(crate) fn write(list: &BackendList, paint: Paint) -> String {
    let rows =
        list.backends.iter().flat_map(|backend| backend.servers.iter().map(|server| row(backend, server, list.now)));
    let notes = list.backends.iter().filter_map(|backend| note(backend, paint));
    let servers = list.backends.iter().flat_map(|backend| backend.servers.iter().map(move |server| (backend, server)));
    let asked = servers.clone().filter_map(|(backend, server)| asked(backend, server, list.now));
    let waiting = list.backends.iter().filter(|backend| backend.waiting > 0).map(|backend| {
        paint.warn(&format!(
            "{}: {} for a server with room",
            backend.name,
            count(u64::from(backend.waiting), "client waits", "clients wait")
        )) + "\n"
    });
    let agents = servers.clone().filter_map(|(backend, server)| {
        let AgentWord { words, at } = server.agent.as_ref()?;
        let ago = span(*at, list.now);
        Some(format!("{}/{}: its agent says {words}, {ago} ago\n", backend.name, server.name))
    });
    let names = list
        .backends
        .iter()
        .flat_map(|backend| backend.names.iter().map(|named| name(backend, named, list.now, paint)));
    let others = servers.flat_map(|(backend, server)| elsewhere(backend, server, paint));
    table(HEADER, rows.collect(), paint)
        + &notes.chain(waiting).chain(asked).chain(names).chain(agents).chain(others).collect::<String>()
}

/// `workers/web: web.lab.internal is 10.17.4.24, told 12 s ago`, or why it is nobody.
fn name(backend: &BackendStatus, named: &NameStatus, now: Moment, paint: Paint) -> String {
    let NameStatus { server, host, addresses, answered_at, failure } = named;
    let subject = format!("{}/{server}: {host}", backend.name);
    let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    let told = answered_at.map_or_else(String::new, |at| format!(", told {} ago", span(at, now)));
    let line = match (addresses.is_empty(), failure) {
        (true, None) => paint.warn(&format!("{subject} is being asked for")),
        (true, Some(why)) => paint.bad(&format!("{subject} has no address: {why}")),
        (false, None) => format!("{subject} is {addresses}{told}"),
        (false, Some(why)) => paint.warn(&format!("{subject} is {addresses}{told}; no newer answer: {why}")),
    };
    line + "\n"
}

/// What another node sees otherwise, or has open: `masters/master3: loadbalancer2 says unhealthy; 2 connections from there`.
fn elsewhere(backend: &BackendStatus, server: &ServerStatus, paint: Paint) -> Vec<String> {
    let said = server.elsewhere.iter().filter_map(|opinion| {
        let node = &opinion.node;
        let health = (opinion.health != server.health).then(|| paint.warn(&format!("{node} says {}", opinion.health)));
        let open = (opinion.connections > 0).then(|| format!("{} from {node}", connections(opinion.connections)));
        let said: Vec<String> = [health, open].into_iter().flatten().collect();
        (!said.is_empty()).then(|| format!("{}/{}: {}\n", backend.name, server.name, said.join(", ")))
    });
    said.collect()
}

fn row(backend: &BackendStatus, server: &ServerStatus, now: Moment) -> [Cell; 9] {
    let port = server.port.map_or_else(String::new, |port| format!(":{port}"));
    [
        Cell::left(format!("{}/{}", backend.name, server.name)),
        Cell::left(format!("{}{port}{}", server.address, if server.backup { " (backup)" } else { "" })),
        Cell::toned(server.health, health_tone(server.health)),
        Cell::right(span(server.since, now)),
        Cell::toned(server.admin, admin_tone(server.admin)),
        Cell::right(weight(server)),
        Cell::right(open(server)),
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

pub(super) fn admin_tone(admin: AdminState) -> Tone {
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

fn open(server: &ServerStatus) -> String {
    let limit = server.max_connections.map_or_else(String::new, |limit| format!(" of {limit}"));
    format!("{}{limit}", server.connections)
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

/// What of a server is an operator's and not the configuration's: `masters/master3: drain for 3 m by uid 0`.
fn asked(backend: &BackendStatus, server: &ServerStatus, now: Moment) -> Option<String> {
    asked_of(server, now).map(|said| format!("{}/{}: {said}\n", backend.name, server.name))
}

/// `drain for 3 m by uid 0, weight 5 for 1 h by uid 0`; `None`: nobody asked for anything.
pub(super) fn asked_of(server: &ServerStatus, now: Moment) -> Option<String> {
    let signed = |what: String, Asked { at, uid }: Asked| format!("{what} for {} by uid {uid}", span(at, now));
    let state = server.admin_asked.map(|asked| signed(server.admin.to_string(), asked));
    let weight = server.weight_asked.map(|asked| signed(format!("weight {}", server.weight), asked));
    let said: Vec<String> = [state, weight].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(", "))
}

fn note(backend: &BackendStatus, paint: Paint) -> Option<String> {
    let name = &backend.name;
    let text = match (backend.fail_open, backend.in_service) {
        (true, _) => format!("{name}: every server fails its check, so those that accept are used all the same"),
        (false, 0) => format!("{name}: no server is in service"),
        (false, _) if backend.on_backups => format!("{name}: no regular server is in service, so its backups serve"),
        (false, _) => return None,
    };
    Some(paint.bad(&text) + "\n")
}
