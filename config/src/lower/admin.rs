//! The status page: where it listens, and who may look.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::diagnostic::Code;
use crate::findings::{Findings, Located};
use crate::model::frontend::Frontend;
use crate::model::service::{Admin, Listen};
use crate::toml::service::RawAdmin;

/// Beside the node exporter's 9100, where a Prometheus looks for exporters.
const LISTEN: Listen = Listen::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9109));

/// The status page with every default filled in.
pub(super) fn lower(raw: &RawAdmin, frontends: &[Frontend], findings: &mut Findings) -> Admin {
    let typed = raw.listen.as_deref().unwrap_or_default();
    for (at, listen) in typed.iter().enumerate() {
        report_open(listen, raw, findings);
        report_port(listen, frontends, findings);
        report_twice(listen, &typed[..at], findings);
    }
    Admin {
        listen: raw
            .listen
            .as_ref()
            .map_or_else(|| vec![LISTEN], |list| list.iter().map(|listen| listen.value).collect()),
        allow: raw.allow.clone(),
    }
}

fn report_open(listen: &Located<Listen>, raw: &RawAdmin, findings: &mut Findings) {
    let loopback = matches!(listen.value, Listen::Address(address) if address.ip().is_loopback());
    if !loopback && !raw.allow_typed {
        let problem = format!("everyone who reaches {} could read the state of the balancer", listen.value);
        let fix = "add `allow = [\"192.168.0.0/24\"]` with the networks that may look";
        findings.add(Code::AdminOpen, &listen.place, problem, fix);
    }
}

fn report_port(listen: &Located<Listen>, frontends: &[Frontend], findings: &mut Findings) {
    // No frontend listens on a node's own address.
    let Listen::Address(address) = listen.value else { return };
    let (ip, port) = (address.ip(), address.port());
    let meets = |frontend: &&Frontend| {
        let ports = frontend.ports.iter().any(|route| route.listen.get() == port);
        ports && (ip.is_unspecified() || ip == IpAddr::V4(frontend.address))
    };
    if let Some(frontend) = frontends.iter().find(meets) {
        let problem =
            format!("port {port} is already listened on by frontends.{} on {}", frontend.name, frontend.address);
        let fix = "use another port, for example 9109, or each node's own address, for example \"node:9109\"";
        findings.add(Code::AdminPortTaken, &listen.place, problem, fix);
    }
}

fn report_twice(listen: &Located<Listen>, earlier: &[Located<Listen>], findings: &mut Findings) {
    if let Some(first) = earlier.iter().find(|other| other.value == listen.value) {
        let problem = format!("{} is already listened on by the status page", listen.value);
        findings.add(Code::ListenAddressTaken, &listen.place, problem, "write each address once");
        findings.because(&first.place, "first said here");
    }
}
