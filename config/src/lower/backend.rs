//! The backends: who is in them, and whose defaults they take.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::{check, frontend, limit, name, named, port, protocol, track};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::backend::{Agent, Backend, Balance, NamedServer, Observe, Queue, Server, Weight};
use crate::model::frontend::{Frontend, Profile, Protocol};
use crate::model::service::Limits;
use crate::profile::{self, BackendDefaults};
use crate::toml::RawConfig;
use crate::toml::address::Host;
use crate::toml::backends::{ATTEMPTS, RawAgent, RawBackend, RawObserve, RawServer, RawServers};
use crate::toml::frontends::RawFrontend;
use crate::words;

/// The backends that a frontend leads to, in the order typed.
pub(super) fn lower(raw: &RawConfig, frontends: &[Frontend], limits: Limits, findings: &mut Findings) -> Vec<Backend> {
    let mut backends = Vec::new();
    for backend in &raw.backends {
        let users: Vec<_> = raw.frontends.iter().filter(|frontend| leads_to(frontend, backend)).collect();
        let by_port: Vec<_> = users.iter().copied().filter(|user| leads_by_port(user, backend)).collect();
        port::report(backend, &by_port, findings);
        check::report_not_allowed(&backend.check, limits, findings);
        protocol::report_check_unsaid(backend, &users, findings);
        let lowered = one(backend, &users, frontends, findings);
        if users.is_empty() {
            let fix = format!("add `backend = {:?}` to a frontend, or remove this table", backend.name.value);
            let problem = "no frontend leads here: its servers are neither checked nor used";
            findings.add(Code::UnusedBackend, &backend.place, problem, fix);
        } else {
            backends.extend(lowered);
        }
    }
    track::resolve(raw, &mut backends, findings);
    backends
}

fn leads_to(frontend: &RawFrontend, backend: &RawBackend) -> bool {
    frontend.backends().any(|name| name.value == backend.name.value)
}

/// False where only TLS leads: which of a frontend's ports it came by says nothing then.
fn leads_by_port(frontend: &RawFrontend, backend: &RawBackend) -> bool {
    let is_it = |name: &Option<Located<String>>| name.as_ref().is_some_and(|name| name.value == backend.name.value);
    is_it(&frontend.backend) || frontend.routes.iter().any(|route| is_it(&route.backend) && !route.is_of_tls())
}

fn one(raw: &RawBackend, users: &[&RawFrontend], frontends: &[Frontend], findings: &mut Findings) -> Option<Backend> {
    let name = name::lower(&raw.name, findings);
    let profile = profile_of(raw, users, findings);
    let defaults = profile::backend(profile.unwrap_or(Profile::Tcp));
    check::report_rhythm(&raw.check, &defaults, findings);
    if profile.is_some() {
        check::report_options(&raw.check, &defaults, findings);
    }
    let BackendDefaults { balance, connect_timeout, .. } = defaults;
    let balance = raw.balance.as_ref().map_or(balance, |typed| typed.value);
    let servers = raw.servers.as_ref().map(|servers| self::servers(servers, balance, findings));
    let (name, Typed { servers, named }) = (name?, servers?);
    // What a route takes of its frontend's connections, nobody can tell.
    let own: Vec<_> = frontends.iter().filter(|frontend| frontend.backend == name).collect();
    limit::report_under_frontends(raw, &servers, &own, findings);
    let leading: Vec<_> = frontends.iter().filter(|frontend| frontend.leads_to(&name)).collect();
    Some(Backend {
        attempts: raw.attempts.as_ref().map_or(every_one(most(&servers, &named)), |typed| typed.value),
        servers: servers.into_iter().map(|server| port::with_serving_ports(server, &leading)).collect(),
        named: named.into_iter().map(|named| port::of_named(named, &leading)).collect(),
        name,
        has_flows: leading.iter().any(|frontend| frontend.protocol == Protocol::Udp),
        balance,
        check: check::lower(&raw.check, &defaults),
        proxy_protocol: raw.proxy_protocol.as_ref().map(|typed| typed.value),
        connect_timeout: raw.connect_timeout.as_ref().map_or(connect_timeout, |typed| typed.value),
        hedge_after: raw.hedge_after.unwrap_or(Some(profile::HEDGE_AFTER)),
        slow_start: raw.slow_start.as_ref().map(|typed| typed.value),
        agent: raw.agent.as_ref().and_then(agent),
        observe: raw.observe.as_ref().map(observe),
        queue: Queue {
            length: raw.queue.as_ref().map_or(profile::QUEUE.length, |typed| typed.value),
            timeout: raw.queue_timeout.as_ref().map_or(profile::QUEUE.timeout, |typed| typed.value),
        },
    })
}

/// `None`: its port was wrong, and is reported.
fn agent(raw: &RawAgent) -> Option<Agent> {
    let RawAgent { port, interval, timeout } = raw;
    Some(Agent {
        port: port.as_ref()?.value,
        interval: interval.as_ref().map_or(profile::AGENT_INTERVAL, |typed| typed.value),
        timeout: timeout.as_ref().map_or(profile::AGENT_TIMEOUT, |typed| typed.value),
    })
}

fn observe(raw: &RawObserve) -> Observe {
    let RawObserve { failures, within, out_for } = raw;
    Observe {
        failures: failures.as_ref().and_then(|typed| NonZeroU32::new(typed.value)).unwrap_or(profile::OBSERVE.failures),
        within: within.as_ref().map_or(profile::OBSERVE.within, |typed| typed.value),
        out_for: out_for.as_ref().map_or(profile::OBSERVE.out_for, |typed| typed.value),
    }
}

/// By default a connection asks every server before its client is refused; in a large backend, as many as may be typed.
fn every_one(servers: usize) -> u8 {
    u8::try_from(servers).unwrap_or(u8::MAX).min(*ATTEMPTS.end())
}

/// Its own word, else that of the frontends that lead to it; `None`: one of them was wrong and is reported.
fn profile_of(raw: &RawBackend, users: &[&RawFrontend], findings: &mut Findings) -> Option<Profile> {
    if raw.profile_typed {
        return raw.profile.as_ref().map(|own| own.value);
    }
    // Datagrams have no profile.
    let users: Vec<_> = users.iter().copied().filter(|user| protocol::of(user) == Protocol::Tcp).collect();
    let profiles: Option<Vec<_>> = users.iter().map(|user| frontend::profile_of(user)).collect();
    let profiles = profiles?;
    let Some(first) = profiles.first() else { return Some(Profile::Tcp) };
    if let Some(at) = profiles.iter().position(|other| other != first) {
        report_disagreement(raw, (users[0], *first), (users[at], profiles[at]), findings);
    }
    Some(*first)
}

fn report_disagreement(
    raw: &RawBackend,
    (first, first_profile): (&RawFrontend, Profile),
    (other, other_profile): (&RawFrontend, Profile),
    findings: &mut Findings,
) {
    let (word, other_word) = (words::word(words::PROFILE, first_profile), words::word(words::PROFILE, other_profile));
    let (name, other_name) = (&first.name.value, &other.name.value);
    let problem = format!(
        "frontends.{name} ({word}) and frontends.{other_name} ({other_word}) lead here, and have different defaults"
    );
    findings.add(Code::ProfilesDisagree, &raw.place, problem, format!("say whose to take: `profile = \"{word}\"`"));
    findings.because(profile_place(other), "this one differs");
}

fn profile_place(frontend: &RawFrontend) -> &Place {
    frontend.profile.as_ref().map_or(&frontend.place, |profile| &profile.place)
}

/// The servers of a backend, by how they are found.
#[derive(Default)]
struct Typed {
    servers: Vec<Server>,
    named: Vec<NamedServer>,
}

fn most(servers: &[Server], named: &[NamedServer]) -> usize {
    servers.len() + named.iter().map(|named| named.records.most()).sum::<usize>()
}

fn servers(raw: &RawServers, balance: Balance, findings: &mut Findings) -> Typed {
    if raw.empty {
        let fix = "add one, for example `servers = { master1 = \"10.17.4.21:6443\" }`";
        findings.add(Code::BackendWithoutServers, &raw.place, "there is no server to send anyone to", fix);
    }
    report_twins(&raw.list, findings);
    report_no_weight(raw, findings);
    limit::report_backups_only(raw, findings);
    limit::report_never_full(raw, balance, findings);
    let mut typed = Typed::default();
    for server in &raw.list {
        match &server.address.value {
            Host::Address(address) => typed.servers.extend(self::server(server, *address, findings)),
            Host::Name(host) => {
                typed.named.extend(named::lower(server, host, typed.servers.len(), findings));
            }
        }
    }
    typed
}

fn server(raw: &RawServer, at: IpAddr, findings: &mut Findings) -> Option<Server> {
    named::report_records_unused(raw, findings);
    let RawServer { name, address: _, records: _, port, weight, max_connections, backup, check_address } = raw;
    Some(Server {
        name: name::lower(name, findings)?,
        address: at,
        port: port.as_ref().map(|port| port.value),
        weight: Weight::new(weight.as_ref().map_or(1, |weight| weight.value))?,
        max_connections: max_connections.as_ref().and_then(|limit| NonZeroU32::new(limit.value)),
        backup: backup.as_ref().is_some_and(|backup| backup.value),
        check_address: check_address.as_ref().map(|address| address.value),
        found_by: None,
        serving_ports: Vec::new(),
    })
}

/// The same machine under two names would be counted, checked and loaded twice.
fn report_twins(list: &[RawServer], findings: &mut Findings) {
    let place = |server: &RawServer| (server.address.value.clone(), server.port.as_ref().map(|port| port.value));
    for (at, server) in list.iter().enumerate() {
        if let Some(first) = list[..at].iter().find(|other| place(other) == place(server)) {
            let problem = format!("this is the same server as {}", first.name.value);
            let fix = "correct the address, or remove it and give the other a larger `weight`";
            findings.add(Code::ServerTwice, &server.address.place, problem, fix);
            findings.because(&first.address.place, "first said here");
        }
    }
}

fn report_no_weight(raw: &RawServers, findings: &mut Findings) {
    let zero = |server: &RawServer| server.weight.as_ref().is_some_and(|weight| weight.value == 0);
    if !raw.list.is_empty() && raw.list.iter().all(zero) {
        let fix = "give at least one server a `weight` above 0";
        findings.add(Code::WeightsAllZero, &raw.place, "every server has weight 0, so none takes a connection", fix);
    }
}
