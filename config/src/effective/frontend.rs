//! `[frontends.NAME]` written out.

use std::num::NonZeroU32;

use super::text::{Text, key, list, quoted};
use crate::model::frontend::{Frontend, Keepalive, PerSource, PortRoute, Protocol};
use crate::model::route::Route;
use crate::span_of_time::format as span;
use crate::words;

pub(super) fn write(text: &mut Text, frontend: &Frontend) {
    let Frontend {
        name,
        vip,
        address,
        protocol,
        ports,
        profile,
        allow,
        accept_proxy,
        preface_timeout,
        routes,
        backend,
        max_connections,
        max_per_second,
        per_source,
        ..
    } = frontend;
    text.table(&format!("[frontends.{}]", key(name.as_str())), "");
    text.line("vip", quoted(vip), &address.to_string());
    text.line("protocol", quoted(protocol.word()), "");
    text.line("ports", self::ports(ports), "");
    if allow.is_empty() {
        text.remark("allow: everyone");
    } else {
        text.line("allow", list(allow.iter().map(quoted)), "");
    }
    if *protocol == Protocol::Udp {
        return flows(text, frontend);
    }
    text.line("profile", quoted(words::word(words::PROFILE, *profile)), "");
    if accept_proxy.is_empty() {
        text.remark("accept_proxy: nobody is believed");
    } else {
        text.line(
            "accept_proxy",
            list(accept_proxy.iter().map(quoted)),
            "their PROXY headers are required and believed",
        );
    }
    if frontend.looks_at_prefaces() {
        text.line("preface_timeout", quoted(span(*preface_timeout)), "for what a connection begins with");
    }
    match routes.is_empty() {
        true => text.remark("routes: all connections go to one backend"),
        false => self::routes(text, routes),
    }
    text.line("backend", quoted(backend), "");
    text.line("max_connections", max_connections.to_string(), "further clients wait");
    rates(text, (max_per_second, "further clients wait"), (per_source, "more is reset"));
    bandwidths(text, frontend);
    times(text, frontend);
}

fn rates(
    text: &mut Text,
    (max_per_second, then): (&Option<NonZeroU32>, &str),
    (per_source, more): (&Option<PerSource>, &str),
) {
    match max_per_second {
        Some(rate) => text.line("max_per_second", rate.to_string(), then),
        None => text.remark("max_per_second: as many as come"),
    }
    match per_source {
        Some(bound) => text.line("per_source", self::per_source(bound), more),
        None => text.remark("per_source: one address may have all of it"),
    }
}

/// What a frontend of UDP has beside what both have.
fn flows(text: &mut Text, frontend: &Frontend) {
    let Frontend { backend, max_connections, max_per_second, per_source, idle_timeout, .. } = frontend;
    text.line("backend", quoted(backend), "");
    text.line("max_connections", max_connections.to_string(), "flows; datagrams of further ones are dropped");
    rates(text, (max_per_second, "flows; more are dropped"), (per_source, "flows; more are dropped"));
    if let Some(idle) = idle_timeout {
        text.line("flow_idle", quoted(span(*idle)), "without a datagram in either direction");
    }
}

fn bandwidths(text: &mut Text, frontend: &Frontend) {
    let Frontend { bandwidth, bandwidth_per_connection, .. } = frontend;
    match bandwidth {
        Some(all) => text.line("bandwidth", quoted(all), "in each direction, shared by all its connections"),
        None => text.remark("bandwidth: as much as goes"),
    }
    match bandwidth_per_connection {
        Some(each) => text.line("bandwidth_per_connection", quoted(each), "in each direction"),
        None => text.remark("bandwidth_per_connection: as much as goes"),
    }
}

fn times(text: &mut Text, frontend: &Frontend) {
    let Frontend {
        idle_timeout,
        max_age,
        record_every,
        half_close_timeout,
        keepalive,
        user_timeout,
        client_user_timeout,
        when_no_server,
        ..
    } = frontend;
    let Keepalive { idle, interval, count } = keepalive;
    let idle_timeout = idle_timeout.map_or_else(|| "never".to_owned(), span);
    text.line("idle_timeout", quoted(idle_timeout), "without a byte in either direction");
    let max_age = max_age.map_or_else(|| "never".to_owned(), span);
    text.line("max_age", quoted(max_age), "then it ends at its first second without a byte");
    let record_every = record_every.map_or_else(|| "never".to_owned(), span);
    text.line("record_every", quoted(record_every), "one that lasts has a log line");
    text.line("half_close_timeout", quoted(span(*half_close_timeout)), "for the other side, once one has closed");
    let (idle, interval) = (quoted(span(*idle)), quoted(span(*interval)));
    text.line("keepalive", format!("{{ idle = {idle}, interval = {interval}, count = {count} }}"), "");
    text.line("user_timeout", quoted(span(*user_timeout)), "data that a server does not take ends the connection");
    text.line("client_user_timeout", quoted(span(*client_user_timeout)), "the same for clients, who may pause");
    text.line("when_no_server", quoted(words::word(words::WHEN_NO_SERVER, *when_no_server)), "");
}

/// One a line: which comes first matters.
fn routes(text: &mut Text, routes: &[Route]) {
    let condition =
        |key: &str, values: Vec<String>| (!values.is_empty()).then(|| format!("{key} = {}", list(values.into_iter())));
    let one = |Route { server_names, alpn, sources, backend }: &Route| {
        let conditions = [
            condition("server_names", server_names.iter().map(quoted).collect()),
            condition("alpn", alpn.iter().map(quoted).collect()),
            condition("sources", sources.iter().map(quoted).collect()),
            Some(format!("backend = {}", quoted(backend))),
        ];
        format!("    {{ {} }},\n", conditions.into_iter().flatten().collect::<Vec<_>>().join(", "))
    };
    let lines: String = routes.iter().map(one).collect();
    text.line("routes", format!("[\n{lines}]"), "");
}

fn per_source(PerSource { max_connections, max_per_second, exempt }: &PerSource) -> String {
    let number = |key: &str, value: &Option<NonZeroU32>| value.map(|value| format!("{key} = {value}"));
    let exempt = format!("exempt = {}", list(exempt.iter().map(quoted)));
    let all = [number("max_connections", max_connections), number("max_per_second", max_per_second), Some(exempt)];
    format!("{{ {} }}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// A list when server ports follow, else a map; the file cannot mix the two.
fn ports(ports: &[PortRoute]) -> String {
    let mapped = |route: &PortRoute| route.server.map(|server| format!("{} = {server}", route.listen));
    match ports.iter().map(mapped).collect::<Option<Vec<_>>>() {
        Some(pairs) if !pairs.is_empty() => format!("{{ {} }}", pairs.join(", ")),
        _ => list(ports.iter().map(|route| route.listen.to_string())),
    }
}
