//! The inventory under one address plan and one way in from the Internet: names resolved, every value the one that counts.

mod order;
mod resolve;
mod route;

pub use order::Edges;
pub(crate) use order::before;
pub(crate) use resolve::unknown;
pub use route::{Route, VpnServer};

use std::net::Ipv4Addr;

use fmc_config::findings::Findings;
use fmc_config::model::node::InterfaceName;
use ipnet::Ipv4Net;
use uuid::Uuid;

use crate::inventory::scalar::{Name, Range};
use crate::inventory::{
    Cloudflare, DataDisk, Dns, Export, Forward, Host, Image, Inventory, K3s, Monitoring, NetworkKind, Ntp, Outside,
    PostgreSql, Profile, ProxyProtocol, Role, Site, Tls, Vpn,
};
use crate::reading::Places;

/// Which plan and which way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The address plan; empty when the inventory has one only.
    pub plan: String,
    /// The way in from the Internet, if there is one.
    pub way: Option<String>,
}

/// One lab.
#[derive(Debug, Clone)]
pub struct Lab {
    /// What it was chosen by.
    pub choice: Choice,
    /// What concerns all of it.
    pub site: Site,
    /// Who may reach SSH.
    pub administrators: Vec<Ipv4Net>,
    /// The hypervisor.
    pub host: Host,
    /// Its address in the LAN.
    pub host_address: Ipv4Addr,
    /// Networks in the order of their names.
    pub networks: Vec<Network>,
    /// Machines in the order of their names.
    pub machines: Vec<Machine>,
    /// Addresses that are others'.
    pub devices: Vec<(Name, Ipv4Addr)>,
    /// Virtual addresses in the order of their names.
    pub vips: Vec<Vip>,
    /// The way in.
    pub way: Option<(Name, Outside)>,
    /// What it lets in under this plan, and its place in the list.
    pub forwards: Vec<(usize, Forward)>,
    /// WireGuard.
    pub vpn: Option<Vpn>,
    /// Name service.
    pub dns: Option<Dns>,
    /// Time service.
    pub ntp: Option<Ntp>,
    /// The cluster.
    pub k3s: Option<K3s>,
    /// NFS.
    pub exports: Vec<Export>,
    /// The database.
    pub postgresql: Option<PostgreSql>,
    /// Names at Cloudflare.
    pub cloudflare: Option<Cloudflare>,
    /// Certificates.
    pub tls: Option<Tls>,
    /// Who scrapes.
    pub monitoring: Option<Monitoring>,
}

/// A network of the lab.
#[derive(Debug, Clone)]
pub struct Network {
    /// As typed.
    pub name: Name,
    /// Its addresses.
    pub prefix: Ipv4Net,
    /// Who carries it.
    pub kind: NetworkKind,
    /// The bridge on the hypervisor.
    pub bridge: InterfaceName,
    /// Its router.
    pub gateway: Ipv4Addr,
    /// What a DHCP server hands out.
    pub dhcp_pool: Option<Range>,
}

/// A machine of the lab.
#[derive(Debug, Clone)]
pub struct Machine {
    /// As typed.
    pub name: Name,
    /// What it does.
    pub roles: Vec<Role>,
    /// Its NICs, `eth0` first.
    pub nics: Vec<Nic>,
    /// The image's name.
    pub image_name: Name,
    /// Its image.
    pub image: Image,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory: u64,
    /// System disk in bytes.
    pub disk: u64,
    /// Disks beside it.
    pub data_disks: Vec<DataDisk>,
    /// Of a balancer.
    pub priority: Option<u8>,
    /// What is started before it.
    pub after: Vec<Name>,
}

/// A NIC of a machine.
#[derive(Debug, Clone)]
pub struct Nic {
    /// Its network's name.
    pub network: Name,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: String,
    /// Where it was typed: `machines.NAME` or `machines.NAME.nics[0]`.
    pub field: String,
}

/// A virtual address of the lab.
#[derive(Debug, Clone)]
pub struct Vip {
    /// As typed.
    pub name: Name,
    /// The address.
    pub address: Ipv4Addr,
    /// VRID, when it was typed.
    pub virtual_router_id: Option<u8>,
    /// Who may connect.
    pub expose: Vec<Client>,
    /// What it serves.
    pub services: Vec<Service>,
}

/// Who may connect to something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// Everybody.
    Internet,
    /// These addresses.
    Prefix(Ipv4Net),
}

/// A service of a virtual address.
#[derive(Debug, Clone)]
pub struct Service {
    /// As typed.
    pub name: Name,
    /// The balancer's defaults for it.
    pub profile: Profile,
    /// Each port with the port of the servers.
    pub ports: Vec<(u16, u16)>,
    /// Who serves it.
    pub to: Role,
    /// The name of the group of servers.
    pub backend: Name,
    /// The header towards servers.
    pub proxy_protocol: Option<ProxyProtocol>,
}

impl Lab {
    pub(crate) fn resolve(inventory: &Inventory, choice: &Choice, places: &Places, findings: &mut Findings) -> Self {
        resolve::lab(inventory, choice, places, findings)
    }

    /// The network that `address` is in.
    pub fn network_of(&self, address: Ipv4Addr) -> Option<&Network> {
        self.networks.iter().find(|network| network.prefix.contains(&address))
    }

    /// The network of that name.
    pub fn network(&self, name: &Name) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == *name)
    }

    /// The machine of that name.
    pub fn machine(&self, name: &Name) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.name == *name)
    }

    /// Machines with a role.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Machine> {
        self.machines.iter().filter(move |machine| machine.roles.contains(&role))
    }

    /// Machines by the name of one, or by the name of a role.
    pub fn named(&self, name: &Name) -> Vec<&Machine> {
        match role(name.as_str()) {
            Some(role) if self.machine(name).is_none() => self.with_role(role).collect(),
            _ => self.machine(name).into_iter().collect(),
        }
    }

    /// The addresses of those that `names` means, by their own names or by their roles; each once.
    pub fn addresses_of(&self, names: &[Name]) -> Vec<Ipv4Net> {
        let mut addresses: Vec<_> =
            names.iter().flat_map(|name| self.named(name)).map(|it| it.address().into()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Where those on the Internet come from; `None` is anywhere.
    pub fn beyond_cdn(&self) -> Option<Vec<Ipv4Net>> {
        None
    }

    /// Whether `machine` is named in `names`, not merely by its role.
    pub fn named_directly(&self, machine: &Machine, names: &[Name]) -> bool {
        names.contains(&machine.name)
    }

    /// Balancers, the most preferred first.
    pub fn balancers(&self) -> Vec<&Machine> {
        let mut balancers: Vec<_> = self.with_role(Role::Balancer).collect();
        balancers.sort_by_key(|machine| std::cmp::Reverse(machine.priority));
        balancers
    }

    /// Servers of the cluster, the first one first.
    pub fn servers(&self) -> Vec<&Machine> {
        let bootstrap = self.k3s.as_ref().map(|k3s| &k3s.bootstrap);
        let mut servers: Vec<_> = self.with_role(Role::Server).collect();
        servers.sort_by_key(|machine| Some(&machine.name) != bootstrap);
        servers
    }

    /// The virtual address of that name.
    pub fn vip(&self, name: &Name) -> Option<&Vip> {
        self.vips.iter().find(|vip| vip.name == *name)
    }

    /// Name servers of every machine: those of the lab first, so that its own names are never asked of strangers.
    pub fn resolvers(&self) -> Vec<Ipv4Addr> {
        let own: Vec<_> = self.with_role(Role::Dns).map(Machine::address).collect();
        let others = self.dns.iter().flat_map(|dns| dns.forwarders.iter().map(|address| address.get()));
        if own.is_empty() { others.collect() } else { own }
    }

    /// The same identity for the same thing of the same lab in every run (RFC 9562 §5.5).
    pub fn uuid(&self, kind: &str, name: &str) -> Uuid {
        let lab = Uuid::new_v5(&Uuid::NAMESPACE_DNS, self.site.domain.as_str().as_bytes());
        Uuid::new_v5(&lab, format!("{kind}/{name}").as_bytes())
    }
}

impl Machine {
    /// Its own address.
    pub fn address(&self) -> Ipv4Addr {
        self.nics[0].address
    }

    /// The interface in `network`, as this project's seeds name it.
    pub fn interface_in(&self, network: &Name) -> Option<String> {
        let at = self.nics.iter().position(|nic| nic.network == *network)?;
        Some(format!("eth{at}"))
    }

    /// Whether it is a node of the cluster.
    pub fn is_node(&self) -> bool {
        [Role::Server, Role::Agent, Role::Ingress].iter().any(|role| self.is(*role))
    }

    /// Whether it has `role`.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// A role by the word of the inventory.
pub(crate) fn role(word: &str) -> Option<Role> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
}

/// The word of the inventory for a role.
pub(crate) fn role_word(role: Role) -> String {
    serde_json::to_value(role).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
