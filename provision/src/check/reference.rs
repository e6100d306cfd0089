//! Names that must exist.

use fmc_config::findings::Findings;

use super::Checking;
use crate::inventory::Inventory;
use crate::inventory::scalar::Name;
use crate::lab::unknown;
use crate::reading::Places;
use crate::rule::Broken;

/// Plans and ways, wherever they are named.
pub(super) fn choices(inventory: &Inventory, places: &Places, findings: &mut Findings) {
    let mut plan = |name: &str, field: &str| {
        if inventory.plans.iter().any(|plan| plan.as_str() == name) {
            return;
        }
        let fix = match inventory.plans.is_empty() {
            true => format!("declare it: `plans = [{name:?}]` at the top of the file"),
            false => fmc_config::suggest::fix(name, inventory.plans.iter().map(Name::as_str)),
        };
        findings.add(Broken::UnknownPlan, &places.at(field), format!("{name:?} is no plan of `plans`"), fix);
    };
    inventory.plan.iter().for_each(|name| plan(name.as_str(), "plan"));
    for (field, names) in plan_lists(inventory) {
        names.iter().enumerate().for_each(|(at, name)| plan(name.as_str(), &format!("{field}[{at}]")));
    }
    for (field, names) in per_plan(inventory) {
        names.iter().for_each(|name| plan(name, &format!("{field}.{name}")));
    }
    if let Some(way) = inventory.way.as_ref().filter(|way| !inventory.ways.contains_key(*way)) {
        unknown(findings, Broken::UnknownWay, &places.at("way"), way, inventory.ways.keys(), "ways");
    }
}

/// Every list of plans under which something exists.
fn plan_lists(inventory: &Inventory) -> Vec<(String, &[Name])> {
    let mut lists = Vec::new();
    for (name, network) in &inventory.networks {
        lists.push((format!("networks.{name}.plans"), &network.plans[..]));
    }
    for (name, machine) in &inventory.machines {
        lists.push((format!("machines.{name}.plans"), &machine.plans[..]));
        for (at, nic) in machine.nics.iter().enumerate() {
            lists.push((format!("machines.{name}.nics[{at}].plans"), &nic.plans[..]));
        }
    }
    for (name, way) in &inventory.ways {
        for (at, forward) in way.forwards.iter().enumerate() {
            lists.push((format!("ways.{name}.forwards[{at}].plans"), &forward.plans[..]));
        }
    }
    lists
}

/// Every value that differs between plans.
fn per_plan(inventory: &Inventory) -> Vec<(String, Vec<&str>)> {
    let mut values = vec![("host.address".to_owned(), inventory.host.address.plans().collect())];
    for (name, machine) in &inventory.machines {
        values.push((format!("machines.{name}.address"), machine.address.plans().collect()));
        values.push((format!("machines.{name}.network"), machine.network.plans().collect()));
    }
    for (name, network) in &inventory.networks {
        let pool = network.dhcp_pool.iter().flat_map(|pool| pool.plans());
        values.push((format!("networks.{name}.dhcp_pool"), pool.collect()));
    }
    for (name, vip) in &inventory.vips {
        values.push((format!("vips.{name}.address"), vip.address.plans().collect()));
        for (service, typed) in &vip.services {
            values.push((format!("vips.{name}.services.{service}.ports"), typed.ports.plans().collect()));
        }
    }
    for (name, device) in &inventory.devices {
        values.push((format!("devices.{name}"), device.plans().collect()));
    }
    values
}

/// Machines, virtual addresses and peers, wherever they are named.
pub(super) fn names(checking: &Checking<'_>, findings: &mut Findings) {
    let inventory = checking.inventory;
    for (name, machine) in &inventory.machines {
        for (at, after) in machine.after.iter().enumerate() {
            machine_named(checking, after, &format!("machines.{name}.after[{at}]"), findings);
        }
    }
    if let Some(k3s) = &inventory.k3s {
        machine_named(checking, &k3s.bootstrap, "k3s.bootstrap", findings);
        vip_named(checking, &k3s.api, "k3s.api", findings);
    }
    for (at, export) in inventory.exports.iter().enumerate() {
        machine_named(checking, &export.machine, &format!("exports[{at}].machine"), findings);
        for (client, name) in export.clients.iter().enumerate() {
            checking.machines(name, &format!("exports[{at}].clients[{client}]"), findings);
        }
    }
    for (database, typed) in inventory.postgresql.iter().flat_map(|postgresql| &postgresql.databases) {
        for (client, name) in typed.clients.iter().enumerate() {
            checking.machines(name, &format!("postgresql.databases.{database}.clients[{client}]"), findings);
        }
    }
    for (at, name) in inventory.monitoring.iter().flat_map(|monitoring| monitoring.from.iter().enumerate()) {
        checking.machines(name, &format!("monitoring.from[{at}]"), findings);
    }
    for (name, target) in inventory.dns.iter().flat_map(|dns| &dns.names) {
        if !inventory.vips.contains_key(target) {
            machine_named(checking, target, &format!("dns.names.{name}"), findings);
        }
    }
    ways(checking, findings);
}

fn ways(checking: &Checking<'_>, findings: &mut Findings) {
    let inventory = checking.inventory;
    for (name, way) in &inventory.ways {
        if let Some(gateway) = &way.gateway {
            let peers: Vec<_> = inventory.vpn.iter().flat_map(|vpn| vpn.peers.keys()).collect();
            if !peers.contains(&gateway) {
                let place = checking.places.at(&format!("ways.{name}.gateway"));
                unknown(findings, Broken::UnknownPeer, &place, gateway, peers.into_iter(), "vpn.peers");
            }
        }
        for (at, forward) in way.forwards.iter().enumerate() {
            if let Some(vip) = &forward.vip {
                vip_named(checking, vip, &format!("ways.{name}.forwards[{at}].vip"), findings);
            }
        }
        let server = way.vpn_server.as_ref().filter(|server| server.as_str() != "host");
        if let Some(server) = server.filter(|server| !inventory.devices.contains_key(*server)) {
            machine_named(checking, server, &format!("ways.{name}.vpn_server"), findings);
        }
    }
}

fn machine_named(checking: &Checking<'_>, name: &Name, field: &str, findings: &mut Findings) {
    if !checking.inventory.machines.contains_key(name) {
        let known = checking.inventory.machines.keys();
        unknown(findings, Broken::UnknownMachine, &checking.places.at(field), name, known, "machines");
    }
}

fn vip_named(checking: &Checking<'_>, name: &Name, field: &str, findings: &mut Findings) {
    if !checking.inventory.vips.contains_key(name) {
        unknown(findings, Broken::UnknownVip, &checking.places.at(field), name, checking.inventory.vips.keys(), "vips");
    }
}
