//! What listens where nothing real does: whatever a flow leads to answers, and the API and Traefik speak TLS.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use fmc_provision::flow::flows;
use fmc_provision::inventory::{Protocol, Role};
use fmc_provision::lab::Machine;
use serde::Deserialize;

use super::{HYPERVISOR, OUTSIDE, Rehearsal};
use crate::binaries::beside;
use crate::process::Spawn;

const API: u16 = 6443;
/// Somewhere on the Internet that every machine may call.
pub(super) const ANYWHERE: u16 = 443;

/// What of a node's configuration others see.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Node {
    /// Where it joins; without it, it begins the cluster.
    pub(super) server: Option<String>,
    #[serde(default)]
    tls_san: Vec<String>,
}

impl Rehearsal {
    /// The rendered configuration of K3s on a machine.
    pub(super) fn node(&self, machine: &Machine) -> Node {
        let text = self.of_machine(machine, "/etc/rancher/k3s/config.yaml");
        serde_norway::from_str(&text).unwrap_or_else(|error| panic!("config.yaml of {}: {error}", machine.name))
    }

    /// The stand-ins of a machine begin.
    pub(super) fn start_stand_ins(&mut self, name: &str) {
        let words = match self.described.machines.iter().find(|machine| machine.name.as_str() == name) {
            Some(machine) => self.words(&machine.clone()),
            None if name == OUTSIDE => vec![format!("echo=0.0.0.0:{ANYWHERE}")],
            None => self.ports(self.described.host_address).into_iter().map(|it| format!("echo={it}")).collect(),
        };
        let spawn = Spawn::new(beside("fmc-testbed"), self.log(&format!("{name}.stand-ins"))).args([name]).args(words);
        let process = self.host(name).spawn(spawn);
        self.keep(&stand_ins(name), process);
    }

    /// They end: the machine refuses connections, as after a crash.
    pub(super) fn stop_stand_ins(&mut self, name: &str) {
        self.stop(&stand_ins(name));
    }

    /// Everybody whose stand-ins depend on no cluster.
    pub(super) fn start_other_stand_ins(&mut self) {
        let machines = self.described.machines.iter().filter(|machine| !machine.is_node());
        let names: Vec<_> = machines.map(|machine| machine.name.to_string()).collect();
        for name in names.iter().map(String::as_str).chain([HYPERVISOR, OUTSIDE]) {
            self.start_stand_ins(name);
        }
    }

    fn words(&self, machine: &Machine) -> Vec<String> {
        let mut words = Vec::new();
        let tls = self.tls_ports(machine);
        if !tls.is_empty() {
            let names = self.certificate_names(machine);
            let files = self.authority.sign_into(&self.directory, machine.name.as_str(), &names);
            words.push(format!("certificate={}", files.certificate.display()));
            words.push(format!("key={}", files.key.display()));
        }
        let real = real(machine, self.described.monitoring.as_ref().map(|it| it.balancer_port.get()));
        for at in self.ports(machine.address()) {
            let port = at.port();
            match () {
                () if real.contains(&port) => {}
                () if tls.contains(&port) => words.push(format!("k3s={at}")),
                () if self.is_web(machine, port) => words.push(format!("http={at}")),
                () => words.push(format!("echo={at}")),
            }
        }
        words
    }

    /// Every TCP port of an address that a flow leads to.
    fn ports(&self, address: Ipv4Addr) -> Vec<std::net::SocketAddrV4> {
        let flows = flows(&self.described).into_iter();
        let flows = flows.filter(|flow| flow.protocol == Protocol::Tcp && flow.to.contains(&address));
        let ports: BTreeMap<u16, ()> = flows.flat_map(|flow| flow.ports).map(|port| (port, ())).collect();
        ports.into_keys().map(|port| std::net::SocketAddrV4::new(address, port)).collect()
    }

    fn served_by<'a>(&'a self, machine: &'a Machine) -> impl Iterator<Item = (u16, u16)> + 'a {
        let services = self.described.vips.iter().flat_map(|vip| &vip.services);
        services.filter(|service| machine.is(service.to)).flat_map(|service| service.ports.iter().copied())
    }

    fn is_web(&self, machine: &Machine, port: u16) -> bool {
        self.served_by(machine).any(|(_, server)| server == port)
    }

    fn tls_ports(&self, machine: &Machine) -> Vec<u16> {
        self.served_by(machine)
            .filter(|(port, server)| *port == 443 || *server == API)
            .map(|(_, server)| server)
            .collect()
    }

    fn certificate_names(&self, machine: &Machine) -> Vec<String> {
        let mut names = vec![machine.address().to_string(), self.described.site.domain.to_string()];
        names.extend(self.node(machine).tls_san);
        names
    }
}

fn stand_ins(name: &str) -> String {
    format!("{name}: stand-ins")
}

/// The ports at which the real program listens.
fn real(machine: &Machine, metrics: Option<u16>) -> Vec<u16> {
    let roles = [(Role::Dns, 53), (Role::Postgresql, 5432), (Role::Nfs, 2049)];
    let services = roles.into_iter().filter(|(role, _)| machine.is(*role)).map(|(_, port)| port);
    services.chain(metrics.filter(|_| machine.is(Role::Balancer))).collect()
}
