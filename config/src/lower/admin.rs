//! The status page and remote administration: where they listen, who may look, and who may command.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::path::PathBuf;

use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::frontend::{Frontend, Protocol};
use crate::model::service::{Admin, Listen, Remote};
use crate::toml::service::{RawAdmin, RawRemote};

/// Beside the node exporter's 9100, where a Prometheus looks for exporters.
const LISTEN: Listen = Listen::Address(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9109));

/// Beside the status page.
const REMOTE: Listen = Listen::Node(NonZeroU16::new(9110).expect("9110 is not 0"));

/// The status page with every default filled in.
pub(super) fn lower(raw: &RawAdmin, frontends: &[Frontend], findings: &mut Findings) -> Admin {
    let typed = raw.listen.as_deref().unwrap_or_default();
    report_doors(typed, &[], frontends, findings);
    for listen in typed.iter().filter(|listen| is_open(listen.value) && !raw.allow_typed) {
        report_open(&listen.place, listen.value, "could read the state of the balancer", findings);
    }
    Admin {
        listen: values(raw.listen.as_deref(), LISTEN),
        allow: raw.allow.clone(),
        remote: raw.remote.as_ref().and_then(|remote| self::remote(remote, typed, frontends, findings)),
    }
}

fn remote(
    raw: &RawRemote,
    status: &[Located<Listen>],
    frontends: &[Frontend],
    findings: &mut Findings,
) -> Option<Remote> {
    let typed = raw.listen.as_deref().unwrap_or_default();
    report_doors(typed, status, frontends, findings);
    let listen = values(raw.listen.as_deref(), REMOTE);
    for open in listen.iter().filter(|listen| is_open(**listen) && !raw.allow_typed) {
        let place = typed.iter().find(|typed| typed.value == *open).map_or(&raw.place, |typed| &typed.place);
        report_open(place, *open, "could try to command the balancer", findings);
    }
    if !raw.credential_typed {
        let problem = "nobody could show that he may command";
        let fix = "add `token_file = \"/etc/fmc-lb/admin.tokens\"`, or `client_ca_file`, or both";
        findings.add(Code::RemoteWithoutCredential, &raw.place, problem, fix);
    }
    let path = |typed: &Option<Located<PathBuf>>| typed.as_ref().map(|typed| typed.value.clone());
    Some(Remote {
        listen,
        cert_file: path(&raw.cert_file)?,
        key_file: path(&raw.key_file)?,
        token_file: path(&raw.token_file),
        client_ca_file: path(&raw.client_ca_file),
        allow: raw.allow.clone(),
    })
}

fn values(typed: Option<&[Located<Listen>]>, default: Listen) -> Vec<Listen> {
    typed.map_or_else(|| vec![default], |list| list.iter().map(|listen| listen.value).collect())
}

/// Of `typed`, those that meet a frontend, one another or one of `others`.
fn report_doors(
    typed: &[Located<Listen>],
    others: &[Located<Listen>],
    frontends: &[Frontend],
    findings: &mut Findings,
) {
    for (at, listen) in typed.iter().enumerate() {
        report_port(listen, frontends, findings);
        report_twice(listen, others.iter().chain(&typed[..at]), findings);
    }
}

fn is_open(listen: Listen) -> bool {
    !matches!(listen, Listen::Address(address) if address.ip().is_loopback())
}

fn report_open(place: &Place, listen: Listen, what: &str, findings: &mut Findings) {
    let problem = format!("everyone who reaches {listen} {what}");
    let fix = "add `allow = [\"192.168.0.0/24\"]` with the networks that may look";
    findings.add(Code::AdminOpen, place, problem, fix);
}

fn report_port(listen: &Located<Listen>, frontends: &[Frontend], findings: &mut Findings) {
    // No frontend listens on a node's own address.
    let Listen::Address(address) = listen.value else { return };
    let (ip, port) = (address.ip(), address.port());
    let meets = |frontend: &&Frontend| {
        let ports = frontend.protocol == Protocol::Tcp && frontend.ports.iter().any(|route| route.listen.get() == port);
        ports && (ip.is_unspecified() || ip == frontend.address)
    };
    if let Some(frontend) = frontends.iter().find(meets) {
        let problem =
            format!("port {port} is already listened on by frontends.{} on {}", frontend.name, frontend.address);
        let fix = "use another port, for example 9109, or each node's own address, for example \"node:9109\"";
        findings.add(Code::AdminPortTaken, &listen.place, problem, fix);
    }
}

fn report_twice<'a>(
    listen: &Located<Listen>,
    mut earlier: impl Iterator<Item = &'a Located<Listen>>,
    findings: &mut Findings,
) {
    if let Some(first) = earlier.find(|other| other.value == listen.value) {
        let problem = format!("{} is already listened on by the status page", listen.value);
        findings.add(Code::ListenAddressTaken, &listen.place, problem, "write each address once");
        findings.because(&first.place, "first said here");
    }
}
