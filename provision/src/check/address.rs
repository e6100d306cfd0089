//! Addresses: each one once, each in its network, none in a pool; networks apart from one another.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use fmc_config::findings::Findings;
use ipnet::Ipv4Net;

use super::Checking;
use crate::inventory::scalar::Name;
use crate::rule::Broken;

/// Somebody with an address.
struct Owner {
    address: Ipv4Addr,
    who: String,
    field: String,
    /// The network that it says it stands in; a virtual address and a device say none.
    network: Option<Name>,
}

pub(super) fn check(checking: &Checking<'_>, findings: &mut Findings) {
    let owners = owners(checking);
    taken(checking, &owners, findings);
    in_network(checking, &owners, findings);
    macs(checking, findings);
    gateways(checking, findings);
    overlaps(checking, findings);
}

fn owners(checking: &Checking<'_>) -> Vec<Owner> {
    let lab = checking.lab;
    let mut owners = vec![Owner {
        address: lab.host_address,
        who: format!("the hypervisor {}", lab.host.name),
        field: "host.address".to_owned(),
        network: Some(lab.host.network.clone()),
    }];
    for machine in &lab.machines {
        owners.extend(machine.nics.iter().map(|nic| Owner {
            address: nic.address,
            who: format!("machine {}", machine.name),
            field: format!("{}.address", nic.field),
            network: Some(nic.network.clone()),
        }));
    }
    owners.extend(lab.vips.iter().map(|vip| Owner {
        address: vip.address,
        who: format!("virtual address {}", vip.name),
        field: format!("vips.{}.address", vip.name),
        network: None,
    }));
    owners.extend(lab.devices.iter().map(|(name, address)| Owner {
        address: *address,
        who: format!("device {name}"),
        field: format!("devices.{name}"),
        network: None,
    }));
    let router = |network: &&crate::lab::Network| lab.host_address != network.gateway;
    owners.extend(lab.networks.iter().filter(router).map(|network| Owner {
        address: network.gateway,
        who: format!("the router of network {}", network.name),
        field: format!("networks.{}.gateway", network.name),
        network: None,
    }));
    owners
}

fn taken(checking: &Checking<'_>, owners: &[Owner], findings: &mut Findings) {
    let mut first: BTreeMap<Ipv4Addr, &Owner> = BTreeMap::new();
    for owner in owners {
        let Some(other) = first.get(&owner.address) else {
            first.insert(owner.address, owner);
            continue;
        };
        let problem = format!("{} is the address of {} already", owner.address, other.who);
        checking.report(Broken::AddressTaken, &owner.field, problem, "give one of the two another address", findings);
        findings.because(&checking.places.under(&other.field, checking.plan()), "the other one");
    }
}

fn in_network(checking: &Checking<'_>, owners: &[Owner], findings: &mut Findings) {
    for owner in owners {
        let named = owner.network.as_ref().and_then(|name| checking.lab.network(name));
        let Some(network) = named.or_else(|| checking.lab.network_of(owner.address)) else { continue };
        let (prefix, address) = (network.prefix, owner.address);
        if !prefix.contains(&address) || address == prefix.network() || address == prefix.broadcast() {
            let problem = format!("{address} is no address of a machine in {prefix}, network {}", network.name);
            let fix = format!("use an address from {} to {}, or name another network", first(prefix), last(prefix));
            checking.report(Broken::AddressOutsideNetwork, &owner.field, problem, fix, findings);
        }
        let pool = network.dhcp_pool.as_ref().filter(|pool| pool.contains(address));
        if let Some(pool) = pool.filter(|_| !owner.field.starts_with("networks.")) {
            let problem = format!("{address} is in {pool}, which the DHCP server of {} hands out", network.name);
            let fix = "use an address outside the pool, or shrink the pool in the router and here";
            checking.report(Broken::AddressInDhcpPool, &owner.field, problem, fix, findings);
            let place = checking.places.under(&format!("networks.{}.dhcp_pool", network.name), checking.plan());
            findings.because(&place, "the pool");
        }
    }
}

fn first(prefix: Ipv4Net) -> Ipv4Addr {
    prefix.hosts().next().unwrap_or(prefix.network())
}

fn last(prefix: Ipv4Net) -> Ipv4Addr {
    prefix.hosts().last().unwrap_or(prefix.broadcast())
}

fn macs(checking: &Checking<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<&str, &str> = BTreeMap::new();
    for nic in checking.lab.machines.iter().flat_map(|machine| &machine.nics) {
        if let Some(other) = first.insert(&nic.mac, &nic.field) {
            let problem = format!("{} is the hardware address of {other} already", nic.mac);
            let fix = "change one of the two, or leave both out: they are then made of the machines' names";
            checking.report(Broken::MacTaken, &format!("{}.mac", nic.field), problem, fix, findings);
            findings.because(&checking.places.at(&format!("{other}.mac")), "the other one");
        }
    }
}

fn gateways(checking: &Checking<'_>, findings: &mut Findings) {
    for network in &checking.lab.networks {
        let (name, prefix) = (&network.name, network.prefix);
        if !prefix.contains(&network.gateway) {
            let problem = format!("{} is not in {prefix}: no machine of {name} could send to it", network.gateway);
            let fix = format!("write an address of {prefix}, for example \"{}\"", first(prefix));
            checking.report(Broken::GatewayOutsideNetwork, &format!("networks.{name}.gateway"), problem, fix, findings);
        }
        if let Some(pool) = &network.dhcp_pool
            && (!prefix.contains(&pool.0.0) || !prefix.contains(&pool.0.1))
        {
            let problem = format!("{pool} is not in {prefix}");
            let fix = format!("write two addresses of {prefix}");
            checking.report(
                Broken::DhcpPoolOutsideNetwork,
                &format!("networks.{name}.dhcp_pool"),
                problem,
                fix,
                findings,
            );
        }
    }
}

fn overlaps(checking: &Checking<'_>, findings: &mut Findings) {
    let lab = checking.lab;
    let networks = lab.networks.iter().map(|network| (network.prefix, format!("networks.{}.prefix", network.name)));
    let mut all: Vec<(Ipv4Net, String)> = networks.collect();
    all.extend(
        lab.k3s
            .iter()
            .flat_map(|k3s| [(k3s.pods.get(), "k3s.pods".to_owned()), (k3s.services.get(), "k3s.services".to_owned())]),
    );
    all.extend(lab.vpn.iter().map(|vpn| (vpn.network.get(), "vpn.network".to_owned())));
    for (at, (prefix, field)) in all.iter().enumerate() {
        for (other, other_field) in &all[..at] {
            if prefix.contains(other) || other.contains(prefix) {
                let problem = format!("{prefix} and {other} of {other_field} have addresses in common");
                let fix = "use networks apart: a packet can go to one of them only";
                checking.report(Broken::NetworksOverlap, field, problem, fix, findings);
                findings.because(&checking.places.at(other_field), "the other one");
            }
        }
    }
}
