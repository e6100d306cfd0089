//! The health check: only options that its kind has use for, in a rhythm that makes sense.

use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::health_check::{
    ClientCertificate, CommandProbe, HealthCheck, HttpProbe, HttpsProbe, K3sApiProbe, Probe, SendExpectProbe, TlsProbe,
};
use crate::model::service::Limits;
use crate::profile::BackendDefaults;
use crate::span_of_time;
use crate::suggest;
use crate::toml::check::RawCheck;
use crate::words::{self, CheckKind};

/// Statuses that say the server is at work: HAProxy's httpchk takes the same.
const EXPECT: (u16, u16) = (200, 399);

/// The check with every default filled in.
pub(super) fn lower(raw: &RawCheck, defaults: &BackendDefaults) -> HealthCheck {
    let kind = raw.kind.as_ref().map_or(defaults.check, |kind| kind.value);
    let interval = raw.interval.as_ref().map_or(defaults.interval, |typed| typed.value);
    HealthCheck {
        track: None,
        probe: probe(raw, kind),
        port: raw.port.as_ref().map(|port| port.value),
        interval,
        fast_interval: raw.fast_interval.as_ref().map_or(defaults.fast_interval.min(interval), |typed| typed.value),
        timeout: raw.timeout.as_ref().map_or(defaults.timeout, |typed| typed.value),
        rise: raw.rise.as_ref().map_or(defaults.rise, |typed| typed.value),
        fall: raw.fall.as_ref().map_or(defaults.fall, |typed| typed.value),
    }
}

/// Reports options that the kind has no use for; `defaults` must be those of the true profile.
pub(super) fn report_options(raw: &RawCheck, defaults: &BackendDefaults, findings: &mut Findings) {
    if is_typed(raw, "track") {
        return;
    }
    let kind = match &raw.kind {
        Some(kind) => kind.value,
        None if is_typed(raw, "type") => return,
        None => defaults.check,
    };
    report_unused_options(raw, kind, findings);
    report_unguarded_token(raw, kind, findings);
    report_half_a_certificate(raw, findings);
    report_no_reply(raw, findings);
    report_no_command(raw, findings);
}

/// Reports programs that nobody has allowed: whoever may write a check may then run anything as the service's user.
pub(super) fn report_not_allowed(raw: &RawCheck, limits: Limits, findings: &mut Findings) {
    if let Some(kind) = raw.kind.as_ref().filter(|kind| kind.value == CheckKind::Command && !limits.check_commands) {
        let problem = "health checks may start no programs on this pair";
        let fix = "set `check_commands = true` in [limits]; the program runs as the service's user, in its sandbox";
        findings.add(Code::CommandNotAllowed, &kind.place, problem, fix);
    }
}

fn report_no_command(raw: &RawCheck, findings: &mut Findings) {
    let Some(kind) = raw.kind.as_ref().filter(|kind| kind.value == CheckKind::Command) else { return };
    if !is_typed(raw, "command") {
        let fix = "add `command`, for example `command = [\"/usr/local/bin/check\"]`";
        findings.add(Code::MissingKey, &kind.place, "a check of this type needs `command`", fix);
    }
}

/// Reports a doubtful server that would be asked more rarely than a settled one; every profile has the same interval.
pub(super) fn report_rhythm(raw: &RawCheck, defaults: &BackendDefaults, findings: &mut Findings) {
    let Some(fast) = &raw.fast_interval else { return };
    if raw.interval.is_none() && is_typed(raw, "interval") {
        return;
    }
    let interval = raw.interval.as_ref().map_or(defaults.interval, |typed| typed.value);
    if fast.value > interval {
        let (fast_text, interval_text) = (span_of_time::format(fast.value), span_of_time::format(interval));
        let origin = if raw.interval.is_some() { "" } else { " (the default)" };
        let problem = format!("{fast_text} is slower than `interval`, {interval_text}{origin}");
        let fix = format!("write at most \"{interval_text}\": it is how often a doubtful server is asked");
        findings.add(Code::FastIntervalOverInterval, &fast.place, problem, fix);
        if let Some(typed) = &raw.interval {
            findings.because(&typed.place, "the interval");
        }
    }
}

fn is_typed(raw: &RawCheck, option: &str) -> bool {
    raw.typed.iter().any(|(typed, _)| *typed == option)
}

fn probe(raw: &RawCheck, kind: CheckKind) -> Probe {
    let server_name = raw.server_name.as_ref().map(|name| name.value.clone());
    let path = raw.path.as_ref().map_or_else(|| "/".to_owned(), |path| path.value.clone());
    let expect = raw.expect.as_ref().map_or(EXPECT, |expect| expect.value);
    let tls = TlsProbe {
        server_name: server_name.clone(),
        ca_file: raw.ca_file.as_ref().map(|file| file.value.clone()),
        client_certificate: client_certificate(raw),
    };
    match kind {
        CheckKind::Tcp => Probe::Tcp,
        CheckKind::Tls => Probe::Tls(tls),
        CheckKind::Http => Probe::Http(HttpProbe { host: server_name, path, expect }),
        CheckKind::Https => Probe::Https(HttpsProbe { tls, path, expect }),
        CheckKind::SendExpect => {
            let bytes =
                |typed: &Option<Located<Vec<u8>>>| typed.as_ref().map_or_else(Vec::new, |typed| typed.value.clone());
            Probe::SendExpect(SendExpectProbe { send: bytes(&raw.send), reply: bytes(&raw.reply) })
        }
        CheckKind::Command => {
            let mut words = raw.command.as_ref().map_or_else(Vec::new, |typed| typed.value.clone()).into_iter();
            let program = words.next().unwrap_or_default().into();
            Probe::Command(CommandProbe { program, arguments: words.collect() })
        }
        CheckKind::K3sApi => {
            Probe::K3sApi(K3sApiProbe { tls, token_file: raw.token_file.as_ref().map(|file| file.value.clone()) })
        }
    }
}

fn client_certificate(raw: &RawCheck) -> Option<ClientCertificate> {
    let (cert_file, key_file) =
        (raw.client_cert_file.as_ref()?.value.clone(), raw.client_key_file.as_ref()?.value.clone());
    Some(ClientCertificate { cert_file, key_file })
}

/// The kinds that have use for an option; `None`: all of them.
fn kinds_for(option: &str) -> Option<&'static [CheckKind]> {
    const WITH_TLS: &[CheckKind] = &[CheckKind::Tls, CheckKind::Https, CheckKind::K3sApi];
    match option {
        "path" | "expect" => Some(&[CheckKind::Http, CheckKind::Https]),
        "server_name" => Some(&[CheckKind::Tls, CheckKind::Http, CheckKind::Https, CheckKind::K3sApi]),
        "ca_file" | "client_cert_file" | "client_key_file" => Some(WITH_TLS),
        "send" | "send_hex" | "reply" | "reply_hex" => Some(&[CheckKind::SendExpect]),
        "token_file" => Some(&[CheckKind::K3sApi]),
        "command" => Some(&[CheckKind::Command]),
        _ => None,
    }
}

fn report_unused_options(raw: &RawCheck, kind: CheckKind, findings: &mut Findings) {
    for (option, place) in &raw.typed {
        let Some(kinds) = kinds_for(option).filter(|kinds| !kinds.contains(&kind)) else { continue };
        let word = words::word(words::CHECK_KIND, kind);
        let problem = format!("a check of type \"{word}\" has no use for `{option}`");
        let wanted = suggest::choice(kinds.iter().map(|kind| words::word(words::CHECK_KIND, *kind)));
        findings.add(Code::CheckOptionUnused, place, problem, format!("remove it, or set `type` to {wanted}"));
        if let Some(kind) = &raw.kind {
            findings.because(&kind.place, "the type");
        }
    }
}

/// A token sent to whoever answers is a token given away.
fn report_unguarded_token(raw: &RawCheck, kind: CheckKind, findings: &mut Findings) {
    if let (CheckKind::K3sApi, Some(token), false) = (kind, &raw.token_file, is_typed(raw, "ca_file")) {
        let problem = "the token would be sent to any machine that answers on a server's address";
        let fix = "add `ca_file`, a copy of /var/lib/rancher/k3s/server/tls/server-ca.crt of a master";
        findings.add(Code::TokenWithoutCa, &token.place, problem, fix);
    }
}

/// A certificate without its key proves nothing, and a key without its certificate says nothing.
fn report_half_a_certificate(raw: &RawCheck, findings: &mut Findings) {
    const HALVES: [&str; 2] = ["client_cert_file", "client_key_file"];
    let place = |option: &str| raw.typed.iter().find(|(typed, _)| *typed == option).map(|(_, place)| place);
    for (half, other) in [(HALVES[0], HALVES[1]), (HALVES[1], HALVES[0])] {
        if let (Some(place), None) = (place(half), place(other)) {
            let problem = format!("`{half}` is of no use without `{other}`");
            findings.add(Code::ClientCertificateHalf, place, problem, format!("add `{other}`, or remove `{half}`"));
        }
    }
}

/// Without anything to wait for, whatever answers would pass.
fn report_no_reply(raw: &RawCheck, findings: &mut Findings) {
    let Some(kind) = raw.kind.as_ref().filter(|kind| kind.value == CheckKind::SendExpect) else { return };
    if !is_typed(raw, "reply") && !is_typed(raw, "reply_hex") {
        let fix = "add `reply`, a part of what a good server answers, for example `reply = \"PONG\"`";
        findings.add(Code::MissingKey, &kind.place, "a check of this type needs `reply`", fix);
    }
}
