//! `check = { ... }` of a backend as typed.

use std::num::NonZeroU16;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::table::{Table, Value};
use super::{address, bytes, scalar, shape};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::words::{self, CheckKind};

/// Below 100 ms a probe of every server is a load of its own; a server unseen for an hour is not checked at all.
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
const FAST_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(3600);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(60);
const STREAK: RangeInclusive<u8> = 1..=100;

/// The table; each `None` was not typed, or was wrong and reported.
#[derive(Debug, Default)]
pub(crate) struct RawCheck {
    pub(crate) track: Option<Located<String>>,
    pub(crate) kind: Option<Located<CheckKind>>,
    pub(crate) port: Option<Located<NonZeroU16>>,
    pub(crate) path: Option<Located<String>>,
    pub(crate) expect: Option<Located<(u16, u16)>>,
    pub(crate) server_name: Option<Located<String>>,
    pub(crate) ca_file: Option<Located<PathBuf>>,
    pub(crate) token_file: Option<Located<PathBuf>>,
    pub(crate) client_cert_file: Option<Located<PathBuf>>,
    pub(crate) client_key_file: Option<Located<PathBuf>>,
    pub(crate) send: Option<Located<Vec<u8>>>,
    pub(crate) reply: Option<Located<Vec<u8>>>,
    pub(crate) command: Option<Located<Vec<String>>>,
    pub(crate) interval: Option<Located<Duration>>,
    pub(crate) fast_interval: Option<Located<Duration>>,
    pub(crate) timeout: Option<Located<Duration>>,
    pub(crate) rise: Option<Located<u8>>,
    pub(crate) fall: Option<Located<u8>>,
    /// Every option that was typed, right or wrong, with its place.
    pub(crate) typed: Vec<(&'static str, Place)>,
}

impl RawCheck {
    pub(crate) fn read(value: &Value<'_>, findings: &mut Findings) -> Self {
        let Some(table) = value.table(&shape::CHECK, findings) else { return Self::default() };
        let span = |key, range, findings: &mut Findings| {
            table.take(key).and_then(|value| scalar::span(&value, range, findings))
        };
        let streak =
            |key, findings: &mut Findings| table.take(key).and_then(|value| scalar::number(&value, STREAK, findings));
        let file = |key, findings: &mut Findings| table.take(key).and_then(|value| scalar::path(&value, findings));
        Self {
            track: table.take("track").and_then(|value| scalar::text(&value, findings)),
            kind: table.take("type").and_then(|value| scalar::word(&value, words::CHECK_KIND, findings)),
            port: table.take("port").and_then(|value| address::port(&value, findings)),
            path: table.take("path").and_then(|value| path(&value, findings)),
            expect: table.take("expect").and_then(|value| expect(&value, findings)),
            server_name: table.take("server_name").and_then(|value| server_name(&value, findings)),
            ca_file: file("ca_file", findings),
            token_file: file("token_file", findings),
            client_cert_file: file("client_cert_file", findings),
            client_key_file: file("client_key_file", findings),
            send: bytes::either(&table, ("send", "send_hex"), findings),
            reply: bytes::either(&table, ("reply", "reply_hex"), findings),
            command: table.take("command").and_then(|value| command(&value, findings)),
            interval: span("interval", INTERVAL, findings),
            fast_interval: span("fast_interval", FAST_INTERVAL, findings),
            timeout: span("timeout", TIMEOUT, findings),
            rise: streak("rise", findings),
            fall: streak("fall", findings),
            typed: typed(&table),
        }
    }
}

fn typed(table: &Table<'_>) -> Vec<(&'static str, Place)> {
    shape::CHECK.keys.iter().filter_map(|key| Some((*key, table.take(key)?.place))).collect()
}

/// An origin-form request target (RFC 9112 §3.2.1): from the root, printable, no blank.
fn path(value: &Value<'_>, findings: &mut Findings) -> Option<Located<String>> {
    let path = scalar::text(value, findings)?;
    if !path.value.starts_with('/') {
        let fix = format!("write {:?}", format!("/{}", path.value));
        findings.add(Code::BadPath, &value.place, format!("{:?} does not start with '/'", path.value), fix);
        return None;
    }
    if !path.value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        let problem = format!("{:?} has characters that cannot stand in a request", path.value);
        findings.add(Code::BadPath, &value.place, problem, "write blanks and other characters as %20 and the like");
        return None;
    }
    Some(path)
}

/// A program from the root and its arguments: there is no shell that would find it or take it apart.
fn command(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Vec<String>>> {
    let items = value.list("[\"/usr/local/bin/check\", \"--quick\"]", findings)?;
    let words: Vec<_> = items.iter().filter_map(|item| scalar::text(item, findings)).map(|word| word.value).collect();
    if words.len() < items.len() {
        return None;
    }
    match words.first() {
        Some(program) if program.starts_with('/') => Some(Located { value: words, place: value.place.clone() }),
        Some(program) => {
            let problem = format!("{program:?} would be looked for nowhere: there is no shell and no PATH");
            findings.add(Code::PathNotAbsolute, &value.place, problem, "write the whole path of the program");
            None
        }
        None => {
            findings.add(Code::EmptyList, &value.place, "no program to start", "name one, and its arguments after it");
            None
        }
    }
}

/// `200`, or `"200-399"`.
fn expect(value: &Value<'_>, findings: &mut Findings) -> Option<Located<(u16, u16)>> {
    let typed = if value.is_integer() { value.scalar_text()? } else { value.string(findings)?.to_owned() };
    let (low, high) = typed.split_once('-').unwrap_or((&typed, &typed));
    let statuses = 100..=599;
    match (low.trim().parse(), high.trim().parse()) {
        (Ok(low), Ok(high)) if low <= high && statuses.contains(&low) && statuses.contains(&high) => {
            Some(Located { value: (low, high), place: value.place.clone() })
        }
        _ => {
            let problem = format!("{typed:?} is not a range of HTTP statuses from 100 to 599");
            findings.add(Code::BadStatusRange, &value.place, problem, "write one status, 200, or a range, \"200-399\"");
            None
        }
    }
}

/// A DNS name or an address: what a certificate can carry (RFC 9525 §2).
fn server_name(value: &Value<'_>, findings: &mut Findings) -> Option<Located<String>> {
    let name = scalar::text(value, findings)?;
    let label = |label: &str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(legal) && !label.starts_with('-') && !label.ends_with('-')
    };
    let dns = name.value.len() <= 253 && name.value.split('.').all(label);
    if !dns && name.value.parse::<std::net::IpAddr>().is_err() {
        let problem = format!("{:?} is neither a host name nor an address", name.value);
        let fix = "write the name in the server's certificate, for example \"kubernetes.default.svc\", without scheme or port";
        findings.add(Code::BadServerName, &value.place, problem, fix);
        return None;
    }
    Some(name)
}
