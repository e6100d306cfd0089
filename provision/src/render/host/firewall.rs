//! The hypervisor's packet filter: one table of ours, replaced in one transaction. Nobody else's rules are touched.

use std::fmt::Write;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::flow::{Flow, apart, flows};
use crate::inventory::NetworkKind;
use crate::lab::{Lab, VpnServer};
use crate::render::RENDERED;
use crate::render::ini::Ini;
use crate::render::system::System;

/// The table.
pub const TABLE: &str = "inet fmc_lab";
/// Where it stands on the hypervisor.
pub const PATH: &str = "/etc/fmc-lab/fmc-lab.nft";

pub(super) fn add(lab: &Lab, system: &mut System) {
    system.file(PATH, 0o644, "who may reach what: nft -f", rules(lab));
    system.unit("fmc-lab-firewall.service", "loads the packet filter before the network is up", unit());
}

fn unit() -> String {
    let load = format!("/usr/sbin/nft -f {PATH}");
    let ini = Ini::new().section("Unit").key("Description", "Packet filter of the lab");
    // Two that both drop by default agree on nothing.
    let ini = ini.key("Conflicts", "firewalld.service").key("Wants", "network-pre.target");
    let ini = ini.key("Before", "network-pre.target shutdown.target").key("DefaultDependencies", "no");
    let ini = ini.key("After", "local-fs.target").key("Conflicts", "shutdown.target");
    let ini = ini.section("Service").key("Type", "oneshot").key("RemainAfterExit", "yes");
    let ini = ini.key("ExecStart", &load).key("ExecReload", &load);
    let ini = ini.key("ExecStop", format!("/usr/sbin/nft delete table {TABLE}"));
    ini.section("Install").key("WantedBy", "sysinit.target").text()
}

/// The file: `nft -f` takes all of it or nothing.
pub fn rules(lab: &Lab) -> String {
    let mut text = format!("#!/usr/sbin/nft -f\n{RENDERED}\n\n");
    // The first line makes the table if there is none, so that the second can always remove it.
    writeln!(text, "table {TABLE}\ndelete table {TABLE}\n\ntable {TABLE} {{").expect("a text grows");
    let flows = flows(lab);
    // What is for the hypervisor itself is not forwarded: a flow to it and to others is a rule of both chains.
    let part = |own: bool| -> Vec<Flow> {
        let only = |flow: &Flow| Flow {
            to: flow.to.iter().copied().filter(|to| (*to == lab.host_address) == own).collect(),
            ..flow.clone()
        };
        flows.iter().map(only).filter(|flow| !flow.to.is_empty()).collect()
    };
    chain(&mut text, "input", "filter hook input priority filter; policy drop", input(lab, &part(true)));
    chain(&mut text, "forward", "filter hook forward priority filter; policy drop", forward(lab, &part(false)));
    chain(&mut text, "postrouting", "nat hook postrouting priority srcnat; policy accept", postrouting(lab));
    text.push_str("}\n");
    text
}

fn chain(text: &mut String, name: &str, hook: &str, rules: Vec<String>) {
    let rules: String = rules.iter().map(|rule| format!("        {rule}\n")).collect();
    let gap = if name == "input" { "" } else { "\n" };
    write!(text, "{gap}    chain {name} {{\n        type {hook};\n\n{rules}    }}\n").expect("a text grows");
}

fn input(lab: &Lab, flows: &[Flow]) -> Vec<String> {
    let mut rules = vec![
        "ct state established,related accept".to_owned(),
        "ct state invalid drop".to_owned(),
        "iifname \"lo\" accept".to_owned(),
        "icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept".to_owned(),
        // Neighbours, routers and path MTU: IPv6 dies without them.
        "meta l4proto ipv6-icmp accept".to_owned(),
    ];
    rules.extend(flows.iter().map(|flow| accept(lab, flow)));
    rules
}

fn forward(lab: &Lab, flows: &[Flow]) -> Vec<String> {
    let mut rules = Vec::new();
    // Frames within one bridge pass here while br_netfilter is on. Without these lines VRRP is cut and two nodes own one address.
    for network in lab.networks.iter() {
        rules.push(format!(
            "iifname \"{0}\" oifname \"{0}\" accept comment \"within {1}\"",
            network.bridge, network.name
        ));
    }
    rules.push("ct state established,related accept".to_owned());
    rules.push("ct state invalid drop".to_owned());
    // A closed network is left by nobody, whatever a flow says.
    for network in lab.networks.iter().filter(|network| network.kind == NetworkKind::Isolated) {
        rules.push(format!("iifname \"{}\" drop comment \"{} is isolated\"", network.bridge, network.name));
    }
    rules.push(
        "icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem } accept".to_owned(),
    );
    rules.push("meta l4proto ipv6-icmp accept".to_owned());
    rules.extend(flows.iter().map(|flow| accept(lab, flow)));
    let routed = routed(lab);
    if !routed.is_empty() {
        let (from, inside) = (set(&routed), set(&inside(lab)));
        rules.push(format!("ip saddr {from} ip daddr != {inside} accept comment \"machines: the Internet\""));
    }
    rules
}

/// The router of the LAN knows no network of the lab: what leaves for the Internet does so by the hypervisor's address.
fn postrouting(lab: &Lab) -> Vec<String> {
    let routed = routed(lab);
    if routed.is_empty() {
        return Vec::new();
    }
    vec![format!("ip saddr {} ip daddr != {} masquerade", set(&routed), set(&inside(lab)))]
}

fn routed(lab: &Lab) -> Vec<Ipv4Net> {
    lab.routed().map(|network| network.prefix).collect()
}

/// Everything that is ours: the lab's networks, the LAN and the tunnel.
fn inside(lab: &Lab) -> Vec<Ipv4Net> {
    let networks = lab.networks.iter().map(|network| network.prefix);
    apart(networks.chain(lab.vpn.iter().map(|vpn| vpn.network.get())).collect())
}

fn accept(lab: &Lab, flow: &Flow) -> String {
    let from = flow.from.as_ref().map(|from| format!("ip saddr {} ", set(from))).unwrap_or_default();
    let to =
        match matches!(lab.vpn_server(), Some(VpnServer::Host)) && flow.from.is_none() && flow.to == [lab.host_address]
        {
            // Peers call whatever address of the hypervisor the router forwards to.
            true => String::new(),
            false => format!("ip daddr {} ", addresses(&flow.to)),
        };
    let ports = braced(flow.ports.iter().map(u16::to_string));
    format!("{from}{to}{} dport {ports} accept comment \"{}\"", flow.protocol.word(), flow.purpose)
}

fn addresses(addresses: &[Ipv4Addr]) -> String {
    braced(addresses.iter().map(Ipv4Addr::to_string))
}

pub(in crate::render) fn set(prefixes: &[Ipv4Net]) -> String {
    let short = |prefix: &Ipv4Net| match prefix.prefix_len() {
        32 => prefix.addr().to_string(),
        _ => prefix.to_string(),
    };
    braced(prefixes.iter().map(short))
}

fn braced(items: impl Iterator<Item = String>) -> String {
    let items: Vec<_> = items.collect();
    if let [item] = &items[..] { item.clone() } else { format!("{{ {} }}", items.join(", ")) }
}
