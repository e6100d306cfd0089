//! Proxies with servers, as backends.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{check, member, span};
use crate::draft::{Agent, Backend, Draft, Named, Observe, Server, ServerTable};
use crate::haproxy::proxy::{Proxy, Settings, Timeout};
use crate::haproxy::{Haproxy, server};
use crate::ledger::{At, Code, Ledger};

/// Clients' failures that put a server out, when `error-limit` does not say (configuration.txt 5.2).
const ERRORS: u32 = 10;

/// Backends that were lowered: name there, to name here and the profile they were lowered for.
#[derive(Debug, Default)]
pub(super) struct Lowered {
    names: BTreeMap<String, Option<(String, Option<&'static str>)>>,
    heads: Vec<(String, At)>,
}

impl Lowered {
    /// The name of the backend that `proxy` became; `None`: nothing is left of it.
    pub(super) fn lower(
        &mut self,
        haproxy: &Haproxy,
        proxy: &Proxy,
        profile: Option<&'static str>,
        draft: &mut Draft,
        ledger: &mut Ledger,
    ) -> Option<String> {
        if !self.names.contains_key(&proxy.name) {
            let made = one(haproxy, proxy, profile, ledger).map(|backend| {
                let name = draft.backends.add(&proxy.name, backend);
                self.heads.push((name.clone(), proxy.at));
                (name, profile)
            });
            self.names.insert(proxy.name.clone(), made);
        }
        let (name, first) = self.names.get(&proxy.name)?.clone()?;
        if first != profile {
            // Frontends of different profiles lead here: then it is said whose defaults hold.
            let (_, backend) = draft.backends.0.iter_mut().find(|(own, _)| *own == name)?;
            backend.profile = first.or(Some("tcp"));
        }
        Some(name)
    }
}

/// Server ports are those of the frontend.
pub(super) fn ports_follow(backend: &Backend) -> bool {
    let has_port = |server: &Server| match server {
        Server::Plain(text) => text.contains(':'),
        Server::Table(table) => table.port.is_some(),
    };
    !backend.servers.0.iter().any(|(_, server)| has_port(server))
}

fn one(haproxy: &Haproxy, proxy: &Proxy, profile: Option<&'static str>, ledger: &mut Ledger) -> Option<Backend> {
    let settings = &proxy.settings;
    if let Some(at) = settings.http {
        ledger.refuse(at, "HTTP is not looked at here");
        return None;
    }
    without_effect(settings, ledger);
    let mut backend = Backend::default();
    let checked = check::read(haproxy, proxy, profile, &mut backend.check, ledger);
    let rules: Vec<_> =
        if proxy.kind.listens() { Vec::new() } else { settings.rules.iter().map(|rule| rule.at).collect() };
    rules.iter().for_each(|at| {
        ledger.refuse(*at, "a backend has no rules here: who may connect is said in the frontend, `allow`")
    });
    if !checked || !rules.is_empty() {
        settings.servers.iter().for_each(|server| member::leave_out(server, "its backend is left out", ledger));
        return None;
    }
    let servers: Vec<_> =
        settings.servers.iter().filter_map(|server| Some((server, member::read(server, ledger)?))).collect();
    settings.server_default_lines.iter().for_each(|at| ledger.kept(*at, "in the servers and the check of the backend"));
    ledger.kept(proxy.at, "[backends]");
    of_servers(&servers, &mut backend, ledger);
    backend.balance = balance(settings, &servers, profile, ledger);
    attempts(settings, &mut backend, ledger);
    waiting(settings, &mut backend, ledger);
    for (server, table) in servers {
        backend.servers.add(&server.name, table.shortest());
    }
    (!backend.servers.is_empty()).then_some(backend)
}

/// What is about HTTP does nothing in `mode tcp`.
pub(super) fn without_effect(settings: &Settings, ledger: &mut Ledger) {
    for statement in &settings.of_http {
        ledger.dropped(statement.at, "is about HTTP, and has no effect in mode tcp");
        let problem =
            format!("{:?} has no effect in mode tcp", statement.words[..statement.words.len().min(2)].join(" "));
        ledger.lint(Code::NoEffectInTcp, statement.at, problem, "leave it out; HTTP is Traefik's");
    }
}

/// What HAProxy says of each server, and what is said once for all of them here.
fn of_servers(servers: &[(&server::Server, ServerTable)], backend: &mut Backend, ledger: &mut Ledger) {
    let options = |servers: &[(&server::Server, ServerTable)]| {
        servers.iter().map(|(server, _)| server.options.clone()).collect::<Vec<_>>()
    };
    let all = options(servers);
    backend.proxy_protocol = all.iter().any(|options| options.proxy_protocol.is_some()).then_some("v2");
    let slow_start = all.iter().filter_map(|options| options.slow_start).max();
    backend.slow_start =
        slow_start.map(|span| span::text(span.clamp(Duration::from_secs(1), Duration::from_secs(3600))));
    if all.iter().any(|options| options.observe) {
        let failures = all.iter().filter_map(|options| options.error_limit).max().unwrap_or(ERRORS).clamp(2, 100_000);
        backend.observe = Some(Observe { failures });
    }
    if let Some(port) = all.iter().filter(|options| options.agent).find_map(|options| options.agent_port) {
        let interval = all
            .iter()
            .find_map(|options| options.agent_interval)
            .map(|span| span.clamp(Duration::from_millis(500), Duration::from_secs(3600)));
        backend.agent = Some(Agent { port, interval: interval.map(span::text) });
    }
    let unlike = all.windows(2).any(|pair| {
        (pair[0].proxy_protocol.is_some(), pair[0].agent, pair[0].observe)
            != (pair[1].proxy_protocol.is_some(), pair[1].agent, pair[1].observe)
    });
    if unlike && let Some((last, _)) = servers.last() {
        ledger.changed(
            last.at,
            "send-proxy, agent-check and observe are the backend's here: what one server has, all have",
        );
    }
}

fn balance(
    settings: &Settings,
    servers: &[(&server::Server, ServerTable)],
    profile: Option<&'static str>,
    ledger: &mut Ledger,
) -> Option<&'static str> {
    let usual = if profile == Some("traefik-web") { "round-robin" } else { "least-connections" };
    let chosen = sticky(settings, ledger).or_else(|| algorithm(settings, servers, ledger)).unwrap_or("round-robin");
    if profile == Some("k8s-api")
        && chosen == "round-robin"
        && let Some(at) = settings.balance.as_ref().map(|said| said.at).or(servers.first().map(|(server, _)| server.at))
    {
        let problem = "watches live for days: in turn, a master that came back stays nearly empty until they end";
        ledger.lint(
            Code::ApiRoundRobin,
            at,
            problem,
            "leave out `balance = \"round-robin\"`: least-connections is the profile's",
        );
    }
    (chosen != usual).then_some(chosen)
}

fn sticky(settings: &Settings, ledger: &mut Ledger) -> Option<&'static str> {
    let mut sticks = false;
    for statement in &settings.stick {
        let by_source = statement.words.iter().any(|word| word == "src");
        match (statement.word(0), by_source) {
            ("stick-table", _) => {
                ledger.changed(statement.at, "no table: a client's server comes from its address, on every node")
            }
            (_, true) => {
                ledger.changed(statement.at, "balance = \"source-hash\": a client keeps its server, on every node");
                sticks = true;
            }
            _ => ledger.refuse(statement.at, "a client is known by its address here, and by nothing else"),
        }
    }
    sticks.then_some("source-hash")
}

fn algorithm(
    settings: &Settings,
    servers: &[(&server::Server, ServerTable)],
    ledger: &mut Ledger,
) -> Option<&'static str> {
    let statement = settings.balance.as_ref()?;
    let (at, word) = (statement.at, statement.word(1));
    let bounded = servers.iter().all(|(server, _)| server.options.max_connections.is_some());
    let (name, _) = word.split_once('(').unwrap_or((word, ""));
    let chosen = match name {
        "roundrobin" | "static-rr" => "round-robin",
        "leastconn" => "least-connections",
        "source" => "source-hash",
        "hash" if statement.word(2) == "src" => "source-hash",
        "random" => "power-of-two",
        "first" if bounded => "first",
        "first" => {
            ledger.changed(at, "least-connections: `first` fills servers up to their maxconn, and not each has one");
            return Some("least-connections");
        }
        "uri" | "url_param" | "hdr" => {
            ledger.changed(at, "round-robin, as HAProxy does in mode tcp: it is about HTTP");
            ledger.lint(
                Code::NoEffectInTcp,
                at,
                format!("balance {name} has no effect in mode tcp"),
                "say which of the others is meant",
            );
            return Some("round-robin");
        }
        other => {
            ledger.refuse(at, format!("{other:?} is no choice of a server that there is here; see `balance` in the reference of the configuration"));
            return None;
        }
    };
    ledger.kept(at, format!("balance = \"{chosen}\""));
    Some(chosen)
}

fn attempts(settings: &Settings, backend: &mut Backend, ledger: &mut Ledger) {
    let retries = settings.retries.as_ref();
    let redispatches = settings.redispatch.as_ref().is_some_and(|said| said.value);
    settings
        .redispatch
        .iter()
        .for_each(|said| ledger.kept(said.at, "each attempt goes to another server, without a pause"));
    match retries {
        Some(none) if none.value == 0 => {
            backend.attempts = Some(1);
            ledger.kept(none.at, "attempts = 1");
        }
        Some(some) => {
            ledger.changed(
                some.at,
                "attempts: every server once at most, without a pause, instead of one server again and again",
            );
            if !redispatches {
                let problem = "without `option redispatch` every further attempt goes to the same dead server";
                ledger.lint(Code::NoRedispatch, some.at, problem, "here each attempt goes to another server");
            }
        }
        None => {}
    }
    if let Some(connect) = settings.timeouts.get(&Timeout::Connect) {
        ledger.changed(connect.at, "connect_timeout of a backend is 400 ms: a silent server is left for another one; say more for servers that are far away");
    }
}

fn waiting(settings: &Settings, backend: &mut Backend, ledger: &mut Ledger) {
    // HAProxy takes `timeout connect` where this is not said; ours is 5 s.
    if let Some(queue) = settings.timeouts.get(&Timeout::Queue) {
        let range = (Duration::from_millis(10), Duration::from_secs(300));
        backend.queue_timeout = Some(span::time_within(queue, range, "queue_timeout of the backend", ledger));
    }
}

/// Port 80 or 443 that leads to the machines of the API: Traefik is on the workers.
pub(super) fn lint_web(draft: &Draft, lowered: &Lowered, ledger: &mut Ledger) {
    let of = |profile: &str| {
        let frontends = draft.frontends.0.iter().filter(move |(_, frontend)| frontend.profile == Some(profile));
        frontends
            .filter_map(|(_, frontend)| {
                Some((frontend.backend.clone(), addresses(draft.backends.get(&frontend.backend)?)))
            })
            .collect::<BTreeMap<_, _>>()
    };
    let (api, web) = (of("k8s-api"), of("traefik-web"));
    for (name, addresses) in web {
        let is_api = api.values().any(|of_api| *of_api == addresses);
        let head = lowered.heads.iter().find(|(own, _)| *own == name);
        if let Some((_, at)) = head.filter(|_| is_api) {
            let problem = "web traffic goes to the servers of the Kubernetes API, and not to workers";
            ledger.lint(
                Code::WebBackendNotWorkers,
                *at,
                problem,
                "name the nodes on which Traefik runs, unless it runs on these",
            );
        }
    }
}

fn addresses(backend: &Backend) -> Vec<String> {
    let Named(servers) = &backend.servers;
    let address = |server: &Server| match server {
        Server::Plain(text) => text.split(':').next().unwrap_or_default().to_owned(),
        Server::Table(table) => table.address.to_string(),
    };
    let mut addresses: Vec<_> = servers.iter().map(|(_, server)| address(server)).collect();
    addresses.sort();
    addresses
}
