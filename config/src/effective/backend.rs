//! `[backends.NAME]` written out.

use super::text::{Text, key, list, quoted};
use crate::model::backend::{Agent, Backend, NamedServer, Observe, Server};
use crate::model::frontend::Frontend;
use crate::model::health_check::{ClientCertificate, CommandProbe, HealthCheck, Probe, SendExpectProbe, TlsProbe};
use crate::span_of_time::format as span;
use crate::words::{self, CheckKind};

pub(super) fn write(text: &mut Text, backend: &Backend, frontends: &[Frontend]) {
    let Backend {
        name,
        servers,
        named,
        balance,
        has_flows,
        check,
        proxy_protocol,
        connect_timeout,
        hedge_after,
        attempts,
        queue,
        observe,
        agent,
        slow_start,
    } = backend;
    let name = key(name.as_str());
    text.table(&format!("[backends.{name}]"), "");
    profile(text, backend, frontends);
    let flows = if *has_flows { "of connections; flows of UDP go by Maglev" } else { "" };
    text.line("balance", quoted(words::word(words::BALANCE, *balance)), flows);
    match proxy_protocol {
        Some(version) => text.line("proxy_protocol", quoted(words::word(words::PROXY_PROTOCOL, *version)), ""),
        None => text.remark("proxy_protocol: none, servers see the balancer's address"),
    }
    text.line("connect_timeout", quoted(span(*connect_timeout)), "for each attempt");
    let hedge_after = hedge_after.map_or_else(|| "never".to_owned(), span);
    text.line("hedge_after", quoted(hedge_after), "then another server is dialled beside it");
    text.line("attempts", attempts.to_string(), "each on another server");
    match slow_start {
        Some(span_) => text.line("slow_start", quoted(span(*span_)), "until a server that recovers has its full share"),
        None => text.remark("slow_start: none, a server that recovers has its full share at once"),
    }
    text.line("queue", queue.length.to_string(), "clients that wait while every server has its max_connections");
    text.line("queue_timeout", quoted(span(queue.timeout)), "then such a client is refused");
    match agent {
        Some(Agent { port, interval, timeout }) => {
            let (interval, timeout) = (quoted(span(*interval)), quoted(span(*timeout)));
            text.line("agent", format!("{{ port = {port}, interval = {interval}, timeout = {timeout} }}"), "");
        }
        None => text.remark("agent: none, servers have no say"),
    }
    match observe {
        Some(Observe { failures, within, out_for }) => {
            let (within, out_for) = (quoted(span(*within)), quoted(span(*out_for)));
            text.line(
                "observe",
                format!("{{ failures = {failures}, within = {within}, out_for = {out_for} }}"),
                "of clients",
            );
        }
        None => text.remark("observe: no, only its check puts a server out"),
    }
    text.table(&format!("[backends.{name}.servers]"), "");
    let typed: Vec<_> = servers.iter().filter(|server| server.found_by.is_none()).collect();
    for place in 0..=typed.len() {
        named.iter().filter(|named| named.after == place).for_each(|named| self::named(text, named));
        typed.get(place).into_iter().for_each(|server| self::server(text, server));
    }
    text.table(&format!("[backends.{name}.check]"), "");
    self::check(text, check);
}

/// Only said where the frontends differ: all its effects are written out below it.
fn profile(text: &mut Text, backend: &Backend, frontends: &[Frontend]) {
    let mut profiles =
        frontends.iter().filter(|frontend| frontend.leads_to(&backend.name)).map(|frontend| frontend.profile);
    if let Some(first) = profiles.next()
        && profiles.any(|other| other != first)
    {
        text.line(
            "profile",
            quoted(words::word(words::PROFILE, first)),
            "without effect: every default is written out",
        );
    }
}

fn server(text: &mut Text, server: &Server) {
    let Server { name, address, port, weight, max_connections, backup, check_address, found_by: _, serving_ports } =
        server;
    let port = port.map_or_else(String::new, |port| format!(", port = {port}"));
    let limit = max_connections.map_or_else(String::new, |limit| format!(", max_connections = {limit}"));
    let check = check_address.map_or_else(String::new, |check| format!(", check_address = {}", quoted(check)));
    let value = format!(
        "{{ address = {}{port}, weight = {}{limit}, backup = {backup}{check} }}",
        quoted(address),
        weight.get()
    );
    let serving: Vec<_> = serving_ports.iter().map(ToString::to_string).collect();
    text.line(&key(name.as_str()), value, &format!("serves on {}", serving.join(", ")));
}

fn named(text: &mut Text, named: &NamedServer) {
    let NamedServer { name, host, records, after: _, port, weight, max_connections, backup, check_address, .. } = named;
    let port = port.map_or_else(String::new, |port| format!(", port = {port}"));
    let limit = max_connections.map_or_else(String::new, |limit| format!(", max_connections = {limit}"));
    let check = check_address.map_or_else(String::new, |check| format!(", check_address = {}", quoted(check)));
    let (weight, records) = (weight.get(), records.most());
    let value = format!(
        "{{ address = {}, records = {records}{port}, weight = {weight}{limit}, backup = {backup}{check} }}",
        quoted(host)
    );
    text.line(&key(name.as_str()), value, "the DNS tells its address");
}

fn check(text: &mut Text, check: &HealthCheck) {
    let HealthCheck { track, probe, port, interval, fast_interval, timeout, rise, fall } = check;
    if let Some(backend) = track {
        text.line("track", quoted(backend), "its servers of the same name are asked");
        return;
    }
    self::probe(text, probe);
    match port {
        Some(port) => text.line("port", port.to_string(), ""),
        None => text.remark("port: every port that clients are sent to"),
    }
    text.line("interval", quoted(span(*interval)), "of a settled server");
    text.line("fast_interval", quoted(span(*fast_interval)), "while the verdict changes");
    text.line("timeout", quoted(span(*timeout)), "");
    text.line("rise", rise.to_string(), "passes in a row that make a server healthy");
    let detection = span(check.detection_time());
    text.line("fall", fall.to_string(), &format!("failures in a row; a dead server is out after {detection} at most"));
}

fn probe(text: &mut Text, probe: &Probe) {
    let kind = match probe {
        Probe::Tcp => CheckKind::Tcp,
        Probe::Tls(_) => CheckKind::Tls,
        Probe::Http(_) => CheckKind::Http,
        Probe::Https(_) => CheckKind::Https,
        Probe::SendExpect(_) => CheckKind::SendExpect,
        Probe::Command(_) => CheckKind::Command,
        Probe::K3sApi(_) => CheckKind::K3sApi,
    };
    text.line("type", quoted(words::word(words::CHECK_KIND, kind)), "");
    match probe {
        Probe::Tcp => {}
        Probe::Tls(tls) => self::tls(text, tls),
        Probe::Http(http) => {
            server_name(text, http.host.as_deref());
            request(text, &http.path, http.expect);
        }
        Probe::Https(https) => {
            self::tls(text, &https.tls);
            request(text, &https.path, https.expect);
        }
        Probe::SendExpect(SendExpectProbe { send, reply }) => {
            match send.is_empty() {
                true => text.remark("send: nothing, the server speaks first"),
                false => bytes(text, "send", send),
            }
            bytes(text, "reply", reply);
        }
        Probe::Command(CommandProbe { program, arguments }) => {
            let words = std::iter::once(program.display().to_string()).chain(arguments.iter().cloned());
            text.line("command", list(words.map(quoted)), "passes by ending with 0");
        }
        Probe::K3sApi(k3s) => {
            self::tls(text, &k3s.tls);
            match &k3s.token_file {
                Some(file) => text.line("token_file", quoted(file.display()), "opens /readyz"),
                None if k3s.tls.client_certificate.is_some() => {}
                None => text.remark("token_file: none, so /ping is asked"),
            }
        }
    }
}

/// As text where it is text, else in hexadecimal digits.
fn bytes(text: &mut Text, key: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(typed) => text.line(key, quoted(typed), ""),
        Err(_) => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            text.line(&format!("{key}_hex"), quoted(digits.join(" ")), "");
        }
    }
}

fn request(text: &mut Text, path: &str, (least, most): (u16, u16)) {
    text.line("path", quoted(path), "");
    text.line("expect", quoted(format!("{least}-{most}")), "statuses that pass");
}

fn server_name(text: &mut Text, name: Option<&str>) {
    match name {
        Some(name) => text.line("server_name", quoted(name), ""),
        None => text.remark("server_name: the address that is asked"),
    }
}

fn tls(text: &mut Text, TlsProbe { server_name, ca_file, client_certificate }: &TlsProbe) {
    self::server_name(text, server_name.as_deref());
    if let Some(ClientCertificate { cert_file, key_file }) = client_certificate {
        text.line("client_cert_file", quoted(cert_file.display()), "shown to a server that asks");
        text.line("client_key_file", quoted(key_file.display()), "");
    }
    match ca_file {
        Some(file) => text.line("ca_file", quoted(file.display()), ""),
        None => text.remark("ca_file: none, any certificate passes"),
    }
}
