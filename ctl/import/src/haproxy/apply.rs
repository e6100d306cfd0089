//! One statement of a proxy or of `defaults`: into the settings, or to its fate.

use std::str::FromStr;

use super::proxy::{Settings, Timeout};
use super::section::Statement;
use super::{fate, milliseconds, server};
use crate::ledger::{Fate, Ledger, Said};

/// Applies `statement`.
pub(super) fn apply(settings: &mut Settings, statement: &Statement, ledger: &mut Ledger) {
    let at = statement.at;
    match (statement.word(0), statement.word(1)) {
        ("mode", mode) => self::mode(settings, statement, mode, ledger),
        ("bind", _) => settings.binds.push(statement.clone()),
        ("server", _) => settings.servers.push(server::read(statement, &settings.server_defaults)),
        ("default-server", _) => default_server(settings, statement, ledger),
        ("server-template", _) => {
            ledger.refuse(at, "server-template makes servers of what a name resolves to: write one server by hand, with the name as its address and `records`");
        }
        ("balance", _) => settings.balance = Some(statement.clone()),
        ("timeout", name) if timeout(name).is_some() => set_timeout(settings, statement, ledger),
        // The words of old: configuration.txt of 1.4.
        ("contimeout" | "clitimeout" | "srvtimeout", _) => set_timeout(settings, statement, ledger),
        ("retries", _) => settings.retries = number(statement, 1, ledger),
        ("option", "redispatch") | ("redispatch", _) => settings.redispatch = Some(Said { at, value: true }),
        ("maxconn", _) => settings.max_connections = number(statement, 1, ledger),
        ("rate-limit", "sessions") => settings.rate_limit = number(statement, 2, ledger),
        (
            "option",
            "tcp-check" | "httpchk" | "ssl-hello-chk" | "redis-check" | "smtpchk" | "mysql-check" | "pgsql-check"
            | "ldap-check" | "spop-check",
        ) => {
            settings.check = Some(statement.clone());
        }
        ("tcp-check" | "http-check", _) => settings.check_steps.push(statement.clone()),
        ("default_backend", name) => settings.default_backend = Some(Said { at, value: name.to_owned() }),
        ("acl", _) => settings.acls.push(statement.clone()),
        ("use_backend", _) => settings.use_backends.push(statement.clone()),
        ("tcp-request" | "tcp-response", _) => settings.rules.push(statement.clone()),
        ("stick-table" | "stick", _) => settings.stick.push(statement.clone()),
        ("stats", _) => {
            settings.stats.push(at);
            told(statement, ledger);
        }
        ("disabled", _) => settings.disabled = Some(at),
        ("source", _) => source(statement, ledger),
        ("no", "option") => no_option(settings, statement, ledger),
        _ => other(settings, statement, ledger),
    }
}

fn mode(settings: &mut Settings, statement: &Statement, mode: &str, ledger: &mut Ledger) {
    settings.http = None;
    match mode {
        "tcp" => ledger.kept(statement.at, "everything here is"),
        _ => settings.http = Some(statement.at),
    }
}

fn default_server(settings: &mut Settings, statement: &Statement, ledger: &mut Ledger) {
    settings.server_defaults.read(statement, 1);
    settings.server_default_lines.push(statement.at);
    for (fate, words) in std::mem::take(&mut settings.server_defaults.remarks) {
        let fate = if fate == Fate::Dropped { Fate::Changed } else { fate };
        ledger.note(statement.at, fate, words);
    }
}

fn timeout(name: &str) -> Option<Timeout> {
    Some(match name {
        "client" | "clitimeout" => Timeout::Client,
        "server" | "srvtimeout" => Timeout::Server,
        "tunnel" => Timeout::Tunnel,
        "connect" | "contimeout" => Timeout::Connect,
        "check" => Timeout::Check,
        "queue" => Timeout::Queue,
        "client-fin" => Timeout::ClientFin,
        "server-fin" => Timeout::ServerFin,
        _ => return None,
    })
}

fn set_timeout(settings: &mut Settings, statement: &Statement, ledger: &mut Ledger) {
    let is_old = statement.word(0) != "timeout";
    let (name, value) = if is_old { (0, 1) } else { (1, 2) };
    let Some(kind) = timeout(statement.word(name)) else { return };
    match milliseconds(statement.word(value)) {
        Some(span) => drop(settings.timeouts.insert(kind, Said { at: statement.at, value: span })),
        None => ledger.refuse(statement.at, format!("{:?} is no time", statement.word(value))),
    }
}

fn source(statement: &Statement, ledger: &mut Ledger) {
    if statement.words.iter().any(|word| word == "usesrc") {
        let words = "servers see this node's address: tell them the client's with `proxy_protocol = \"v2\"`";
        ledger.refuse(statement.at, words);
    } else {
        let words = "the kernel chooses the address by the route to the server; both nodes have the same file";
        ledger.changed(statement.at, words);
    }
}

fn no_option(settings: &mut Settings, statement: &Statement, ledger: &mut Ledger) {
    if statement.word(2) == "redispatch" {
        settings.redispatch = Some(Said { at: statement.at, value: false });
    } else {
        ledger.dropped(statement.at, "switches off what is not there");
    }
}

fn told(statement: &Statement, ledger: &mut Ledger) {
    if let Some((fate, words)) = fate::of(&statement.words) {
        ledger.note(statement.at, fate, words);
    }
}

/// What remains: about HTTP, with one fate wherever it stands, or unknown.
fn other(settings: &mut Settings, statement: &Statement, ledger: &mut Ledger) {
    if fate::is_http(&statement.words) {
        settings.of_http.push(statement.clone());
    } else if fate::of(&statement.words).is_some() {
        told(statement, ledger);
    } else {
        ledger.refuse(statement.at, format!("{} is no keyword of a proxy that this import knows", statement.word(0)));
    }
}

/// The number at word `index`, or a refusal.
pub(super) fn number<N: FromStr>(statement: &Statement, index: usize, ledger: &mut Ledger) -> Option<Said<N>> {
    let text = statement.word(index);
    match text.parse() {
        Ok(value) => Some(Said { at: statement.at, value }),
        Err(_) => {
            ledger.refuse(statement.at, format!("{text:?} is no number in its range"));
            None
        }
    }
}
