//! The balancer's configuration: the same file on every balancer, in the balancer's own language.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use toml::map::Map;

use super::Files;
use crate::inventory::ProxyProtocol;
use crate::lab::{Client, Lab, Machine, Service, Vip};

#[derive(Serialize)]
struct Balancer {
    nodes: Map<String, toml::Value>,
    vips: BTreeMap<String, VipTable>,
    frontends: BTreeMap<String, Frontend>,
    backends: BTreeMap<String, Backend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<Admin>,
}

#[derive(Serialize)]
struct Node {
    address: Ipv4Addr,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_addresses: Vec<Ipv4Addr>,
}

#[derive(Serialize)]
struct VipTable {
    address: Ipv4Addr,
    #[serde(skip_serializing_if = "Option::is_none")]
    virtual_router_id: Option<u8>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    interface: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Frontend {
    vip: String,
    ports: toml::Value,
    profile: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    backend: String,
}

#[derive(Serialize)]
struct Backend {
    servers: Map<String, toml::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_protocol: Option<&'static str>,
}

#[derive(Serialize)]
struct Admin {
    listen: Vec<String>,
    allow: Vec<String>,
}

pub(super) fn render(lab: &Lab, files: &mut Files) {
    if !lab.vips.is_empty() {
        files.add("balancer/fmc-lb.toml", "/etc/fmc-lb/fmc-lb.toml of every balancer", toml(lab));
    }
}

/// The configuration as text. What reads it is `fmc_config::model::Config::parse`.
pub fn toml(lab: &Lab) -> String {
    let services = || lab.vips.iter().flat_map(|vip| vip.services.iter().map(move |service| (vip, service)));
    let balancer = Balancer {
        nodes: nodes(lab),
        vips: lab.vips.iter().map(|vip| (vip.name.to_string(), vip_table(lab, vip))).collect(),
        frontends: services().map(|(vip, service)| (service.name.to_string(), frontend(vip, service))).collect(),
        backends: services().map(|(_, service)| (service.backend.to_string(), backend(lab, service))).collect(),
        admin: admin(lab),
    };
    let body = toml::to_string(&balancer).expect("every key is a text");
    format!("# Rendered from the inventory; a change belongs there.\n\n{body}")
}

/// The order of nodes is that of preference, and TOML writes plain values before tables: so either all are plain, or none is.
fn nodes(lab: &Lab) -> Map<String, toml::Value> {
    let balancers = lab.balancers();
    let plain = balancers.iter().all(|machine| machine.nics.len() == 1);
    let node = |machine: &Machine| {
        if plain {
            return toml::Value::String(machine.address().to_string());
        }
        let other_addresses = machine.nics.iter().skip(1).map(|nic| nic.address).collect();
        toml::Value::try_from(Node { address: machine.address(), other_addresses }).expect("addresses are texts")
    };
    balancers.into_iter().map(|machine| (machine.name.to_string(), node(machine))).collect()
}

fn vip_table(lab: &Lab, vip: &Vip) -> VipTable {
    let network = lab.network_of(vip.address);
    let second = |machine: &&Machine| {
        let interface = machine.interface_in(&network?.name)?;
        (interface != "eth0").then(|| (machine.name.to_string(), interface))
    };
    let balancers = lab.balancers();
    let interface = balancers.iter().filter_map(second).collect();
    VipTable { address: vip.address, virtual_router_id: vip.virtual_router_id, interface }
}

fn frontend(vip: &Vip, service: &Service) -> Frontend {
    let mapped = service.ports.iter().any(|(port, server)| port != server);
    let number = |port: u16| toml::Value::Integer(port.into());
    let ports = match mapped {
        true => {
            service.ports.iter().map(|(port, server)| (port.to_string(), number(*server))).collect::<Map<_, _>>().into()
        }
        false => toml::Value::Array(service.ports.iter().map(|(port, _)| number(*port)).collect()),
    };
    Frontend {
        vip: vip.name.to_string(),
        ports,
        profile: service.profile.word(),
        allow: allow(vip),
        backend: service.backend.to_string(),
    }
}

/// Nobody is named where everybody may connect.
fn allow(vip: &Vip) -> Vec<String> {
    let prefixes = vip.expose.iter().map(|client| match client {
        Client::Internet => None,
        Client::Prefix(prefix) => Some(prefix.to_string()),
    });
    prefixes.collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn backend(lab: &Lab, service: &Service) -> Backend {
    // One port for all that does not follow the listener's: the servers' own.
    let own = match service.ports[..] {
        [(port, server)] if port == server => format!(":{port}"),
        _ => String::new(),
    };
    let server =
        |machine: &Machine| (machine.name.to_string(), toml::Value::String(format!("{}{own}", machine.address())));
    let proxy_protocol = service.proxy_protocol.map(|ProxyProtocol::V2| "v2");
    Backend { servers: lab.with_role(service.to).map(server).collect(), proxy_protocol }
}

/// Metrics are for those who scrape them, beside the machine itself.
fn admin(lab: &Lab) -> Option<Admin> {
    let monitoring = lab.monitoring.as_ref()?;
    let port = monitoring.balancer_port;
    let allow = monitoring.from.iter().flat_map(|name| lab.named(name)).map(|machine| machine.address());
    let mut allow: Vec<_> = allow.collect();
    allow.sort_unstable();
    allow.dedup();
    Some(Admin {
        listen: vec![format!("127.0.0.1:{port}"), format!("node:{port}")],
        allow: allow.iter().map(Ipv4Addr::to_string).collect(),
    })
}
