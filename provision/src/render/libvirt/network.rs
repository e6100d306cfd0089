//! `<network>`. The LAN is a bridge that is there already. What the hypervisor routes is `open`: libvirt adds no rule of its own, and
//! the one table of `fmc-lab.nft` says who may pass (`nat` would refuse the balancers, `route` adds rules beside ours).

use serde::Serialize;

use super::document;
use crate::inventory::NetworkKind;
use crate::lab::{Lab, Network};

#[derive(Serialize)]
struct Xml {
    name: String,
    uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    forward: Option<Forward>,
    bridge: Bridge,
    #[serde(skip_serializing_if = "Option::is_none")]
    dns: Option<Dns>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<Ip>,
}

#[derive(Serialize)]
struct Forward {
    #[serde(rename = "@mode")]
    mode: &'static str,
}

#[derive(Serialize)]
struct Bridge {
    #[serde(rename = "@name")]
    name: String,
    #[serde(rename = "@stp", skip_serializing_if = "Option::is_none")]
    stp: Option<&'static str>,
    #[serde(rename = "@delay", skip_serializing_if = "Option::is_none")]
    delay: Option<u8>,
}

#[derive(Serialize)]
struct Dns {
    #[serde(rename = "@enable")]
    enable: &'static str,
}

#[derive(Serialize)]
struct Ip {
    #[serde(rename = "@address")]
    address: String,
    #[serde(rename = "@prefix")]
    prefix: u8,
}

pub(super) fn xml(lab: &Lab, network: &Network) -> String {
    let forward = match network.kind {
        NetworkKind::Bridge => Some(Forward { mode: "bridge" }),
        NetworkKind::Routed => Some(Forward { mode: "open" }),
        NetworkKind::Isolated => None,
    };
    let ours = network.kind != NetworkKind::Bridge;
    let ip = || Ip { address: network.gateway.to_string(), prefix: network.prefix.prefix_len() };
    let xml = Xml {
        name: network.name.to_string(),
        uuid: lab.uuid("network", network.name.as_str()).to_string(),
        forward,
        bridge: Bridge { name: network.bridge.to_string(), stp: ours.then_some("off"), delay: ours.then_some(0) },
        // Names are the business of the lab's own servers; without this, dnsmasq would listen on the bridge.
        dns: ours.then_some(Dns { enable: "no" }),
        ip: (network.kind == NetworkKind::Routed).then(ip),
    };
    document("network", &xml)
}
