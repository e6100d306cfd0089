//! Who may reach what: the firewall is written by it, the flow matrix is asked by it.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::inventory::{Protocol, Role};
use crate::lab::{Client, Lab, Machine};

/// Some may reach some ports of some addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Who; `None` is everybody.
    pub from: Option<Vec<Ipv4Net>>,
    /// Where.
    pub to: Vec<Ipv4Addr>,
    /// Of the transport.
    pub protocol: Protocol,
    /// The ports.
    pub ports: Vec<u16>,
    /// Why, in a few words.
    pub purpose: String,
}

impl Flow {
    /// Whether it lets `from` reach `port` of `to` by TCP.
    pub fn lets(&self, from: Ipv4Addr, to: Ipv4Addr, port: u16) -> bool {
        let known = self.from.as_ref().is_none_or(|from_any| from_any.iter().any(|prefix| prefix.contains(&from)));
        known && self.protocol == Protocol::Tcp && self.to.contains(&to) && self.ports.contains(&port)
    }
}

/// The kubelet, etcd's two, the API, and VXLAN of flannel (K3s, "Inbound Rules for K3s Nodes").
const KUBELET: u16 = 10250;
const ETCD: [u16; 2] = [2379, 2380];
const API: u16 = 6443;
const VXLAN: u16 = 8472;
/// Between balancers: `[pair] port` of their configuration, as it is when nothing is typed.
const HEARTBEATS: u16 = 1112;

/// Every flow of the lab; what no flow lets through is refused wherever the hypervisor stands between.
pub fn flows(lab: &Lab) -> Vec<Flow> {
    let mut flows = Flows { lab, list: Vec::new() };
    flows.administration();
    flows.virtual_addresses();
    flows.balancers();
    flows.cluster();
    flows.services();
    flows.monitoring();
    flows.tunnel();
    flows
        .list
        .into_iter()
        .filter(|flow| !flow.to.is_empty() && flow.from.as_ref().is_none_or(|from| !from.is_empty()))
        .collect()
}

struct Flows<'a> {
    lab: &'a Lab,
    list: Vec<Flow>,
}

impl<'a> Flows<'a> {
    fn tcp(&mut self, from: Vec<Ipv4Net>, to: Vec<Ipv4Addr>, ports: &[u16], purpose: impl Into<String>) {
        self.add(Some(from), to, Protocol::Tcp, ports, purpose);
    }

    fn add(
        &mut self,
        from: Option<Vec<Ipv4Net>>,
        to: Vec<Ipv4Addr>,
        protocol: Protocol,
        ports: &[u16],
        purpose: impl Into<String>,
    ) {
        let (from, mut to) = (from.map(apart), to);
        to.sort_unstable();
        self.list.push(Flow { from, to, protocol, ports: ports.to_vec(), purpose: purpose.into() });
    }

    fn administration(&mut self) {
        let who = self.lab.administrators.clone();
        let machines = self.lab.machines.iter().map(Machine::address).collect();
        self.tcp(who.clone(), vec![self.lab.host_address], &[22, 3389], "administrators: the hypervisor");
        self.tcp(who.clone(), machines, &[22], "administrators: ssh");
        self.tcp(who, own(self.lab.with_role(Role::Server)), &[API], "administrators: each server's own API");
    }

    fn virtual_addresses(&mut self) {
        let lab = self.lab;
        let balancers = all(lab.with_role(Role::Balancer));
        for vip in &lab.vips {
            for service in &vip.services {
                let (ports, servers): (Vec<_>, Vec<_>) = service.ports.iter().copied().unzip();
                let clients = match vip.expose.contains(&Client::Internet) {
                    true => lab.beyond_cdn(),
                    false => Some(Vec::new()),
                };
                let clients = clients.map(|mut clients| {
                    clients.extend(vip.expose.iter().filter_map(Client::prefix));
                    clients
                });
                self.add(clients, vec![vip.address], Protocol::Tcp, &ports, format!("clients: {}", service.name));
                let to = own(lab.with_role(service.to));
                self.tcp(balancers.clone(), to, &servers, format!("balancers: {}", service.name));
            }
        }
    }

    /// Adverts stay within a network; heartbeats are between the nodes' own addresses, which may be in several.
    fn balancers(&mut self) {
        let balancers = || self.lab.with_role(Role::Balancer);
        let to = balancers().flat_map(|machine| &machine.nics).map(|nic| nic.address).collect();
        self.add(Some(all(balancers())), to, Protocol::Udp, &[HEARTBEATS], "balancers: heartbeats");
    }

    fn cluster(&mut self) {
        if self.lab.k3s.is_none() {
            return;
        }
        let nodes: Vec<_> = self.lab.machines.iter().filter(|machine| machine.is_node()).collect();
        let servers = || self.lab.with_role(Role::Server);
        let (from, to) = (all(nodes.iter().copied()), own(nodes.iter().copied()));
        self.tcp(all(servers()), own(servers()), &ETCD, "servers: etcd");
        self.tcp(from.clone(), own(servers()), &[API], "nodes: the API");
        self.tcp(from.clone(), to.clone(), &[KUBELET], "nodes: kubelets");
        self.add(Some(from), to, Protocol::Udp, &[VXLAN], "nodes: pods of other nodes");
    }

    fn services(&mut self) {
        let lab = self.lab;
        let machines = all(lab.machines.iter());
        let askers: Vec<_> = machines.iter().chain(&lab.administrators).copied().collect();
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            self.add(Some(askers.clone()), own(lab.with_role(Role::Dns)), protocol, &[53], "names");
        }
        self.add(Some(machines), own(lab.with_role(Role::Ntp)), Protocol::Udp, &[123], "time");
        for export in &lab.exports {
            let to = lab.machine(&export.machine).map(Machine::address).into_iter().collect();
            self.tcp(lab.addresses_of(&export.clients), to, &[2049], format!("NFS: {}", export.path));
        }
        for (name, database) in lab.postgresql.iter().flat_map(|postgresql| &postgresql.databases) {
            let to = own(lab.with_role(Role::Postgresql));
            self.tcp(lab.addresses_of(&database.clients), to, &[5432], format!("PostgreSQL: {name}"));
        }
    }

    fn monitoring(&mut self) {
        let Some(monitoring) = &self.lab.monitoring else { return };
        let from = self.lab.addresses_of(&monitoring.from);
        let balancers = own(self.lab.with_role(Role::Balancer));
        self.tcp(from.clone(), balancers, &[monitoring.balancer_port.get()], "Prometheus: balancers");
        if let Some(port) = monitoring.node_port {
            let host = std::iter::once(self.lab.host_address);
            let to = host.chain(self.lab.machines.iter().map(Machine::address)).collect();
            self.tcp(from, to, &[port.get()], "Prometheus: machines");
        }
    }

    fn tunnel(&mut self) {
        if let (Some(server), Some(vpn)) = (self.lab.vpn_server_address(), &self.lab.vpn) {
            self.add(None, vec![server], Protocol::Udp, &[vpn.port.get()], "WireGuard");
        }
    }
}

/// Each prefix that is in no other: what overlaps is an error in a set of nftables.
pub(crate) fn apart(mut prefixes: Vec<Ipv4Net>) -> Vec<Ipv4Net> {
    prefixes.sort_unstable();
    prefixes.dedup();
    let all = prefixes.clone();
    prefixes.retain(|prefix| !all.iter().any(|other| other != prefix && other.contains(prefix)));
    prefixes
}

impl Client {
    fn prefix(&self) -> Option<Ipv4Net> {
        match self {
            Self::Internet => None,
            Self::Prefix(prefix) => Some(*prefix),
        }
    }
}

/// The first address of each: where it is reached.
fn own<'a>(machines: impl Iterator<Item = &'a Machine>) -> Vec<Ipv4Addr> {
    machines.map(Machine::address).collect()
}

/// Every address of each: what it may call from.
fn all<'a>(machines: impl Iterator<Item = &'a Machine>) -> Vec<Ipv4Net> {
    machines.flat_map(|machine| &machine.nics).map(|nic| nic.address.into()).collect()
}
