//! Virtual addresses: whether the balancers can own them, and reach who serves them.

use std::collections::BTreeMap;

use fmc_config::findings::Findings;
use fmc_config::model::Config;

use super::Checking;
use crate::inventory::{NetworkKind, Profile, Role};
use crate::lab::{Client, Vip, role_word};
use crate::render::balancer;
use crate::rule::Broken;

pub(super) fn check(checking: &Checking<'_>, findings: &mut Findings) {
    if checking.lab.vips.is_empty() {
        return;
    }
    if checking.lab.balancers().is_empty() {
        let fix = "give a machine `roles = [\"balancer\"]` and a `priority`";
        checking.report(Broken::NoBalancer, "vips", "no machine would own these addresses".to_owned(), fix, findings);
        return;
    }
    priorities(checking, findings);
    router_ids(checking, findings);
    for vip in &checking.lab.vips {
        on_balancers(checking, vip, findings);
        servers(checking, vip, findings);
        api_stays_inside(checking, vip, findings);
    }
    node_ports(checking, findings);
}

fn priorities(checking: &Checking<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<u8, String> = BTreeMap::new();
    for machine in checking.lab.with_role(Role::Balancer) {
        let field = format!("machines.{}.priority", machine.name);
        let Some(priority) = machine.priority else {
            let problem = "a balancer says how much it is preferred".to_owned();
            checking.report(
                Broken::PriorityMissing,
                &field,
                problem,
                "add `priority = 110`; the higher one is preferred",
                findings,
            );
            continue;
        };
        if let Some(other) = first.insert(priority, field.clone()) {
            let problem = format!("{priority} is the priority of another balancer too");
            let fix = "change one of the two: equals would be told apart by chance";
            checking.report(Broken::PriorityTaken, &field, problem, fix, findings);
            findings.because(&checking.places.at(&other), "the other one");
        }
    }
}

fn router_ids(checking: &Checking<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<(String, u8), String> = BTreeMap::new();
    for vip in &checking.lab.vips {
        let network = checking.lab.network_of(vip.address).map_or(String::new(), |network| network.name.to_string());
        let id = vip.virtual_router_id.unwrap_or(vip.address.octets()[3]);
        let field = format!("vips.{}.virtual_router_id", vip.name);
        if let Some(other) = first.insert((network, id), field.clone()) {
            let problem = format!("{id} is the identifier of another virtual router on the same network");
            checking.report(
                Broken::VirtualRouterIdTaken,
                &field,
                problem,
                "add a `virtual_router_id` of its own",
                findings,
            );
            findings.because(&checking.places.at(&other), "the other one");
        }
    }
}

/// VRRP does not cross a router.
fn on_balancers(checking: &Checking<'_>, vip: &Vip, findings: &mut Findings) {
    let field = format!("vips.{}.address", vip.name);
    let Some(network) = checking.lab.network_of(vip.address) else {
        let problem = format!("{} is in no network", vip.address);
        checking.report(
            Broken::VipOffBalancers,
            &field,
            problem,
            "use an address of a network of the balancers",
            findings,
        );
        return;
    };
    for balancer in checking.lab.balancers() {
        if balancer.interface_in(&network.name).is_none() {
            let problem = format!("{} is in network {}, where {} has no NIC", vip.address, network.name, balancer.name);
            let fix = format!(
                "use an address of network {}, or give it one: `nics = [{{ network = \"{}\", address = \"...\" }}]`",
                balancer.nics[0].network, network.name
            );
            checking.report(Broken::VipOffBalancers, &field, problem, fix, findings);
        }
    }
}

fn servers(checking: &Checking<'_>, vip: &Vip, findings: &mut Findings) {
    for service in &vip.services {
        let field = format!("vips.{}.services.{}.to", vip.name, service.name);
        let servers: Vec<_> = checking.lab.with_role(service.to).collect();
        if servers.is_empty() {
            let role = role_word(service.to);
            let problem = format!("no machine has the role {role:?}");
            let fix = format!("add {role:?} to the `roles` of those that serve it");
            checking.report(Broken::ServiceWithoutServers, &field, problem, fix, findings);
        }
        for server in servers {
            let isolated = |balancer: &&crate::lab::Machine| {
                let network = checking.lab.network(&server.nics[0].network);
                let closed = network.is_some_and(|network| network.kind == NetworkKind::Isolated);
                closed && balancer.interface_in(&server.nics[0].network).is_none()
            };
            if let Some(balancer) = checking.lab.balancers().into_iter().find(|balancer| isolated(balancer)) {
                let network = &server.nics[0].network;
                let problem = format!("{} cannot reach {}: network {network} is isolated", balancer.name, server.name);
                let fix =
                    format!("write `kind = \"routed\"` at [networks.{network}], or give the balancers a NIC there");
                checking.report(Broken::BackendUnreachable, &field, problem, fix, findings);
            }
        }
    }
}

fn api_stays_inside(checking: &Checking<'_>, vip: &Vip, findings: &mut Findings) {
    let serves_api = vip.services.iter().any(|service| service.profile == Profile::K8sApi);
    let everybody = vip.expose.iter().position(|client| *client == Client::Internet);
    if let (true, Some(at)) = (serves_api, everybody) {
        let field = format!("vips.{}.expose[{at}]", vip.name);
        let problem = "the cluster's API is never open to the Internet".to_owned();
        checking.report(Broken::ApiOnInternet, &field, problem, "remove it; from outside, use the VPN", findings);
    }
}

/// Kubernetes gives out node ports from 30000 to 32767 (`--service-node-port-range`), and each one once.
fn node_ports(checking: &Checking<'_>, findings: &mut Findings) {
    let mut first: BTreeMap<(Role, u16), String> = BTreeMap::new();
    for vip in &checking.lab.vips {
        for service in vip.services.iter().filter(|service| service.to == Role::Ingress) {
            let field = format!("vips.{}.services.{}.ports", vip.name, service.name);
            for (port, server) in service.ports.iter().filter(|(port, server)| port != server) {
                if !(30000..=32767).contains(server) {
                    let problem = format!("port {port} leads to {server}, which is no node port");
                    let fix = "use a port from 30000 to 32767, or the same on both sides for a host port";
                    checking.report(Broken::NodePortOutOfRange, &field, problem, fix, findings);
                }
                if let Some(other) = first.insert((service.to, *server), format!("{field}, port {port}")) {
                    let problem = format!("{server} is the node port of {other} already");
                    checking.report(
                        Broken::NodePortTaken,
                        &field,
                        problem,
                        "give each service a node port of its own",
                        findings,
                    );
                }
            }
        }
    }
}

/// The rendered configuration is the balancer's own language, so the balancer's own reader judges it.
pub(super) fn balancer_agrees(checking: &Checking<'_>, findings: &mut Findings) {
    if checking.lab.vips.is_empty() {
        return;
    }
    let text = balancer::toml(checking.lab);
    if let Err(refused) = Config::parse(&text, "fmc-lb.toml") {
        for fault in refused.iter() {
            let problem = format!("the balancer would refuse its configuration: {}: {}", fault.field, fault.problem);
            checking.report(Broken::BalancerRefuses, &place_of(&fault.field), problem, fault.fix.clone(), findings);
        }
    }
}

/// `vips.api.address` is called the same here; of anything else the table of virtual addresses is the nearest.
fn place_of(field: &str) -> String {
    if field.starts_with("vips.") { field.to_owned() } else { "vips".to_owned() }
}
