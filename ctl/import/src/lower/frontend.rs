//! Proxies that listen, as frontends: each on the addresses that it binds, with what its timeouts come to.

use std::net::IpAddr;
use std::time::Duration;

use fmc_config::model::family::Family;

use super::choice::{self, Choice};
use super::listener::{self, Listener};
use super::node::Node;
use super::source::{self, Sources};
use super::{backend, span, vip};
use crate::draft::{Conditions, Draft, Frontend, Route, Vip};
use crate::haproxy::proxy::{Proxy, Settings, Timeout};
use crate::haproxy::{Haproxy, Statement};
use crate::ledger::{At, Code, Fate, Ledger, Said};

/// The profile of a frontend that serves these ports.
const API: u16 = 6443;
const WEB: [u16; 2] = [80, 443];

pub(super) fn lower(haproxy: &Haproxy, nodes: &[Node], draft: &mut Draft, ledger: &mut Ledger) {
    let mut backends = backend::Lowered::default();
    for proxy in haproxy.proxies.iter().filter(|proxy| proxy.kind.listens()) {
        if let Some(frontend) = wanted(haproxy, proxy, ledger) {
            one(haproxy, &frontend, nodes, &mut backends, draft, ledger);
        }
    }
    backend::lint_web(draft, &backends, ledger);
}

/// A proxy that listens and can be had here.
struct Wanted<'a> {
    proxy: &'a Proxy,
    target: &'a Proxy,
    listeners: Vec<Listener>,
    sources: Sources,
    choices: Vec<Choice<'a>>,
}

fn wanted<'a>(haproxy: &'a Haproxy, proxy: &'a Proxy, ledger: &mut Ledger) -> Option<Wanted<'a>> {
    let settings = &proxy.settings;
    if let Some(at) = settings.disabled {
        leave_out(proxy, Fate::Dropped, "it is disabled", ledger);
        ledger.dropped(at, "it is disabled");
        return None;
    }
    if !settings.stats.is_empty() && settings.servers.is_empty() && settings.default_backend.is_none() {
        leave_out(
            proxy,
            Fate::Dropped,
            "the status page is http://127.0.0.1:9109/ on each node; [admin] listen and allow open it to others",
            ledger,
        );
        return None;
    }
    if let Some(at) = settings.http {
        ledger.refuse(at, "HTTP is not looked at here: Traefik does, behind a frontend that relays. Try the file with `mode tcp`, if nothing in it needs HTTP");
        leave_out(proxy, Fate::Refused, "mode http", ledger);
        return None;
    }
    backend::without_effect(settings, ledger);
    let listeners: Vec<_> = settings.binds.iter().flat_map(|bind| listener::read(bind, ledger)).collect();
    let (choices, target) = (choice::read(haproxy, proxy, ledger), target(haproxy, proxy, ledger));
    let waits = choices.iter().flatten().flat_map(|choice| &choice.any_of).any(Conditions::is_of_tls);
    match (source::read(settings, waits, ledger), target, choices) {
        (Some(sources), Some(target), Some(choices)) if !listeners.is_empty() => {
            Some(Wanted { proxy, target, listeners, sources, choices })
        }
        _ => {
            leave_out(proxy, Fate::Refused, "one of its lines cannot be had", ledger);
            None
        }
    }
}

/// Says of every line of a proxy that is left out, why, where nothing else was said.
fn leave_out(proxy: &Proxy, fate: Fate, why: &str, ledger: &mut Ledger) {
    ledger.note(proxy.at, fate, format!("left out: {why}"));
    for at in &proxy.lines {
        if !ledger.is_noted(*at) {
            ledger.note(*at, fate, format!("part of {}, which is left out", proxy.name));
        }
    }
}

/// Where the connections go that no route takes.
fn target<'a>(haproxy: &'a Haproxy, proxy: &'a Proxy, ledger: &mut Ledger) -> Option<&'a Proxy> {
    let settings = &proxy.settings;
    let always = settings.use_backends.iter().find(|rule| rule.words.len() <= 2);
    never_reached(settings, always, ledger);
    let named = always.map(|rule| (rule.at, rule.word(1)));
    let named = named.or(settings.default_backend.as_ref().map(|said| (said.at, said.value.as_str())));
    let Some((at, name)) = named else {
        if proxy.kind.has_servers() {
            return Some(proxy);
        }
        ledger.refuse(proxy.at, "it leads to no backend, or to none when no rule fits: name a default_backend");
        return None;
    };
    let found = haproxy.proxies.iter().find(|other| other.kind.has_servers() && other.name == name);
    match found {
        Some(_) => ledger.kept(at, "backend of the frontend"),
        None => ledger.refuse(at, format!("no backend is named {name:?}")),
    }
    found
}

/// What stands behind a rule without a condition.
fn never_reached(settings: &Settings, always: Option<&Statement>, ledger: &mut Ledger) {
    let Some(always) = always else { return };
    let behind = settings.use_backends.iter().filter(|rule| rule.at > always.at).map(|rule| rule.at);
    let default = settings.default_backend.iter().map(|said| said.at);
    behind
        .chain(default)
        .for_each(|at| ledger.dropped(at, "never reached: the rule without a condition takes everybody"));
}

fn one(
    haproxy: &Haproxy,
    wanted: &Wanted<'_>,
    nodes: &[Node],
    backends: &mut backend::Lowered,
    draft: &mut Draft,
    ledger: &mut Ledger,
) {
    let Wanted { proxy, target, listeners, sources, choices } = wanted;
    let profile = profile(listeners);
    let Some(routes) = routes(haproxy, choices, profile, backends, draft, ledger) else {
        leave_out(proxy, Fate::Refused, "no server is left of one of the backends that it chooses from", ledger);
        return;
    };
    let Some(backend) = backends.lower(haproxy, target, profile, draft, ledger) else {
        leave_out(proxy, Fate::Refused, "no server of its backend is left", ledger);
        return;
    };
    ledger.kept(proxy.at, "[frontends]");
    let shape = Frontend { profile, backend, routes, ..shape(proxy, target, profile, sources, most(draft), ledger) };
    for listener in listeners {
        let mut shape = shape.clone();
        if listener.accept_proxy {
            shape.accept_proxy = vec!["0.0.0.0/0".to_owned()];
            ledger.changed(listener.at, "accept_proxy = [\"0.0.0.0/0\"], as it says: name the proxies alone, for whoever may send the header is believed");
        }
        if let Some(most) = listener.max_connections.map(|own| own.min(most(draft))) {
            shape.max_connections = Some(shape.max_connections.map_or(most, |own| own.min(most)));
        }
        place(&proxy.name, listener, &shape, nodes, draft, ledger);
    }
}

/// In the order of the rules: the first that fits is taken, there and here.
fn routes(
    haproxy: &Haproxy,
    choices: &[Choice<'_>],
    profile: Option<&'static str>,
    backends: &mut backend::Lowered,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Option<Vec<Route>> {
    let mut routes = Vec::new();
    for choice in choices {
        let Some(backend) = backends.lower(haproxy, choice.backend, profile, draft, ledger) else {
            ledger.refuse(choice.rule.at, format!("no server of {} is left", choice.backend.name));
            return None;
        };
        ledger.kept(choice.rule.at, "routes of the frontend");
        let route = |conditions: &Conditions| Route { conditions: conditions.clone(), backend: backend.clone() };
        routes.extend(choice.any_of.iter().map(route));
    }
    Some(routes)
}

fn profile(listeners: &[Listener]) -> Option<&'static str> {
    let mut ports = listeners.iter().flat_map(|listener| &listener.ports);
    if ports.clone().any(|port| *port == API) {
        Some("k8s-api")
    } else if ports.any(|port| WEB.contains(port)) {
        Some("traefik-web")
    } else {
        None
    }
}

/// One frontend for each VIP that the listener is on, and for each port where servers have ports of their own.
fn place(name: &str, listener: &Listener, shape: &Frontend, nodes: &[Node], draft: &mut Draft, ledger: &mut Ledger) {
    let vips = on(name, listener, nodes, draft, ledger);
    let follows = draft.backends.get(&shape.backend).is_some_and(backend::ports_follow);
    for vip in vips {
        let ports: Vec<_> = if follows {
            vec![listener.ports.clone()]
        } else {
            listener.ports.iter().map(|port| vec![*port]).collect()
        };
        for ports in ports {
            let (port, ports) = if let [port] = ports[..] { (Some(port), Vec::new()) } else { (None, ports) };
            draft.frontends.add(name, Frontend { vip: vip.clone(), port, ports, ..shape.clone() });
        }
    }
}

/// The VIPs that `listener` is on.
fn on(name: &str, listener: &Listener, nodes: &[Node], draft: &mut Draft, ledger: &mut Ledger) -> Vec<String> {
    let Some(address) = listener.address else {
        ledger.changed(listener.at, "on the virtual addresses; a node's own address serves nobody");
        let is_meant = |vip: &Vip| listener.family.is_none_or(|family| Family::of(vip.address) == family);
        let served = draft.vips.0.iter().filter(|(_, vip)| is_meant(vip) && !vip::is_link_local(vip.address));
        return served.map(|(name, _)| name.clone()).collect();
    };
    if let Some((name, _)) = draft.vips.0.iter().find(|(_, vip)| vip.address == address) {
        ledger.kept(listener.at, "vip and port of the frontend");
        return vec![name.clone()];
    }
    if is_of_one_machine(address, nodes) {
        ledger.dropped(
            listener.at,
            format!("{address} is one machine's own address, and serves nobody when that machine is gone"),
        );
        return Vec::new();
    }
    if draft.vips.is_empty()
        || draft.vips.0.iter().all(|(_, vip)| vip.virtual_router_id.is_none() && vip.interface.is_none())
    {
        let (virtual_router_id, virtual_mac, follows, interface) = (None, None, None, None);
        let vip = draft.vips.add(name, Vip { address, virtual_router_id, virtual_mac, follows, interface });
        ledger.changed(listener.at, format!("vips.{vip}, since no file of Keepalived says who has the address"));
        return vec![vip];
    }
    vip::unknown(address, listener.at, ledger);
    Vec::new()
}

fn is_of_one_machine(address: IpAddr, nodes: &[Node]) -> bool {
    address.is_loopback() || nodes.iter().any(|node| node.address == address)
}

/// As many as the whole process takes (ours without `[limits]`: 10000); HAProxy lets a frontend promise more.
fn most(draft: &Draft) -> u32 {
    draft.limits.as_ref().map_or(10_000, |limits| limits.max_connections)
}

/// What the frontend says beside where it listens and leads.
fn shape(
    proxy: &Proxy,
    target: &Proxy,
    profile: Option<&'static str>,
    sources: &Sources,
    most: u32,
    ledger: &mut Ledger,
) -> Frontend {
    let settings = &proxy.settings;
    let limit = |said: &Option<Said<u32>>, most, key, ledger: &mut Ledger| {
        said.as_ref().map(|said| span::within(said, 1, most, key, ledger))
    };
    Frontend {
        vip: String::new(),
        port: None,
        ports: Vec::new(),
        profile,
        backend: String::new(),
        allow: sources.allow.iter().map(ToString::to_string).collect(),
        accept_proxy: sources.accept_proxy.iter().map(ToString::to_string).collect(),
        preface_timeout: sources.preface_timeout.clone(),
        max_connections: limit(&settings.max_connections, most, "max_connections of the frontend", ledger),
        max_per_second: limit(&settings.rate_limit, 100_000, "max_per_second of the frontend", ledger),
        idle_timeout: idle(settings, &target.settings, profile, ledger),
        half_close_timeout: half_close(settings, &target.settings, ledger),
        routes: Vec::new(),
    }
}

const LONGEST: Duration = Duration::from_secs(168 * 3600);

/// Silence in both directions: `timeout tunnel` stands above the other two (configuration.txt 4.2).
fn idle(settings: &Settings, target: &Settings, profile: Option<&'static str>, ledger: &mut Ledger) -> Option<String> {
    let tunnel = target.timeouts.get(&Timeout::Tunnel).or(settings.timeouts.get(&Timeout::Tunnel));
    let sides = [settings.timeouts.get(&Timeout::Client), target.timeouts.get(&Timeout::Server)];
    let all: Vec<_> = sides.into_iter().flatten().chain(tunnel).collect();
    let shortest = tunnel.or_else(|| sides.into_iter().flatten().min_by_key(|said| said.value));
    if profile == Some("k8s-api") {
        all.iter().for_each(|said| {
            ledger.changed(said.at, "the API's connections have no idle timeout: dead peers are found by keepalive")
        });
        if let Some(said) = shortest.filter(|said| said.value < Duration::from_secs(3600)) {
            let problem = format!("{} of silence cut `kubectl exec`, `logs -f` and watches", span::text(said.value));
            ledger.lint(
                Code::ApiIdleTimeout,
                said.at,
                problem,
                "profile k8s-api has no idle timeout; `idle_timeout` in the frontend would set one",
            );
        }
        return None;
    }
    for said in &all {
        if shortest.is_some_and(|shortest| shortest.at != said.at) {
            ledger.changed(said.at, "silence counts in both directions together, and the shorter time stands");
        }
    }
    let never = "never".to_owned();
    Some(shortest.map_or(never, |said| {
        span::time_within(said, (Duration::from_secs(1), LONGEST), "idle_timeout of the frontend", ledger)
    }))
}

fn half_close(settings: &Settings, target: &Settings, ledger: &mut Ledger) -> Option<String> {
    let ends = [settings.timeouts.get(&Timeout::ClientFin), target.timeouts.get(&Timeout::ServerFin)];
    let longest = ends.into_iter().flatten().max_by_key(|said| said.value)?;
    let others: Vec<At> = ends.into_iter().flatten().filter(|said| said.at != longest.at).map(|said| said.at).collect();
    others
        .into_iter()
        .for_each(|at| ledger.changed(at, "half_close_timeout of the frontend is one for both sides, the longer one"));
    Some(span::time_within(
        longest,
        (Duration::from_millis(100), LONGEST),
        "half_close_timeout of the frontend",
        ledger,
    ))
}
