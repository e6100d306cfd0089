//! What a frontend of UDP has no use for, and what only one of UDP has.

use std::time::Duration;

use crate::diagnostic::Code;
use crate::findings::Findings;
use crate::model::frontend::Protocol;
use crate::profile;
use crate::toml::backends::RawBackend;
use crate::toml::frontends::RawFrontend;

/// What it speaks: TCP, unless it says otherwise.
pub(super) fn of(raw: &RawFrontend) -> Protocol {
    raw.protocol.as_ref().map_or(Protocol::Tcp, |typed| typed.value)
}

/// How long a flow may be without a datagram.
pub(super) fn flow_idle(raw: &RawFrontend) -> Duration {
    raw.flow_idle.as_ref().map_or(profile::FLOW_IDLE, |typed| typed.value)
}

/// Reports the keys that mean something to the other protocol alone.
pub(super) fn report_other_keys(raw: &RawFrontend, findings: &mut Findings) {
    let (problem, fix) = match of(raw) {
        Protocol::Udp => ("is for connections, and UDP has none", "remove it, or `protocol = \"udp\"`"),
        Protocol::Tcp => {
            ("is for UDP, and this frontend speaks TCP", "add `protocol = \"udp\"`, or use `idle_timeout`")
        }
    };
    for (key, place) in raw.keys.iter().filter(|(key, _)| is_foreign(of(raw), key)) {
        findings.add(Code::OtherProtocolKey, place, format!("`{key}` {problem}"), fix);
    }
}

/// A check that cannot pass would take the address off every node.
pub(super) fn report_check_unsaid(backend: &RawBackend, users: &[&RawFrontend], findings: &mut Findings) {
    let is_said = backend.check.typed.iter().any(|(option, _)| ["track", "type", "port", "command"].contains(option));
    let port = users.iter().filter(|user| of(user) == Protocol::Udp).flat_map(|user| &user.ports).next();
    let only_udp = users.iter().all(|user| of(user) == Protocol::Udp);
    if let (Some(port), false, true) = (port, is_said, only_udp) {
        let listen = port.listen.value;
        let problem = format!("only UDP leads here (port {listen}), and the check would connect by TCP");
        let fix = "say how to ask: `check = { type = \"tcp\" }` where the servers answer TCP on the same port (DNS, HTTP/3), `check = { port = 22 }` for another one, or `type = \"command\"`";
        findings.add(Code::UdpCheckUnsaid, &backend.place, problem, fix);
        findings.because(&port.listen.place, "this port");
    }
}

fn is_foreign(protocol: Protocol, key: &str) -> bool {
    const OF_CONNECTIONS: [&str; 14] = [
        "profile",
        "accept_proxy",
        "preface_timeout",
        "routes",
        "bandwidth",
        "bandwidth_per_connection",
        "idle_timeout",
        "max_age",
        "record_every",
        "half_close_timeout",
        "keepalive",
        "user_timeout",
        "client_user_timeout",
        "when_no_server",
    ];
    match protocol {
        Protocol::Udp => OF_CONNECTIONS.contains(&key),
        Protocol::Tcp => key == "flow_idle",
    }
}
