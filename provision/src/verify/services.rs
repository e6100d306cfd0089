//! What is neither open nor shut: owners, names, time, routes, certificates, exports, databases.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::{Expectation, Seat, What};
use crate::flow::flows;
use crate::inventory::Role;
use crate::lab::{Machine, Vip};
use crate::render::machine::names::{addresses, hosts_in_full};

pub(super) fn routes(seat: &Seat<'_>) -> Vec<Expectation> {
    let routes = match seat.machine() {
        Some(machine) => seat.lab.routes(machine),
        None if seat.is_host() => seat.lab.host_routes(),
        None => Vec::new(),
    };
    let expectation = |route: crate::lab::Route| {
        let what = What::Route { to: route.to, via: route.via };
        Expectation::new(what, "the networks that are not its own", "`ip route` here")
    };
    routes.into_iter().map(expectation).collect()
}

pub(super) fn owners(seat: &Seat<'_>) -> Vec<Expectation> {
    let owner = |vip: &Vip| {
        let network = seat.lab.network_of(vip.address)?;
        let balancers = seat.lab.balancers();
        let nic = |machine: &&Machine| {
            let nic = machine.nics.iter().find(|nic| nic.network == network.name)?;
            Some((nic.mac.to_lowercase(), machine.name.clone()))
        };
        let balancers = balancers.iter().filter_map(nic).collect();
        let what = What::Owner { vip: vip.name.clone(), address: vip.address, balancers };
        let here = seat.vantage.own.iter().any(|own| network.prefix.contains(own) && *own != vip.address);
        let unjudged = (!here).then(|| format!("ask from the network {}", network.name));
        let look = format!("`fmc-lbctl status` on {}", seat.balancers());
        Some(Expectation::new(what, "one owner, and that a balancer", look).unless(unjudged))
    };
    seat.lab.vips.iter().filter_map(owner).collect()
}

pub(super) fn names(seat: &Seat<'_>) -> Vec<Expectation> {
    let mut all = Vec::new();
    for server in seat.with_role(Role::Dns).filter(|server| is_let(seat, server.address(), 53)) {
        let look = |file: &str| format!("/etc/coredns/db.{file} and `journalctl -u coredns` on {}", server.name);
        let server = server.address();
        for (name, address) in hosts_in_full(seat.lab) {
            let what = What::Name { server, name, address };
            all.push(Expectation::new(what, "a name of the lab", look(seat.lab.site.domain.as_str())));
        }
        for (address, name) in addresses(seat.lab) {
            let what = What::Reverse { server, address, name };
            all.push(Expectation::new(what, "the name of an address", look("*.in-addr.arpa")));
        }
    }
    all
}

pub(super) fn clocks(seat: &Seat<'_>) -> Vec<Expectation> {
    let servers = seat.with_role(Role::Ntp).filter(|server| seat.machine().is_some_and(|it| it.name != server.name));
    let clock = |server: &Machine| {
        let look = format!("`chronyc tracking` here and on {}", server.name);
        Expectation::new(What::Clock { server: server.address() }, "one time in the lab", look)
    };
    servers.map(clock).collect()
}

/// The API by its virtual address, each server's own, and what the Web shows.
pub(super) fn certificates(seat: &Seat<'_>) -> Vec<Expectation> {
    let mut all = Vec::new();
    let api = seat.lab.k3s.as_ref().and_then(|k3s| seat.lab.vip(&k3s.api));
    let api = api.into_iter().flat_map(|vip| ports(vip, 6443)).filter(|at| is_let(seat, *at.ip(), at.port()));
    for at in api {
        let unjudged =
            (!seat.vantage.has_ca).then(|| "name the cluster's CA with --kubeconfig or --cluster-ca".to_owned());
        let look = format!(
            "`tls-san` in /etc/rancher/k3s/config.yaml of the servers, `fmc-lbctl status` on {}",
            seat.balancers()
        );
        all.push(Expectation::new(What::Api { at }, "kubeconfig by the virtual address", look).unless(unjudged));
        all.push(age(at, None, "`k3s certificate check` on the servers"));
    }
    for server in seat.with_role(Role::Server).filter(|server| is_let(seat, server.address(), 6443)) {
        let look = format!("`k3s certificate check` on {}", server.name);
        all.push(age(SocketAddrV4::new(server.address(), 6443), None, &look));
    }
    let web = seat.lab.vips.iter().filter(|_| seat.lab.tls.is_some()).flat_map(|vip| ports_at(vip, 443));
    for at in web.filter(|at| is_let(seat, *at.ip(), at.port())) {
        all.push(age(at, Some(seat.lab.site.domain.to_string()), "the log of Traefik: its ACME challenge"));
    }
    all
}

fn age(at: SocketAddrV4, name: Option<String>, look: &str) -> Expectation {
    Expectation::new(What::Certificate { at, name }, "a certificate that is good for a while", look)
}

pub(super) fn exports(seat: &Seat<'_>) -> Vec<Expectation> {
    let export = |export: &crate::inventory::Export| {
        let server = seat.lab.machine(&export.machine)?.address();
        let from = seat.source(server).filter(|from| *from != server && seat.is_inside(*from))?;
        let shown = seat.lab.addresses_of(&export.clients).iter().any(|client| client.contains(&from));
        // Where the packet filter stands between, the port says it all.
        if !shown && seat.is_filtered(from, server) && !is_let(seat, server, 2049) {
            return None;
        }
        let what = What::Export { server, path: export.path.to_string(), shown };
        let clients: Vec<_> = export.clients.iter().map(ToString::to_string).collect();
        let look = format!("`exportfs -v` on {}", export.machine);
        Some(Expectation::new(what, format!("for {} alone", clients.join(", ")), look))
    };
    seat.lab.exports.iter().filter_map(export).collect()
}

pub(super) fn databases(seat: &Seat<'_>) -> Vec<Expectation> {
    let mut all = Vec::new();
    for server in seat.with_role(Role::Postgresql) {
        let to = server.address();
        let Some(from) = seat.source(to).filter(|from| *from != to && seat.is_inside(*from)) else { continue };
        for (name, database) in seat.lab.postgresql.iter().flat_map(|postgresql| &postgresql.databases) {
            let let_in = seat.lab.addresses_of(&database.clients).iter().any(|client| client.contains(&from));
            if !let_in && seat.is_filtered(from, to) && !is_let(seat, to, 5432) {
                continue;
            }
            let what = What::Database { server: to, database: name.clone(), let_in };
            let clients: Vec<_> = database.clients.iter().map(ToString::to_string).collect();
            let look = format!("/etc/fmc-lab/postgresql/pg_hba.conf on {}", server.name);
            all.push(Expectation::new(what, format!("for {} alone", clients.join(", ")), look));
        }
    }
    all
}

/// Whether a flow lets this place reach that port.
fn is_let(seat: &Seat<'_>, to: Ipv4Addr, port: u16) -> bool {
    let Some(from) = seat.source(to).filter(|from| *from != to && seat.is_inside(*from)) else { return false };
    flows(seat.lab).iter().any(|flow| flow.lets(from, to, port))
}

/// The ports of an address that lead to the servers' port.
fn ports(vip: &Vip, server_port: u16) -> Vec<SocketAddrV4> {
    let pairs = vip.services.iter().flat_map(|service| &service.ports);
    let pairs = pairs.filter(|(_, server)| *server == server_port);
    pairs.map(|(port, _)| SocketAddrV4::new(vip.address, *port)).collect()
}

fn ports_at(vip: &Vip, port: u16) -> Vec<SocketAddrV4> {
    let has = vip.services.iter().flat_map(|service| &service.ports).any(|(own, _)| *own == port);
    has.then(|| SocketAddrV4::new(vip.address, port)).into_iter().collect()
}
