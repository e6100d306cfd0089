//! Which port of a server a connection ends at.

use std::num::NonZeroU16;

use crate::diagnostic::Code;
use crate::findings::Findings;
use crate::model::backend::{NamedServer, Server};
use crate::model::frontend::{Frontend, PortRoute, Protocol};
use crate::toml::backends::{RawBackend, RawServer};
use crate::toml::frontends::RawFrontend;

/// The port of a server that `route` leads to: the frontend's map, else the server's own, else the same as it listens on.
fn reached(route: &PortRoute, own: Option<NonZeroU16>) -> NonZeroU16 {
    route.server.or(own).unwrap_or(route.listen)
}

/// The server with every port that `frontends` lead to, for its check: those of UDP only where there are no others, since a check connects.
pub(super) fn with_serving_ports(mut server: Server, frontends: &[&Frontend]) -> Server {
    server.serving_ports = ports_of(server.port, frontends);
    server
}

fn ports_of(own: Option<NonZeroU16>, frontends: &[&Frontend]) -> Vec<NonZeroU16> {
    let has_connections = frontends.iter().any(|frontend| frontend.protocol == Protocol::Tcp);
    let asked = frontends.iter().filter(|frontend| !has_connections || frontend.protocol == Protocol::Tcp);
    let routes = asked.flat_map(|frontend| &frontend.ports);
    let mut ports: Vec<_> = routes.map(|route| reached(route, own)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The same for what a name tells.
pub(super) fn of_named(mut named: NamedServer, frontends: &[&Frontend]) -> NamedServer {
    named.serving_ports = ports_of(named.port, frontends);
    named
}

/// Reports where a server's own port and the ports of the frontends cannot both be meant; one finding per frontend.
pub(super) fn report(backend: &RawBackend, users: &[&RawFrontend], findings: &mut Findings) {
    let Some(servers) = &backend.servers else { return };
    for user in users {
        let unused = servers.list.iter().any(|server| report_unused_map(server, user, findings));
        if !unused {
            let _ = servers.list.iter().any(|server| report_shared_port(server, user, findings));
        }
    }
}

fn report_unused_map(server: &RawServer, user: &RawFrontend, findings: &mut Findings) -> bool {
    let Some(own) = &server.port else { return false };
    let mapped = user.ports.iter().filter_map(|port| port.server.as_ref().map(|target| (port, target)));
    let Some((port, target)) = mapped.into_iter().find(|(_, target)| target.value != own.value) else { return false };
    let (own_port, listen, target_port) = (own.value, port.listen.value, target.value);
    let problem =
        format!("port {own_port} is never used: frontends.{} sends {listen} to {target_port}", user.name.value);
    let fix = format!("leave the port out: \"{}\"", server.address.value);
    findings.add(Code::PortMapUnused, &own.place, problem, fix);
    findings.because(&target.place, "mapped here");
    true
}

fn report_shared_port(server: &RawServer, user: &RawFrontend, findings: &mut Findings) -> bool {
    let Some(own) = &server.port else { return false };
    let plain: Vec<_> = user.ports.iter().filter(|port| port.server.is_none()).map(|port| port.listen.value).collect();
    let [first, second, ..] = plain[..] else { return false };
    let (name, port) = (&user.name.value, own.value);
    let problem = format!("{first} and {second} of frontends.{name} would both end at port {port} of this server");
    let address = &server.address.value;
    let fix = format!(
        "leave the port out (\"{address}\") so that server ports follow, or map them in frontends.{name}: \
         `ports = {{ {first} = {port}, {second} = ... }}`"
    );
    findings.add(Code::PortsShareServerPort, &own.place, problem, fix);
    if let Some(port) = user.ports.first() {
        findings.because(&port.listen.place, "these ports");
    }
    true
}
