//! From the inventory to a lab: which plan, which way, and whom each name means.

use std::net::Ipv4Addr;

use fmc_config::findings::{Findings, Place};
use fmc_config::suggest;

use super::{Choice, Client, Lab, Machine, Network, Nic, Service, Vip};
use crate::inventory::scalar::{Address, Name};
use crate::inventory::{self, Inventory, PerPlan};
use crate::reading::Places;
use crate::rule::Broken;

impl Choice {
    /// The plan and the way that are live, or those asked for.
    pub(crate) fn of(inventory: &Inventory, plan: Option<&str>, way: Option<&str>) -> Result<Self, String> {
        let plan = plan.map(str::to_owned).or_else(|| inventory.plan.as_ref().map(Name::to_string));
        let plan = plan.or_else(|| inventory.plans.first().map(Name::to_string)).unwrap_or_default();
        if !plan.is_empty() && !inventory.plans.iter().any(|known| known.as_str() == plan) {
            return Err(format!(
                "there is no plan {plan:?}; {}",
                suggest::fix(&plan, inventory.plans.iter().map(Name::as_str))
            ));
        }
        let way = way.map(str::to_owned).or_else(|| inventory.way.as_ref().map(Name::to_string));
        let way = way.or_else(|| inventory.ways.keys().next().map(Name::to_string));
        match &way {
            Some(name) if !inventory.ways.keys().any(|known| known.as_str() == name) => Err(format!(
                "there is no way {name:?}; {}",
                suggest::fix(name, inventory.ways.keys().map(Name::as_str))
            )),
            _ => Ok(Self { plan, way }),
        }
    }

    /// Every plan with every way.
    pub(crate) fn all(inventory: &Inventory) -> Vec<Self> {
        let plans: Vec<_> = inventory.plans.iter().map(Name::to_string).collect();
        let plans = if plans.is_empty() { vec![String::new()] } else { plans };
        let ways: Vec<_> = inventory.ways.keys().map(|name| Some(name.to_string())).collect();
        let ways = if ways.is_empty() { vec![None] } else { ways };
        plans.iter().flat_map(|plan| ways.iter().map(|way| Self { plan: plan.clone(), way: way.clone() })).collect()
    }

    fn has(&self, plans: &[Name]) -> bool {
        plans.is_empty() || plans.iter().any(|plan| plan.as_str() == self.plan)
    }
}

struct Resolve<'a> {
    inventory: &'a Inventory,
    choice: &'a Choice,
    places: &'a Places,
    findings: &'a mut Findings,
    networks: Vec<Network>,
}

pub(super) fn lab(inventory: &Inventory, choice: &Choice, places: &Places, findings: &mut Findings) -> Lab {
    let networks = networks(inventory, choice);
    let mut resolve = Resolve { inventory, choice, places, findings, networks };
    let host_address =
        resolve.value(&inventory.host.address, "host.address").map_or(Ipv4Addr::UNSPECIFIED, Address::get);
    resolve.network(&inventory.host.network, "host.network");
    let machines = inventory.machines.iter().filter(|(_, machine)| choice.has(&machine.plans));
    let machines = machines.filter_map(|(name, machine)| resolve.machine(name, machine)).collect();
    let vips = inventory.vips.iter().filter_map(|(name, vip)| resolve.vip(name, vip)).collect();
    let administrators = inventory.lab.administrators.iter().enumerate();
    let administrators =
        administrators.filter_map(|(at, typed)| resolve.client(typed, &format!("lab.administrators[{at}]")));
    let administrators = administrators.map(|client| match client {
        Client::Internet => ipnet::Ipv4Net::default(),
        Client::Prefix(prefix) => prefix,
    });
    let administrators = administrators.collect();
    let device = |(name, address): (&Name, &PerPlan<Address>)| Some((name.clone(), address.under(&choice.plan)?.get()));
    let way = choice.way.as_ref().and_then(|name| inventory.ways.iter().find(|(known, _)| known.as_str() == name));
    let forwards = way.map_or(&[][..], |(_, way)| &way.forwards).iter().enumerate();
    Lab {
        choice: choice.clone(),
        site: inventory.lab.clone(),
        administrators,
        host: inventory.host.clone(),
        host_address,
        machines,
        devices: inventory.devices.iter().filter_map(device).collect(),
        vips,
        forwards: forwards
            .filter(|(_, forward)| choice.has(&forward.plans))
            .map(|(at, forward)| (at, forward.clone()))
            .collect(),
        way: way.map(|(name, way)| (name.clone(), way.clone())),
        vpn: inventory.vpn.clone(),
        dns: inventory.dns.clone(),
        ntp: inventory.ntp.clone(),
        k3s: inventory.k3s.clone(),
        exports: inventory.exports.clone(),
        postgresql: inventory.postgresql.clone(),
        cloudflare: inventory.cloudflare.clone(),
        tls: inventory.tls.clone(),
        monitoring: inventory.monitoring.clone(),
        networks: resolve.networks,
    }
}

fn networks(inventory: &Inventory, choice: &Choice) -> Vec<Network> {
    let here = inventory.networks.iter().filter(|(_, network)| choice.has(&network.plans));
    let network = |(name, network): (&Name, &inventory::Network)| Network {
        name: name.clone(),
        prefix: network.prefix.get(),
        kind: network.kind,
        bridge: network.bridge.0.clone(),
        gateway: network.gateway.as_ref().map_or_else(|| first(network.prefix.get()), Address::get),
        dhcp_pool: network.dhcp_pool.as_ref().and_then(|pool| pool.under(&choice.plan)).cloned(),
    };
    here.map(network).collect()
}

/// The first address that a machine may have.
fn first(prefix: ipnet::Ipv4Net) -> Ipv4Addr {
    prefix.hosts().next().unwrap_or(prefix.network())
}

impl Resolve<'_> {
    fn value<'v, T>(&mut self, value: &'v PerPlan<T>, field: &str) -> Option<&'v T> {
        let found = value.under(&self.choice.plan);
        if found.is_none() {
            let plan = &self.choice.plan;
            let problem = format!("it has no value under plan {plan:?}, where it exists");
            let fix = format!("add `{plan} = ...`, or say in `plans` where the thing itself exists");
            self.findings.add(Broken::MissingInPlan, &self.places.at(field), problem, fix);
        }
        found
    }

    fn machine(&mut self, name: &Name, typed: &inventory::Machine) -> Option<Machine> {
        let field = format!("machines.{name}");
        let address = self.value(&typed.address, &format!("{field}.address"));
        let network = self.value(&typed.network, &format!("{field}.network"));
        let known = network.is_some_and(|network| self.network(network, &format!("{field}.network")));
        let image = self.inventory.images.get(&typed.image);
        if image.is_none() {
            self.unknown(
                Broken::UnknownImage,
                &format!("{field}.image"),
                &typed.image,
                self.inventory.images.keys(),
                "images",
            );
        }
        let (address, network, image) = (address?, network.filter(|_| known)?, image?);
        let mut nics = vec![Nic {
            network: network.clone(),
            address: address.get(),
            mac: mac(typed.mac.as_ref(), name, 0),
            field: field.clone(),
        }];
        for (at, nic) in typed.nics.iter().enumerate().filter(|(_, nic)| self.choice.has(&nic.plans)) {
            let field = format!("{field}.nics[{at}]");
            self.network(&nic.network, &format!("{field}.network"));
            let mac = mac(nic.mac.as_ref(), name, at + 1);
            nics.push(Nic { network: nic.network.clone(), address: nic.address.get(), mac, field });
        }
        Some(Machine {
            name: name.clone(),
            roles: typed.roles.clone(),
            nics,
            image_name: typed.image.clone(),
            image: image.clone(),
            cpus: typed.cpus,
            memory: typed.memory.mebibytes(),
            disk: typed.disk.bytes(),
            data_disks: typed.data_disks.clone(),
            priority: typed.priority,
            after: typed.after.clone(),
        })
    }

    fn vip(&mut self, name: &Name, typed: &inventory::Vip) -> Option<Vip> {
        let field = format!("vips.{name}");
        let address = self.value(&typed.address, &format!("{field}.address"))?.get();
        let expose = typed.expose.iter().enumerate();
        let expose = expose.filter_map(|(at, client)| self.client(client, &format!("{field}.expose[{at}]"))).collect();
        let mut services = Vec::new();
        for (service, typed) in &typed.services {
            let field = format!("{field}.services.{service}");
            let Some(ports) = self.value(&typed.ports, &format!("{field}.ports")) else { continue };
            services.push(Service {
                name: service.clone(),
                profile: typed.profile,
                ports: ports.pairs(),
                to: typed.to,
                backend: typed.backend.clone().unwrap_or_else(|| service.clone()),
                proxy_protocol: typed.proxy_protocol,
            });
        }
        Some(Vip { name: name.clone(), address, virtual_router_id: typed.virtual_router_id, expose, services })
    }

    fn client(&mut self, typed: &str, field: &str) -> Option<Client> {
        let found = client(typed, self.inventory, &self.networks);
        if found.is_none() {
            let names = self.networks.iter().map(|network| network.name.as_str()).chain(["internet", "vpn"]);
            let fix = format!(
                "{}; or write a prefix, for example \"192.168.0.0/24\"",
                suggest::fix(typed, names.collect::<Vec<_>>())
            );
            let problem = format!("{typed:?} is no network of this plan, no prefix and no word for a group of clients");
            self.findings.add(Broken::UnknownClient, &self.places.at(field), problem, fix);
        }
        found
    }

    fn network(&mut self, name: &Name, field: &str) -> bool {
        let known = self.networks.iter().any(|network| network.name == *name);
        if !known {
            let networks: Vec<_> = self.networks.iter().map(|network| network.name.clone()).collect();
            let field = self.places.under(field, &self.choice.plan);
            unknown(self.findings, Broken::UnknownNetwork, &field, name, networks.iter(), "networks");
        }
        known
    }

    fn unknown<'n>(
        &mut self,
        rule: Broken,
        field: &str,
        name: &Name,
        known: impl Iterator<Item = &'n Name>,
        table: &str,
    ) {
        unknown(self.findings, rule, &self.places.at(field), name, known, table);
    }
}

/// Who is meant by a word of `expose` or `administrators`.
pub(crate) fn client(typed: &str, inventory: &Inventory, networks: &[Network]) -> Option<Client> {
    if typed == "internet" {
        return Some(Client::Internet);
    }
    if typed == "vpn" {
        return inventory.vpn.as_ref().map(|vpn| Client::Prefix(vpn.network.get()));
    }
    let named = networks.iter().find(|network| network.name.as_str() == typed).map(|network| network.prefix);
    let prefix = named.or_else(|| typed.parse().ok().filter(|net: &ipnet::Ipv4Net| net.addr() == net.network()));
    prefix.or_else(|| typed.parse::<Ipv4Addr>().ok().map(ipnet::Ipv4Net::from)).map(Client::Prefix)
}

/// Reports a name that means nothing.
pub(crate) fn unknown<'n>(
    findings: &mut Findings,
    rule: Broken,
    place: &Place,
    name: &Name,
    known: impl Iterator<Item = &'n Name>,
    table: &str,
) {
    let known: Vec<_> = known.map(Name::as_str).collect();
    let fix = match suggest::nearest(name.as_str(), known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None if known.is_empty() => format!("add a table [{table}.{name}]"),
        None => format!("use {}, or add a table [{table}.{name}]", suggest::choice(known)),
    };
    findings.add(rule, place, format!("there is no {:?} in [{table}]", name.as_str()), fix);
}

/// The one typed, or one of the range of QEMU made of the name, the same in every run.
fn mac(typed: Option<&inventory::scalar::Mac>, name: &Name, nic: usize) -> String {
    if let Some(mac) = typed {
        return mac.to_string();
    }
    let id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, format!("{name}/nic{nic}").as_bytes());
    let [a, b, c, ..] = id.into_bytes();
    format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
}
