//! `[[frontends.NAME.routes]]` as typed.

use ipnet::IpNet;

use super::table::Value;
use super::{address, scalar, shape};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::route::NamePattern;

/// One table of the list; each condition that is empty was not typed, or was wrong and reported.
#[derive(Debug)]
pub(crate) struct RawRoute {
    pub(crate) place: Place,
    pub(crate) server_names: Vec<Located<NamePattern>>,
    pub(crate) alpn: Vec<String>,
    pub(crate) sources: Vec<IpNet>,
    /// Some condition was typed, right or wrong.
    pub(crate) is_conditional: bool,
    pub(crate) backend: Option<Located<String>>,
}

impl RawRoute {
    /// What a TLS client says first decides.
    pub(crate) fn is_of_tls(&self) -> bool {
        !self.server_names.is_empty() || !self.alpn.is_empty()
    }
}

/// The list of them.
pub(crate) fn read(value: &Value<'_>, findings: &mut Findings) -> Vec<RawRoute> {
    let example = "[{ server_names = [\"grafana.lab\"], backend = \"grafana\" }]";
    let Some(items) = value.list(example, findings) else { return Vec::new() };
    items.iter().filter_map(|item| one(item, findings)).collect()
}

fn one(value: &Value<'_>, findings: &mut Findings) -> Option<RawRoute> {
    let table = value.table(&shape::ROUTE, findings)?;
    let conditions = ["server_names", "alpn", "sources"];
    Some(RawRoute {
        is_conditional: conditions.into_iter().any(|key| table.take(key).is_some()),
        server_names: table.take("server_names").map_or_else(Vec::new, |value| server_names(&value, findings)),
        alpn: table.take("alpn").map_or_else(Vec::new, |value| alpn(&value, findings)),
        sources: table.take("sources").map_or_else(Vec::new, |value| sources(&value, findings)),
        backend: table.require("backend", "\"workers\"", findings).and_then(|value| scalar::text(&value, findings)),
        place: table.place,
    })
}

/// The items of a condition; none at all is a slip, since no connection could fit.
fn condition<'t>(value: &Value<'t>, example: &str, findings: &mut Findings) -> Vec<Value<'t>> {
    let Some(items) = value.list(example, findings) else { return Vec::new() };
    if items.is_empty() {
        let fix = format!("write at least one, for example {example}, or remove the key");
        findings.add(Code::EmptyList, &value.place, "an empty list fits no connection", fix);
    }
    items
}

fn server_names(value: &Value<'_>, findings: &mut Findings) -> Vec<Located<NamePattern>> {
    let items = condition(value, "[\"grafana.lab\", \"*.apps.lab\"]", findings);
    items.iter().filter_map(|item| server_name(item, findings)).collect()
}

fn server_name(value: &Value<'_>, findings: &mut Findings) -> Option<Located<NamePattern>> {
    let typed = value.string(findings)?;
    let Ok(pattern) = typed.parse() else {
        let problem = format!("{typed:?} is no name that a client can ask for");
        let fix = "write a host name, \"grafana.lab\", or all names below one, \"*.apps.lab\"; without scheme, port or a dot at its end, and other letters as punycode (xn--)";
        findings.add(Code::BadServerName, &value.place, problem, fix);
        return None;
    };
    Some(Located { value: pattern, place: value.place.clone() })
}

/// A protocol name has 1 to 255 octets (RFC 7301 §3.1); the registered ones that are not text are GREASE.
fn alpn(value: &Value<'_>, findings: &mut Findings) -> Vec<String> {
    let items = condition(value, "[\"h2\"]", findings);
    let protocol = |item: &Value<'_>| {
        let typed = item.string(findings)?;
        if !(1..=255).contains(&typed.len()) {
            let fix = "write a registered name, for example \"h2\", \"http/1.1\" or \"acme-tls/1\"";
            findings.add(Code::BadAlpn, &item.place, format!("{typed:?} is no name of a protocol"), fix);
            return None;
        }
        Some(typed.to_owned())
    };
    items.iter().filter_map(protocol).collect()
}

fn sources(value: &Value<'_>, findings: &mut Findings) -> Vec<IpNet> {
    let items = condition(value, "[\"10.8.0.0/24\"]", findings);
    items.iter().filter_map(|item| address::prefix(item, findings)).collect()
}
