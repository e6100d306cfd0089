//! Traefik in the cluster: the part of its chart's values that depends on the balancers, and nothing else.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;

use super::{Files, RENDERED, yaml};
use crate::inventory::{Profile, Role};
use crate::lab::{Lab, Service};

/// Kubernetes gives nobody else a port in this range (`--service-node-port-range`).
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

/// `values.yaml` of the chart, <https://github.com/traefik/traefik-helm-chart>.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    deployment: Deployment,
    node_selector: BTreeMap<&'static str, &'static str>,
    ports: BTreeMap<&'static str, Port>,
    service: ChartService,
}

#[derive(Serialize)]
struct Deployment {
    kind: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Port {
    #[serde(skip_serializing_if = "Option::is_none")]
    host_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy_protocol: Option<Trusted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    forwarded_headers: Option<Trusted>,
}

#[derive(Serialize)]
struct Trusted {
    #[serde(rename = "trustedIPs")]
    trusted_ips: Vec<String>,
}

#[derive(Serialize)]
struct ChartService {
    #[serde(rename = "type")]
    kind: &'static str,
    spec: ServiceSpec,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSpec {
    external_traffic_policy: &'static str,
}

pub(super) fn render(lab: &Lab, files: &mut Files) {
    let services = lab.vips.iter().flat_map(|vip| &vip.services);
    let web = services.filter(|service| service.profile == Profile::TraefikWeb && service.to == Role::Ingress);
    for service in web {
        let path = format!("k3s/traefik/{}.values.yaml", service.name);
        let text = format!("{RENDERED}\n{}", yaml(&values(lab, service)));
        files.add(path, "Traefik: values of its chart that the balancers depend on", text);
    }
}

fn values(lab: &Lab, service: &Service) -> Values {
    let ports = service
        .ports
        .iter()
        .filter_map(|(port, server)| Some((entry_point(*port)?, self::port(lab, service, *server))));
    Values {
        // One on each node that balancers send to: with a local policy a node without one drops what arrives.
        deployment: Deployment { kind: "DaemonSet" },
        node_selector: BTreeMap::from([(super::machine::k3s::INGRESS_LABEL, "true")]),
        ports: ports.collect(),
        service: ChartService { kind: "NodePort", spec: ServiceSpec { external_traffic_policy: "Local" } },
    }
}

/// The chart's own names.
fn entry_point(port: u16) -> Option<&'static str> {
    match port {
        80 => Some("web"),
        443 => Some("websecure"),
        _ => None,
    }
}

fn port(lab: &Lab, service: &Service, server: u16) -> Port {
    let is_node_port = NODE_PORTS.contains(&server);
    let tells_clients = service.proxy_protocol.is_some();
    Port {
        host_port: (!is_node_port).then_some(server),
        node_port: is_node_port.then_some(server),
        proxy_protocol: tells_clients.then(|| Trusted { trusted_ips: balancers(lab) }),
        // Without the PROXY header everybody seems to be a balancer, and then nobody's word is worth anything.
        forwarded_headers: cdn(lab).filter(|_| tells_clients),
    }
}

/// Every address from which a balancer may connect.
fn balancers(lab: &Lab) -> Vec<String> {
    let mut all: Vec<Ipv4Addr> =
        lab.balancers().iter().flat_map(|machine| machine.nics.iter().map(|nic| nic.address)).collect();
    all.sort_unstable();
    all.iter().map(|address| format!("{address}/32")).collect()
}

/// Where the requests of proxied names come from.
fn cdn(lab: &Lab) -> Option<Trusted> {
    let cloudflare = lab.cloudflare.as_ref().filter(|it| it.names.values().any(|name| name.proxied))?;
    let trusted_ips: Vec<_> = cloudflare.ranges.iter().map(ToString::to_string).collect();
    (!trusted_ips.is_empty()).then_some(Trusted { trusted_ips })
}
