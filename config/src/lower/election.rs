//! The election: a profile's numbers, or those typed.

use std::time::Duration;

use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::election::{AuthHmac, AuthMode, Centiseconds, ChecksumForm, Election, Failback, Transport, Version};
use crate::span_of_time;
use crate::toml::election::{RawAuthHmac, RawElection};
use crate::words::ElectionProfile;

/// Three missed advertisements are 300 ms: longer than the short stalls of a virtual machine.
const STANDARD: Centiseconds = Centiseconds::new(10).expect("10 lies in 1-4095");
/// 60 ms until the next owner moves, after stalls up to 40 ms; 10 ms would take the jitter of an idle machine for a death.
const FAST: Centiseconds = Centiseconds::new(2).expect("2 lies in 1-4095");
/// The shortest that VRRPv2 can say, and Keepalived's default.
const COMPAT: Centiseconds = Centiseconds::new(100).expect("100 lies in 1-4095");
/// The most a node may advertise that does not own the address as its own (RFC 9568 §5.2.4): the shortest skew.
const PRIORITY: u8 = 254;

/// The election with every default filled in.
pub(super) fn lower(raw: &RawElection, findings: &mut Findings) -> Election {
    let profile = raw.profile.as_ref().map_or(ElectionProfile::Standard, |profile| profile.value);
    let typed = raw.advertisement_interval.as_ref();
    let interval = typed.and_then(|typed| centiseconds(typed.value)).unwrap_or(of(profile));
    let version = match profile {
        ElectionProfile::Standard | ElectionProfile::Fast => version_3(raw, findings),
        ElectionProfile::Compat => version_2(raw, findings),
    };
    Election {
        interval,
        failback: raw.failback.unwrap_or(Failback::Never),
        priority: raw.priority.unwrap_or(PRIORITY),
        version,
        transport: raw.transport.as_ref().map_or(Transport::Multicast, |transport| transport.value),
        auth_hmac: auth_hmac(raw, findings),
    }
}

/// Keepalived too has either the one or the other.
fn auth_hmac(raw: &RawElection, findings: &mut Findings) -> Option<AuthHmac> {
    let typed = raw.auth_hmac.as_ref()?;
    if let Some(password) = raw.password.as_ref().filter(|_| is_compat(raw)) {
        let problem = "an advertisement has a password or a signature, not both";
        let fix = "remove the password: signed advertisements keep out whoever has no key, a password keeps out nobody";
        findings.add(Code::EitherOr, &password.place, problem, fix);
        findings.because(&typed.place, "signed here");
    }
    let RawAuthHmac { key_file, mode } = &typed.value;
    Some(AuthHmac { key_file: key_file.clone(), mode: mode.unwrap_or(AuthMode::Enforce) })
}

/// VRRPv2 is spoken.
pub(super) fn is_compat(raw: &RawElection) -> bool {
    raw.profile.as_ref().is_some_and(|profile| profile.value == ElectionProfile::Compat)
}

const fn of(profile: ElectionProfile) -> Centiseconds {
    match profile {
        ElectionProfile::Fast => FAST,
        ElectionProfile::Standard => STANDARD,
        ElectionProfile::Compat => COMPAT,
    }
}

/// The checksum: what Keepalived and FRR send and want; our own nodes take both.
fn version_3(raw: &RawElection, findings: &mut Findings) -> Version {
    if let Some(password) = &raw.password {
        let fix = "remove it; `auth_hmac` signs advertisements of either version";
        other_version(&password.place, "VRRPv3 has no password", fix, findings);
    }
    Version::V3(raw.checksum.as_ref().map_or(ChecksumForm::PseudoHeader, |checksum| checksum.value))
}

fn version_2(raw: &RawElection, findings: &mut Findings) -> Version {
    if let Some(checksum) = &raw.checksum {
        other_version(&checksum.place, "VRRPv2 has one form of checksum", "remove it", findings);
    }
    if let Some(password) = &raw.password {
        let problem = "everyone on the network reads this password in each advertisement, and can send it";
        let fix =
            "keep it while Keepalived needs it, use it nowhere else, and leave \"compat\" when Keepalived is gone";
        findings.add(Code::PasswordInClear, &password.place, problem, fix);
    }
    if let Some(typed) = &raw.advertisement_interval {
        whole_seconds(typed, findings);
    }
    Version::V2(raw.password.as_ref().map(|password| password.value))
}

fn other_version(place: &Place, problem: &str, fix: &str, findings: &mut Findings) {
    findings.add(Code::OtherVersionKey, place, problem, fix);
}

/// RFC 3768 §5.3.7.
fn whole_seconds(typed: &Located<Duration>, findings: &mut Findings) {
    if typed.value.subsec_nanos() > 0 {
        let least = Duration::from_secs(typed.value.as_secs().max(1));
        let fix = format!("write whole seconds, for example \"{}\"", span_of_time::format(least));
        findings.add(Code::DurationTooFine, &typed.place, "an advertisement of VRRPv2 counts whole seconds", fix);
    }
}

fn centiseconds(span: Duration) -> Option<Centiseconds> {
    u16::try_from(span.as_millis() / 10).ok().and_then(Centiseconds::new)
}
