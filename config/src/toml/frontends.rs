//! `[frontends.NAME]` as typed.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;

use super::routes::{self, RawRoute};
use super::table::{Entry, Table, Value};
use super::{address, scalar, shape};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::bandwidth::Bandwidth;
use crate::model::frontend::{Profile, Protocol, WhenNoServer};
use crate::words;

/// A relay costs two descriptors at least; a million is more than any kernel default allows.
pub(crate) const MAX_CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
/// More than a core accepts.
const MAX_PER_SECOND: RangeInclusive<u32> = 1..=100_000;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
const IDLE_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=WEEK;
const MAX_AGE: RangeInclusive<Duration> = IDLE_TIMEOUT;
/// Each a line of the journal.
const RECORD_EVERY: RangeInclusive<Duration> = IDLE_TIMEOUT;
/// Below a retransmission of a lost segment a client would be cut that is only unlucky; beyond a minute nobody is there.
const PREFACE_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(60);
const CLOSING_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=WEEK;
/// `MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL` of the kernel (include/net/tcp.h).
const KEEPALIVE_SPAN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(32_767);
/// `MAX_TCP_KEEPCNT` of the kernel (include/net/tcp.h).
const KEEPALIVE_COUNT: RangeInclusive<u32> = 1..=127;

/// One table of `[frontends]`; each `None` was not typed, or was wrong and reported.
#[derive(Debug)]
pub(crate) struct RawFrontend {
    pub(crate) name: Located<String>,
    pub(crate) place: Place,
    /// Every key that stands there, right or wrong.
    pub(crate) keys: Vec<(&'static str, Place)>,
    pub(crate) protocol: Option<Located<Protocol>>,
    pub(crate) flow_idle: Option<Located<Duration>>,
    pub(crate) vip: Option<Located<String>>,
    pub(crate) ports: Vec<RawPort>,
    pub(crate) profile: Option<Located<Profile>>,
    /// The key stands there, right or wrong.
    pub(crate) profile_typed: bool,
    pub(crate) allow: Vec<Located<IpNet>>,
    pub(crate) accept_proxy: Vec<Located<IpNet>>,
    pub(crate) preface_timeout: Option<Located<Duration>>,
    pub(crate) routes: Vec<RawRoute>,
    pub(crate) backend: Option<Located<String>>,
    pub(crate) max_connections: Option<Located<u32>>,
    pub(crate) max_per_second: Option<Located<u32>>,
    pub(crate) per_source: Option<RawPerSource>,
    pub(crate) bandwidth: Option<Located<Bandwidth>>,
    pub(crate) bandwidth_per_connection: Option<Located<Bandwidth>>,
    pub(crate) idle_timeout: Option<Option<Duration>>,
    pub(crate) max_age: Option<Option<Duration>>,
    pub(crate) record_every: Option<Option<Duration>>,
    pub(crate) half_close_timeout: Option<Located<Duration>>,
    pub(crate) keepalive: RawKeepalive,
    pub(crate) user_timeout: Option<Located<Duration>>,
    pub(crate) client_user_timeout: Option<Located<Duration>>,
    pub(crate) when_no_server: Option<Located<WhenNoServer>>,
}

/// A port to listen on, and the server port it leads to when one was typed.
#[derive(Debug)]
pub(crate) struct RawPort {
    pub(crate) listen: Located<NonZeroU16>,
    pub(crate) server: Option<Located<NonZeroU16>>,
}

/// `keepalive = { ... }`.
#[derive(Debug, Default)]
pub(crate) struct RawKeepalive {
    pub(crate) idle: Option<Located<Duration>>,
    pub(crate) interval: Option<Located<Duration>>,
    pub(crate) count: Option<Located<u32>>,
}

/// `per_source = { ... }`.
#[derive(Debug)]
pub(crate) struct RawPerSource {
    pub(crate) place: Place,
    pub(crate) max_connections: Option<Located<u32>>,
    pub(crate) max_per_second: Option<Located<u32>>,
    /// The key stands there, right or wrong.
    pub(crate) is_exempt_typed: bool,
    pub(crate) exempt: Vec<IpNet>,
}

impl RawFrontend {
    /// Every backend that it names, its own first.
    pub(crate) fn backends(&self) -> impl Iterator<Item = &Located<String>> {
        self.backend.iter().chain(self.routes.iter().filter_map(|route| route.backend.as_ref()))
    }

    /// `None`: not a table.
    pub(crate) fn read(entry: Entry<'_>, findings: &mut Findings) -> Option<Self> {
        let table = entry.value.table(&shape::FRONTEND, findings)?;
        let span = |key, range, findings: &mut Findings| {
            table.take(key).and_then(|value| scalar::span(&value, range, findings))
        };
        let vip = table.require("vip", "\"api\"", findings);
        let backend = table.require("backend", "\"masters\"", findings);
        Some(Self {
            vip: vip.and_then(|value| scalar::text(&value, findings)),
            keys: shape::FRONTEND.keys.iter().filter_map(|key| Some((*key, table.take(key)?.place))).collect(),
            protocol: table.take("protocol").and_then(|value| scalar::word(&value, words::PROTOCOL, findings)),
            flow_idle: span("flow_idle", IDLE_TIMEOUT, findings),
            ports: ports(&table, findings),
            profile: table.take("profile").and_then(|value| scalar::word(&value, words::PROFILE, findings)),
            profile_typed: table.take("profile").is_some(),
            allow: table.take("allow").map_or_else(Vec::new, |value| allow(&value, findings)),
            accept_proxy: table.take("accept_proxy").map_or_else(Vec::new, |value| accept_proxy(&value, findings)),
            preface_timeout: span("preface_timeout", PREFACE_TIMEOUT, findings),
            routes: table.take("routes").map_or_else(Vec::new, |value| routes::read(&value, findings)),
            backend: backend.and_then(|value| scalar::text(&value, findings)),
            max_connections: table
                .take("max_connections")
                .and_then(|value| scalar::number(&value, MAX_CONNECTIONS, findings)),
            max_per_second: table
                .take("max_per_second")
                .and_then(|value| scalar::number(&value, MAX_PER_SECOND, findings)),
            per_source: table.take("per_source").and_then(|value| per_source(&value, findings)),
            bandwidth: table.take("bandwidth").and_then(|value| scalar::bandwidth(&value, findings)),
            bandwidth_per_connection: table
                .take("bandwidth_per_connection")
                .and_then(|value| scalar::bandwidth(&value, findings)),
            idle_timeout: table
                .take("idle_timeout")
                .and_then(|value| scalar::span_or_never(&value, IDLE_TIMEOUT, findings)),
            max_age: table.take("max_age").and_then(|value| scalar::span_or_never(&value, MAX_AGE, findings)),
            record_every: table
                .take("record_every")
                .and_then(|value| scalar::span_or_never(&value, RECORD_EVERY, findings)),
            half_close_timeout: span("half_close_timeout", CLOSING_TIMEOUT, findings),
            keepalive: table.take("keepalive").map_or_else(RawKeepalive::default, |value| keepalive(&value, findings)),
            user_timeout: span("user_timeout", CLOSING_TIMEOUT, findings),
            client_user_timeout: span("client_user_timeout", CLOSING_TIMEOUT, findings),
            when_no_server: table
                .take("when_no_server")
                .and_then(|value| scalar::word(&value, words::WHEN_NO_SERVER, findings)),
            name: entry.name,
            place: table.place,
        })
    }
}

fn ports(table: &Table<'_>, findings: &mut Findings) -> Vec<RawPort> {
    match (table.take("port"), table.take("ports")) {
        (Some(port), None) => single(&port, findings).into_iter().collect(),
        (None, Some(ports)) => several(&ports, findings),
        (Some(port), Some(ports)) => {
            let problem = "`port` and `ports` both say where to listen";
            findings.add(Code::EitherOr, &port.place, problem, "move this port into `ports` and remove `port`");
            findings.because(&ports.place, "the other one");
            Vec::new()
        }
        (None, None) => {
            let problem = "`port` is missing: there is nothing to listen on";
            findings.add(Code::MissingKey, &table.place, problem, "add `port = 6443`, or `ports = [80, 443]`");
            Vec::new()
        }
    }
}

fn single(value: &Value<'_>, findings: &mut Findings) -> Option<RawPort> {
    Some(RawPort { listen: address::port(value, findings)?, server: None })
}

/// A list, or a table from listening port to server port.
fn several(value: &Value<'_>, findings: &mut Findings) -> Vec<RawPort> {
    let (typed, ports): (usize, Vec<_>) = if value.is_table() {
        let entries = value.entries("{ 80 = 32591, 443 = 31541 }", findings);
        (entries.len(), entries.iter().filter_map(|entry| mapped(entry, findings)).collect())
    } else {
        let Some(items) = value.list("[80, 443]", findings) else { return Vec::new() };
        (items.len(), items.iter().filter_map(|item| single(item, findings)).collect())
    };
    if typed == 0 {
        findings.add(
            Code::EmptyList,
            &value.place,
            "no port to listen on",
            "write at least one, for example [80, 443]",
        );
    }
    ports
}

fn mapped(entry: &Entry<'_>, findings: &mut Findings) -> Option<RawPort> {
    let place = &entry.name.place;
    let listen = address::port_of_text(&entry.name.value, place, findings);
    let server = address::port(&entry.value, findings);
    Some(RawPort { listen: Located { value: listen?, place: place.clone() }, server: Some(server?) })
}

/// Who may connect; nobody at all is a slip: without the key everyone may.
fn allow(value: &Value<'_>, findings: &mut Findings) -> Vec<Located<IpNet>> {
    let Some(items) = value.list("[\"192.168.0.0/24\"]", findings) else { return Vec::new() };
    if items.is_empty() {
        let fix = "name the networks that may connect, or remove `allow` to let everyone in";
        findings.add(Code::EmptyList, &value.place, "an empty list would let nobody in", fix);
    }
    items.iter().filter_map(|item| network(item, findings)).collect()
}

/// Whose headers are believed.
fn accept_proxy(value: &Value<'_>, findings: &mut Findings) -> Vec<Located<IpNet>> {
    let Some(items) = value.list("[\"10.8.0.1\"]", findings) else { return Vec::new() };
    if items.is_empty() {
        let fix = "name the proxies whose headers are believed, or remove `accept_proxy`";
        findings.add(Code::EmptyList, &value.place, "an empty list believes nobody", fix);
    }
    items.iter().filter_map(|item| network(item, findings)).collect()
}

fn network(item: &Value<'_>, findings: &mut Findings) -> Option<Located<IpNet>> {
    let value = address::prefix(item, findings)?;
    Some(Located { value, place: item.place.clone() })
}

fn per_source(value: &Value<'_>, findings: &mut Findings) -> Option<RawPerSource> {
    let table = value.table(&shape::PER_SOURCE, findings)?;
    let number =
        |key, range, findings: &mut Findings| table.take(key).and_then(|value| scalar::number(&value, range, findings));
    let exempt = table.take("exempt");
    Some(RawPerSource {
        max_connections: number("max_connections", MAX_CONNECTIONS, findings),
        max_per_second: number("max_per_second", MAX_PER_SECOND, findings),
        is_exempt_typed: exempt.is_some(),
        exempt: exempt.map_or_else(Vec::new, |value| exempted(&value, findings)),
        place: table.place,
    })
}

/// An empty list says that somebody has thought about it.
fn exempted(value: &Value<'_>, findings: &mut Findings) -> Vec<IpNet> {
    let Some(items) = value.list("[\"173.245.48.0/20\"]", findings) else { return Vec::new() };
    items.iter().filter_map(|item| address::prefix(item, findings)).collect()
}

fn keepalive(value: &Value<'_>, findings: &mut Findings) -> RawKeepalive {
    let Some(table) = value.table(&shape::KEEPALIVE, findings) else { return RawKeepalive::default() };
    RawKeepalive {
        idle: table.take("idle").and_then(|value| whole_seconds(&value, findings)),
        interval: table.take("interval").and_then(|value| whole_seconds(&value, findings)),
        count: table.take("count").and_then(|value| scalar::number(&value, KEEPALIVE_COUNT, findings)),
    }
}

/// tcp(7) counts TCP_KEEPIDLE and TCP_KEEPINTVL in seconds.
fn whole_seconds(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Duration>> {
    let span = scalar::span(value, KEEPALIVE_SPAN, findings)?;
    if span.value.subsec_nanos() != 0 {
        let fix = format!("write whole seconds, for example \"{}s\"", span.value.as_secs() + 1);
        findings.add(
            Code::DurationTooFine,
            &value.place,
            "the kernel counts keepalive in seconds, and this is finer",
            fix,
        );
        return None;
    }
    Some(span)
}
