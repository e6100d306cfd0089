//! `[backends.NAME]` as typed.

use std::net::IpAddr;
use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::address::Host;
use super::check::RawCheck;
use super::table::{Entry, Value};
use super::{address, scalar, shape};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::backend::{Balance, ProxyProtocol};
use crate::model::frontend::Profile;
use crate::words;

const CONNECT_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(10);
pub(crate) const ATTEMPTS: RangeInclusive<u8> = 1..=16;
/// Below a second nothing warms up; a server that needs more than an hour is another problem.
const SLOW_START: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// Each who waits holds a descriptor and a task; more than this is an outage, not a queue.
const QUEUE: RangeInclusive<u32> = 0..=10_000;
/// Nobody waits longer than a browser does.
const QUEUE_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(300);
const AGENT_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(3600);
const AGENT_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
/// One failure is an accident.
const FAILURES: RangeInclusive<u32> = 2..=100_000;
const OBSERVED_FOR: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// A name with more addresses than these is no group of servers that one backend means.
const RECORDS: RangeInclusive<u8> = 1..=64;
const WEIGHT: RangeInclusive<u16> = 0..=256;
const MAX_CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;

/// One table of `[backends]`; each `None` was not typed, or was wrong and reported.
#[derive(Debug)]
pub(crate) struct RawBackend {
    pub(crate) name: Located<String>,
    pub(crate) place: Place,
    pub(crate) profile: Option<Located<Profile>>,
    /// The key stands there, right or wrong.
    pub(crate) profile_typed: bool,
    pub(crate) servers: Option<RawServers>,
    pub(crate) balance: Option<Located<Balance>>,
    pub(crate) proxy_protocol: Option<Located<ProxyProtocol>>,
    pub(crate) connect_timeout: Option<Located<Duration>>,
    pub(crate) hedge_after: Option<Option<Duration>>,
    pub(crate) attempts: Option<Located<u8>>,
    pub(crate) slow_start: Option<Located<Duration>>,
    pub(crate) queue: Option<Located<u32>>,
    pub(crate) queue_timeout: Option<Located<Duration>>,
    pub(crate) observe: Option<RawObserve>,
    pub(crate) agent: Option<RawAgent>,
    pub(crate) check: RawCheck,
}

/// `servers = { ... }`, or `[backends.NAME.servers]`.
#[derive(Debug)]
pub(crate) struct RawServers {
    pub(crate) place: Place,
    pub(crate) list: Vec<RawServer>,
    /// Nothing was typed, as against typed and wrong.
    pub(crate) empty: bool,
}

/// One server.
#[derive(Debug)]
pub(crate) struct RawServer {
    pub(crate) name: Located<String>,
    pub(crate) address: Located<Host>,
    pub(crate) records: Option<Located<u8>>,
    pub(crate) port: Option<Located<NonZeroU16>>,
    pub(crate) weight: Option<Located<u16>>,
    pub(crate) max_connections: Option<Located<u32>>,
    pub(crate) backup: Option<Located<bool>>,
    pub(crate) check_address: Option<Located<IpAddr>>,
}

impl RawBackend {
    /// `None`: not a table.
    pub(crate) fn read(entry: Entry<'_>, findings: &mut Findings) -> Option<Self> {
        let table = entry.value.table(&shape::BACKEND, findings)?;
        let servers = table.require("servers", "{ master1 = \"10.17.4.21:6443\" }", findings);
        Some(Self {
            servers: servers.map(|value| RawServers::read(&value, findings)),
            profile: table.take("profile").and_then(|value| scalar::word(&value, words::PROFILE, findings)),
            profile_typed: table.take("profile").is_some(),
            balance: table.take("balance").and_then(|value| scalar::word(&value, words::BALANCE, findings)),
            proxy_protocol: table
                .take("proxy_protocol")
                .and_then(|value| scalar::word(&value, words::PROXY_PROTOCOL, findings)),
            connect_timeout: table
                .take("connect_timeout")
                .and_then(|value| scalar::span(&value, CONNECT_TIMEOUT, findings)),
            hedge_after: table
                .take("hedge_after")
                .and_then(|value| scalar::span_or_never(&value, CONNECT_TIMEOUT, findings)),
            attempts: table.take("attempts").and_then(|value| scalar::number(&value, ATTEMPTS, findings)),
            slow_start: table.take("slow_start").and_then(|value| scalar::span(&value, SLOW_START, findings)),
            queue: table.take("queue").and_then(|value| scalar::number(&value, QUEUE, findings)),
            queue_timeout: table.take("queue_timeout").and_then(|value| scalar::span(&value, QUEUE_TIMEOUT, findings)),
            observe: table.take("observe").and_then(|value| RawObserve::read(&value, findings)),
            agent: table.take("agent").and_then(|value| RawAgent::read(&value, findings)),
            check: table.take("check").map_or_else(RawCheck::default, |value| RawCheck::read(&value, findings)),
            name: entry.name,
            place: table.place,
        })
    }
}

/// `agent = { ... }`.
#[derive(Debug)]
pub(crate) struct RawAgent {
    pub(crate) port: Option<Located<NonZeroU16>>,
    pub(crate) interval: Option<Located<Duration>>,
    pub(crate) timeout: Option<Located<Duration>>,
}

impl RawAgent {
    fn read(value: &Value<'_>, findings: &mut Findings) -> Option<Self> {
        let table = value.table(&shape::AGENT, findings)?;
        let port = table.require("port", "9707", findings);
        let span = |key, range, findings: &mut Findings| {
            table.take(key).and_then(|value| scalar::span(&value, range, findings))
        };
        Some(Self {
            port: port.and_then(|value| address::port(&value, findings)),
            interval: span("interval", AGENT_INTERVAL, findings),
            timeout: span("timeout", AGENT_TIMEOUT, findings),
        })
    }
}

/// `observe = { ... }`.
#[derive(Debug, Default)]
pub(crate) struct RawObserve {
    pub(crate) failures: Option<Located<u32>>,
    pub(crate) within: Option<Located<Duration>>,
    pub(crate) out_for: Option<Located<Duration>>,
}

impl RawObserve {
    fn read(value: &Value<'_>, findings: &mut Findings) -> Option<Self> {
        let table = value.table(&shape::OBSERVE, findings)?;
        let span = |key, findings: &mut Findings| {
            table.take(key).and_then(|value| scalar::span(&value, OBSERVED_FOR, findings))
        };
        Some(Self {
            failures: table.take("failures").and_then(|value| scalar::number(&value, FAILURES, findings)),
            within: span("within", findings),
            out_for: span("out_for", findings),
        })
    }
}

impl RawServers {
    fn read(value: &Value<'_>, findings: &mut Findings) -> Self {
        let entries = value.entries("{ master1 = \"10.17.4.21:6443\" }", findings);
        let empty = value.is_table() && entries.is_empty();
        let list = entries.into_iter().filter_map(|entry| RawServer::read(entry, findings)).collect();
        Self { place: value.place.clone(), list, empty }
    }
}

impl RawServer {
    /// `name = "address[:port]"`, or a table.
    fn read(entry: Entry<'_>, findings: &mut Findings) -> Option<Self> {
        let Entry { name, value } = entry;
        if !value.is_table() {
            let (address, port) = address::server(&value, findings)?;
            return Some(Self {
                name,
                address,
                records: None,
                port,
                weight: None,
                max_connections: None,
                backup: None,
                check_address: None,
            });
        }
        let table = value.table(&shape::SERVER, findings)?;
        let address = table.require("address", "\"10.17.4.21\"", findings);
        let records = table.take("records").and_then(|value| scalar::number(&value, RECORDS, findings));
        let weight = table.take("weight").and_then(|value| scalar::number(&value, WEIGHT, findings));
        let max_connections =
            table.take("max_connections").and_then(|value| scalar::number(&value, MAX_CONNECTIONS, findings));
        let backup = table.take("backup").and_then(|value| scalar::truth(&value, findings));
        let check_address = table.take("check_address").and_then(|value| address::without_port(&value, findings));
        let own_port = table.take("port").and_then(|value| address::port(&value, findings));
        let (address, port) = address::server(&address?, findings)?;
        let port = one_port(port, own_port, findings);
        Some(Self { name, address, records, port, weight, max_connections, backup, check_address })
    }
}

fn one_port(
    in_address: Option<Located<NonZeroU16>>,
    own: Option<Located<NonZeroU16>>,
    findings: &mut Findings,
) -> Option<Located<NonZeroU16>> {
    if let (Some(first), Some(second)) = (&in_address, &own) {
        let problem = "the port is said twice, in `address` and as `port`";
        findings.add(Code::EitherOr, &second.place, problem, "remove one of the two");
        findings.because(&first.place, "the other one");
    }
    own.or(in_address)
}
