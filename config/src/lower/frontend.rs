//! The frontends: each on ports of its own, on a VIP and to a backend that exist.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use super::{name, preface, protocol, route};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::bandwidth::Bandwidth;
use crate::model::frontend::{Frontend, Keepalive, PerSource, PortRoute, Profile, Protocol};
use crate::model::service::Limits;
use crate::model::vip::Vip;
use crate::profile::{self, FrontendDefaults};
use crate::suggest;
use crate::toml::RawConfig;
use crate::toml::frontends::{RawFrontend, RawKeepalive, RawPerSource};

/// The frontends in the order typed.
pub(super) fn lower(raw: &RawConfig, vips: &[Vip], limits: Limits, findings: &mut Findings) -> Vec<Frontend> {
    report_shared_ports(raw, vips, findings);
    raw.frontends.iter().filter_map(|frontend| one(frontend, raw, vips, limits, findings)).collect()
}

/// What a frontend is for, also when it does not say so; `None`: what it said was wrong and is reported.
pub(super) fn profile_of(raw: &RawFrontend) -> Option<Profile> {
    match (&raw.profile, raw.profile_typed) {
        (Some(profile), _) => Some(profile.value),
        (None, false) => Some(Profile::Tcp),
        (None, true) => None,
    }
}

fn one(raw: &RawFrontend, all: &RawConfig, vips: &[Vip], limits: Limits, findings: &mut Findings) -> Option<Frontend> {
    let name = name::lower(&raw.name, findings);
    resolve(raw, all, findings);
    protocol::report_other_keys(raw, findings);
    let routes = route::lower(raw, all, findings);
    let profile = profile_of(raw).unwrap_or(Profile::Tcp);
    let defaults = profile::frontend(profile);
    let max_connections = max_connections(raw, &defaults, limits, findings);
    let vip = vips.iter().find(|vip| raw.vip.as_ref().is_some_and(|typed| typed.value == vip.name.as_str()))?;
    let port_route = |port: &crate::toml::frontends::RawPort| PortRoute {
        listen: port.listen.value,
        server: port.server.as_ref().map(|server| server.value),
    };
    Some(Frontend {
        name: name?,
        vip: vip.name.clone(),
        address: vip.address,
        protocol: protocol::of(raw),
        ports: raw.ports.iter().map(port_route).collect(),
        profile,
        allow: raw.allow.iter().map(|typed| typed.value).collect(),
        accept_proxy: raw.accept_proxy.iter().map(|typed| typed.value).collect(),
        preface_timeout: preface::timeout(raw, findings),
        routes,
        backend: raw.backend.as_ref()?.value.parse().ok()?,
        max_connections,
        max_per_second: raw.max_per_second.as_ref().and_then(|typed| NonZeroU32::new(typed.value)),
        per_source: raw.per_source.as_ref().and_then(|typed| per_source(typed, profile, findings)),
        bandwidth: raw.bandwidth.as_ref().map(|typed| typed.value),
        bandwidth_per_connection: bandwidth_per_connection(raw, findings),
        idle_timeout: match protocol::of(raw) {
            Protocol::Tcp => raw.idle_timeout.unwrap_or(defaults.idle_timeout),
            Protocol::Udp => Some(protocol::flow_idle(raw)),
        },
        max_age: raw.max_age.flatten(),
        record_every: raw.record_every.unwrap_or(Some(profile::RECORD_EVERY)),
        half_close_timeout: raw.half_close_timeout.as_ref().map_or(defaults.half_close_timeout, |typed| typed.value),
        keepalive: keepalive(&raw.keepalive, defaults.keepalive),
        user_timeout: raw.user_timeout.as_ref().map_or(defaults.user_timeout, |typed| typed.value),
        client_user_timeout: raw.client_user_timeout.as_ref().map_or(defaults.client_user_timeout, |typed| typed.value),
        when_no_server: raw.when_no_server.as_ref().map_or(defaults.when_no_server, |typed| typed.value),
    })
}

fn resolve(raw: &RawFrontend, all: &RawConfig, findings: &mut Findings) {
    if let Some(vip) = &raw.vip {
        name::resolve(vip, &all.vips, |vip| &vip.name, (Code::UnknownVip, "vips"), findings);
    }
    if let Some(backend) = &raw.backend {
        name::resolve(backend, &all.backends, |backend| &backend.name, (Code::UnknownBackend, "backends"), findings);
    }
}

fn keepalive(raw: &RawKeepalive, defaults: Keepalive) -> Keepalive {
    let RawKeepalive { idle, interval, count } = raw;
    Keepalive {
        idle: idle.as_ref().map_or(defaults.idle, |typed| typed.value),
        interval: interval.as_ref().map_or(defaults.interval, |typed| typed.value),
        count: count.as_ref().map_or(defaults.count, |typed| typed.value),
    }
}

/// Behind a CDN, or a router that translates addresses, all the clients of the Web come from a few.
fn per_source(raw: &RawPerSource, profile: Profile, findings: &mut Findings) -> Option<PerSource> {
    let RawPerSource { place, max_connections, max_per_second, is_exempt_typed, exempt } = raw;
    if max_connections.is_none() && max_per_second.is_none() {
        let fix = "add `max_connections` or `max_per_second`, or remove `per_source`";
        findings.add(Code::MissingKey, place, "`per_source` bounds nothing", fix);
        return None;
    }
    if profile == Profile::TraefikWeb && !is_exempt_typed {
        let problem = "behind a CDN or a router that translates addresses, all clients come from a few addresses and share this bound";
        let fix = "name those in `exempt`, the CDN's ranges or the router; `exempt = []` says that there are none";
        findings.add(Code::PerSourceWithoutExempt, place, problem, fix);
    }
    let number = |typed: &Option<Located<u32>>| typed.as_ref().and_then(|typed| NonZeroU32::new(typed.value));
    Some(PerSource {
        max_connections: number(max_connections),
        max_per_second: number(max_per_second),
        exempt: exempt.clone(),
    })
}

/// A default shrinks to the process's bound; what was typed above it is a slip.
fn max_connections(raw: &RawFrontend, defaults: &FrontendDefaults, limits: Limits, findings: &mut Findings) -> u32 {
    let Some(typed) = &raw.max_connections else { return defaults.max_connections.min(limits.max_connections) };
    if typed.value > limits.max_connections {
        let (value, limit) = (typed.value, limits.max_connections);
        let problem = format!("{value} connections are more than the {limit} of the whole process");
        let fix = format!("lower it to {limit}, or raise `max_connections` in [limits]");
        findings.add(Code::FrontendOverLimit, &typed.place, problem, fix);
    }
    typed.value
}

/// More for one than for all together bounds nothing: the two were mixed up, or one was forgotten when the other changed.
fn bandwidth_per_connection(raw: &RawFrontend, findings: &mut Findings) -> Option<Bandwidth> {
    let (each, all) = (raw.bandwidth_per_connection.as_ref()?, raw.bandwidth.as_ref());
    if let Some(all) = all.filter(|all| all.value <= each.value) {
        let problem = format!("one connection may move {}, and all together {}", each.value, all.value);
        let fix = "lower it under `bandwidth`, or remove it: alone, a connection may have all of that";
        findings.add(Code::BandwidthOverAll, &each.place, problem, fix);
        findings.because(&all.place, "all together");
    }
    Some(each.value)
}

fn report_shared_ports(raw: &RawConfig, vips: &[Vip], findings: &mut Findings) {
    let mut seen: Vec<(IpAddr, (Protocol, u16), &str, &Place)> = Vec::new();
    for frontend in &raw.frontends {
        let Some(address) = frontend.vip.as_ref().and_then(|typed| address_of(typed, vips)) else { continue };
        for port in &frontend.ports {
            let listen = (protocol::of(frontend), port.listen.value.get());
            if let Some((_, _, first, place)) = seen.iter().find(|(a, p, ..)| (*a, *p) == (address, listen)) {
                let at = SocketAddr::new(address, listen.1);
                let problem = format!("{at} is already listened on by frontends.{first}");
                findings.add(
                    Code::ListenAddressTaken,
                    &port.listen.place,
                    problem,
                    shared_port_fix(&frontend.name.value, first),
                );
                findings.because(place, "first said here");
            }
            seen.push((address, listen, &frontend.name.value, &port.listen.place));
        }
    }
}

fn shared_port_fix(frontend: &str, first: &str) -> String {
    if frontend == first {
        return "write each port once".to_owned();
    }
    format!("use another port or VIP, or let {} serve it alone", suggest::choice([first]))
}

fn address_of(typed: &Located<String>, vips: &[Vip]) -> Option<IpAddr> {
    vips.iter().find(|vip| vip.name.as_str() == typed.value).map(|vip| vip.address)
}
