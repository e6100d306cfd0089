//! `[election]` as typed.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::table::{Table, Value};
use super::{scalar, shape};
use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::election::{AuthMode, ChecksumForm, Failback, Password, Transport};
use crate::span_of_time;
use crate::words::{self, ElectionProfile};

/// RFC 9568 §5.2.7: 12 bits of hundredths of a second, not 0.
const ADVERTISEMENT_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_millis(40_950);
/// Below a second it is `always`; beyond a day it is `never`.
const FAILBACK_DELAY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);

/// `[election]`; each `None` was not typed.
#[derive(Debug, Default)]
pub(crate) struct RawElection {
    pub(crate) profile: Option<Located<ElectionProfile>>,
    pub(crate) advertisement_interval: Option<Located<Duration>>,
    pub(crate) failback: Option<Failback>,
    pub(crate) priority: Option<u8>,
    pub(crate) checksum: Option<Located<ChecksumForm>>,
    pub(crate) password: Option<Located<Password>>,
    pub(crate) transport: Option<Located<Transport>>,
    pub(crate) auth_hmac: Option<Located<RawAuthHmac>>,
}

/// `[election.auth_hmac]`.
#[derive(Debug)]
pub(crate) struct RawAuthHmac {
    pub(crate) key_file: PathBuf,
    pub(crate) mode: Option<AuthMode>,
}

impl RawElection {
    pub(crate) fn read(table: &Table<'_>, findings: &mut Findings) -> Self {
        Self {
            profile: table.take("profile").and_then(|value| scalar::word(&value, words::ELECTION_PROFILE, findings)),
            advertisement_interval: table.take("advertisement_interval").and_then(|value| interval(&value, findings)),
            failback: table.take("failback").and_then(|value| failback(&value, findings)),
            priority: table.take("priority").and_then(|value| priority(&value, findings)),
            checksum: table.take("checksum").and_then(|value| scalar::word(&value, words::CHECKSUM, findings)),
            password: table.take("password").and_then(|value| password(&value, findings)),
            transport: table.take("transport").and_then(|value| scalar::word(&value, words::TRANSPORT, findings)),
            auth_hmac: table.take("auth_hmac").and_then(|value| auth_hmac(&value, findings)),
        }
    }
}

fn auth_hmac(value: &Value<'_>, findings: &mut Findings) -> Option<Located<RawAuthHmac>> {
    let table = value.table(&shape::AUTH_HMAC, findings)?;
    let key_file = table.require("key_file", "\"/etc/fmc-lb/adverts.key\"", findings);
    let mode = table.take("mode").and_then(|value| scalar::word(&value, words::AUTH_MODE, findings));
    let key_file = key_file.and_then(|value| scalar::path(&value, findings))?.value;
    Some(Located { value: RawAuthHmac { key_file, mode: mode.map(|mode| mode.value) }, place: value.place.clone() })
}

/// What is wrong with it is not shown: it may be somebody's password.
fn password(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Password>> {
    let typed = value.string(findings)?;
    let Some(value_of) = Password::new(typed) else {
        let problem = "an advertisement has room for one to eight ASCII characters without spaces";
        let fix = "write what Keepalived has as `auth_pass`, of which it uses the first eight characters";
        findings.add(Code::BadPassword, &value.place, problem, fix);
        return None;
    };
    Some(Located { value: value_of, place: value.place.clone() })
}

fn interval(value: &Value<'_>, findings: &mut Findings) -> Option<Located<Duration>> {
    let interval = scalar::span(value, ADVERTISEMENT_INTERVAL, findings)?;
    if interval.value.as_millis() % 10 != 0 {
        let rounded = Duration::from_millis((interval.value.as_millis() as u64).next_multiple_of(10));
        let problem = "an advertisement counts hundredths of a second, and this is finer";
        let fix = format!("write a multiple of 10ms, for example \"{}\"", span_of_time::format(rounded));
        findings.add(Code::DurationTooFine, &value.place, problem, fix);
        return None;
    }
    Some(interval)
}

fn failback(value: &Value<'_>, findings: &mut Findings) -> Option<Failback> {
    let typed = value.string(findings)?;
    match (typed, typed.strip_prefix("after ")) {
        ("never", _) => Some(Failback::Never),
        ("always", _) => Some(Failback::Always),
        (_, Some(delay)) => match span_of_time::parse(delay) {
            Ok(span) => Some(Failback::After(scalar::in_range(value, typed, span, FAILBACK_DELAY, findings)?.value)),
            Err(error) => {
                scalar::bad_span(value, delay, error, findings);
                None
            }
        },
        _ => {
            let fix = "write \"never\", \"always\", or a delay such as \"after 10m\"";
            findings.add(Code::UnknownWord, &value.place, format!("{typed:?} does not say when a VIP moves back"), fix);
            None
        }
    }
}

/// Three tiers of three nodes need nine priorities; 255 belongs to a router whose own address is the virtual one (RFC 9568 §5.2.4).
fn priority(value: &Value<'_>, findings: &mut Findings) -> Option<u8> {
    let typed = value.integer(findings)?;
    let problem = match typed {
        9..=254 => return u8::try_from(typed).ok(),
        ..9 => format!("{typed} leaves no room for fit, degraded and unfit below it"),
        255.. => format!("{typed} is kept for a router whose own address is the virtual one"),
    };
    findings.add(
        Code::PriorityOutOfRange,
        &value.place,
        problem,
        "write a number from 9 to 254, or leave it out for 254",
    );
    None
}
