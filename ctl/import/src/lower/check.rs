//! How the servers of a backend are checked.

use std::time::Duration;

use super::span;
use crate::draft::Check;
use crate::haproxy::proxy::{Proxy, Timeout};
use crate::haproxy::server::Options;
use crate::haproxy::{Haproxy, Statement};
use crate::ledger::{At, Code, Ledger};

/// HAProxy's defaults (configuration.txt 5.2), which are ours too.
const INTERVAL: Duration = Duration::from_secs(2);
const FALL: u8 = 3;

/// Fills `check`; `false`: what is asked of the servers cannot be asked here, and was refused.
pub(super) fn read(
    haproxy: &Haproxy,
    proxy: &Proxy,
    profile: Option<&'static str>,
    check: &mut Check,
    ledger: &mut Ledger,
) -> bool {
    let settings = &proxy.settings;
    if let Some(other) = tracked(haproxy, proxy) {
        check.track = Some(other);
        return true;
    }
    let of = |options: &Options| Timing::of(options);
    let Some(first) = settings.servers.first() else { return true };
    let timing = of(&first.options);
    for server in settings.servers.iter().filter(|server| of(&server.options) != timing) {
        ledger.changed(
            server.at,
            format!("inter, rise, fall and port of a check are the backend's here: those of {}", first.name),
        );
    }
    timing.into_check(check);
    if let Some(timeout) = settings.timeouts.get(&Timeout::Check) {
        let range = (Duration::from_millis(10), Duration::from_secs(60));
        check.timeout = Some(span::time_within(timeout, range, "timeout of the check", ledger));
    }
    slow(&first.options, first.at, ledger);
    let over_tls = settings.servers.iter().any(|server| server.options.check_ssl);
    asked(proxy, profile, over_tls, first.options.check_sni.as_ref(), check, ledger)
}

/// The numbers of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Timing {
    interval: Option<Duration>,
    fast_interval: Option<Duration>,
    rise: Option<u8>,
    fall: Option<u8>,
    port: Option<u16>,
}

impl Timing {
    fn of(options: &Options) -> Self {
        let &Options { interval, fast_interval, rise, fall, check_port: port, .. } = options;
        Self { interval, fast_interval, rise, fall, port }
    }

    fn into_check(self, check: &mut Check) {
        let interval = self.interval.map(|span| span.clamp(Duration::from_millis(100), Duration::from_secs(3600)));
        let fast = self.fast_interval.map(|span| span.clamp(Duration::from_millis(50), interval.unwrap_or(INTERVAL)));
        check.interval = interval.filter(|interval| *interval != INTERVAL).map(span::text);
        check.fast_interval = fast.map(span::text);
        check.rise = self.rise.filter(|rise| *rise != 2).map(|rise| rise.clamp(1, 100));
        check.fall = self.fall.filter(|fall| *fall != FALL).map(|fall| fall.clamp(1, 100));
        check.port = self.port.filter(|port| *port != 0);
    }
}

/// Without `fastinter` each of the failures takes a whole interval.
fn slow(options: &Options, at: At, ledger: &mut Ledger) {
    let interval = options.interval.unwrap_or(INTERVAL);
    let longest = interval * u32::from(options.fall.unwrap_or(FALL));
    if options.check && options.fast_interval.is_none() && longest > Duration::from_secs(6) {
        let problem = format!("a dead server gets clients for up to {}", span::text(longest));
        ledger.lint(
            Code::SlowDetection,
            at,
            problem,
            "here a client's failure asks at once, and a changing verdict is asked for each 300 ms (fast_interval)",
        );
    }
}

/// All servers follow those of one other backend, by name.
fn tracked(haproxy: &Haproxy, proxy: &Proxy) -> Option<String> {
    let targets: Vec<_> = proxy.settings.servers.iter().map(|server| server.options.track.as_deref()).collect();
    let (backend, _) = targets.first()?.as_ref()?.split_once('/')?;
    let same = proxy
        .settings
        .servers
        .iter()
        .all(|server| server.options.track.as_deref() == Some(&format!("{backend}/{}", server.name)));
    let exists = haproxy.proxies.iter().any(|other| other.name == backend && other.kind.has_servers());
    (same && exists).then(|| crate::draft::name(backend))
}

/// What is asked.
fn asked(
    proxy: &Proxy,
    profile: Option<&'static str>,
    over_tls: bool,
    name: Option<&String>,
    check: &mut Check,
    ledger: &mut Ledger,
) -> bool {
    let (settings, is_api) = (&proxy.settings, profile == Some("k8s-api"));
    let kind = settings.check.as_ref().map_or("", |said| said.word(1));
    if kind == "httpchk" {
        return http(settings.check.as_ref(), &settings.check_steps, over_tls, name, check, ledger);
    }
    let Some(said) = &settings.check else {
        let words = "is a step of a check that no option asks for";
        settings.check_steps.iter().for_each(|step| ledger.dropped(step.at, words));
        shallow(proxy, is_api, None, ledger);
        if over_tls && !is_api {
            check.kind = Some("tls");
        }
        return true;
    };
    match kind {
        "tcp-check" if !settings.check_steps.is_empty() => {
            ledger.kept(said.at, "type of the check");
            return dialogue(&settings.check_steps, check, ledger);
        }
        "tcp-check" => shallow(proxy, is_api, Some(said.at), ledger),
        "ssl-hello-chk" => hello(said.at, is_api, check, ledger),
        "redis-check" => {
            (check.kind, check.send, check.reply) =
                (Some("send-expect"), Some("PING\r\n".to_owned()), Some("PONG".to_owned()));
            ledger.kept(said.at, "type = \"send-expect\": PING, PONG");
        }
        "smtpchk" => {
            (check.kind, check.reply) = (Some("send-expect"), Some("220".to_owned()));
            ledger.changed(said.at, "type = \"send-expect\": the server's greeting, 220");
        }
        other => {
            ledger.changed(
                said.at,
                format!("a connection alone: {other} is not spoken; a program of yours may ask (type = \"command\")"),
            );
            ledger.lint(
                Code::ShallowCheck,
                said.at,
                "a server that hangs accepts connections, and passes",
                "write a program that asks, and name it in the check",
            );
        }
    }
    true
}

fn hello(at: At, is_api: bool, check: &mut Check, ledger: &mut Ledger) {
    let problem = "the hello is one of SSLv3: a server of today refuses it, or logs an error for each check";
    ledger.lint(
        Code::SslHelloCheck,
        at,
        problem,
        "here a check completes a handshake of TLS 1.2 or 1.3, and closes it properly",
    );
    if is_api {
        ledger.changed(at, "the profile's check: /readyz with a token, else /ping, else TLS and any HTTP status");
    } else {
        check.kind = Some("tls");
        ledger.changed(at, "type = \"tls\"");
    }
}

/// A connection alone proves little; the API's profile asks more.
fn shallow(proxy: &Proxy, is_api: bool, at: Option<At>, ledger: &mut Ledger) {
    if !is_api {
        at.into_iter().for_each(|at| ledger.kept(at, "type = \"tcp\""));
        return;
    }
    at.into_iter().for_each(|at| {
        ledger.changed(at, "the profile's check: /readyz with a token, else /ping, else TLS and any HTTP status")
    });
    let problem = "an API server that hangs accepts connections and passes, and one that lives logs `TLS handshake error: EOF` for each check";
    let advice = "profile k8s-api completes TLS and asks; name a token or a client certificate for /readyz";
    ledger.lint(Code::ShallowCheck, at.unwrap_or(proxy.at), problem, advice);
}

/// `option httpchk` with `http-check` (configuration.txt 4.2).
fn http(
    option: Option<&Statement>,
    steps: &[Statement],
    over_tls: bool,
    name: Option<&String>,
    check: &mut Check,
    ledger: &mut Ledger,
) -> bool {
    let Some(option) = option else { return true };
    check.kind = Some(if over_tls { "https" } else { "http" });
    check.server_name = name.cloned();
    let words = option.from(2);
    let uri = match words {
        [] => None,
        [uri] => Some(uri.as_str()),
        [method, uri, ..] => {
            if method != "GET" {
                ledger.changed(option.at, format!("asked with GET instead of {method}"));
            }
            Some(uri.as_str())
        }
    };
    check.path = uri.filter(|uri| *uri != "/").map(str::to_owned);
    ledger.kept(option.at, "type and path of the check");
    // Every step is told of, also after one that does not fit.
    let fits: Vec<bool> = steps.iter().map(|step| http_step(step, check, ledger)).collect();
    fits.into_iter().all(|one| one)
}

fn http_step(step: &Statement, check: &mut Check, ledger: &mut Ledger) -> bool {
    match (step.word(1), step.word(2), step.word(3)) {
        ("expect", "status", statuses)
            if statuses.split(['-', ',']).all(|status| status.parse::<u16>().is_ok()) && !statuses.contains(',') =>
        {
            check.expect = Some(statuses.to_owned());
            ledger.kept(step.at, "expect of the check");
        }
        ("send", ..) => send(step, check, ledger),
        ("send-state" | "comment" | "disable-on-404", ..) => {
            ledger.dropped(step.at, "has no place here: drain a server with `fmc-lbctl drain`, or let its agent say so")
        }
        ("connect", ..) => {
            ledger.changed(step.at, "asked at the server's port, or that of `port`");
            if step.words.iter().any(|word| word == "ssl") {
                check.kind = Some("https");
            }
        }
        _ => {
            ledger.refuse(step.at, "a check asks for a path and a range of statuses: what the answer holds, a program may ask (type = \"command\")");
            return false;
        }
    }
    true
}

fn send(step: &Statement, check: &mut Check, ledger: &mut Ledger) {
    ledger.kept(step.at, "path and server_name of the check");
    let mut words = step.from(2).iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "uri" => check.path = words.next().map(str::to_owned),
            "hdr" => {
                let (header, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                if header.eq_ignore_ascii_case("host") {
                    check.server_name = Some(value.to_owned());
                } else {
                    ledger.changed(step.at, format!("without the header {header}"));
                }
            }
            "meth" if words.clone().next() == Some("GET") => {
                words.next();
            }
            "meth" => {
                ledger.changed(step.at, format!("asked with GET instead of {}", words.next().unwrap_or_default()))
            }
            "ver" => {
                words.next();
            }
            other => ledger.changed(step.at, format!("without {other}")),
        }
    }
}

/// `tcp-check`: something sent, something expected; no longer talk than that.
fn dialogue(steps: &[Statement], check: &mut Check, ledger: &mut Ledger) -> bool {
    check.kind = Some("send-expect");
    let mut whole = true;
    for step in steps {
        let value = step.word(step.words.len().saturating_sub(1)).to_owned();
        let asked = check.send.is_some() || check.send_hex.is_some();
        let answered = check.reply.is_some() || check.reply_hex.is_some();
        match (step.word(1), step.word(2)) {
            ("send", _) if !asked && !answered => check.send = Some(step.word(2).to_owned()),
            ("send-binary", _) if !asked && !answered => check.send_hex = Some(step.word(2).to_owned()),
            ("expect", "string") if !answered => check.reply = Some(value),
            ("expect", "binary") if !answered => check.reply_hex = Some(value),
            ("connect", "") | ("comment", _) => {}
            _ => {
                ledger.refuse(
                    step.at,
                    "a check sends once and expects once; a longer talk is a program's (type = \"command\")",
                );
                whole = false;
                continue;
            }
        }
        ledger.kept(step.at, "send and reply of the check");
    }
    if whole && check.reply.is_none() && check.reply_hex.is_none() {
        (check.kind, check.send, check.send_hex) = (Some("tcp"), None, None);
        steps.iter().for_each(|step| ledger.changed(step.at, "type = \"tcp\": nothing is expected"));
    }
    whole
}
