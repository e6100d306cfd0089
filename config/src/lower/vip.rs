//! The virtual addresses: nobody else's, each with a virtual router of its own on its network or with that of the VIP it follows.

use std::net::IpAddr;

use super::name;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::family::Family;
use crate::model::name::NodeName;
use crate::model::node::{InterfaceName, Node};
use crate::model::vip::{Vip, VirtualRouterId};
use crate::toml::RawConfig;
use crate::toml::address::Host;
use crate::toml::address::is_link_local;
use crate::toml::nodes::RawNode;
use crate::toml::vips::{RawInterface, RawVip};

/// The identifier in most guides to Keepalived and kubeadm, and so the likeliest to be on the network already.
const COMMON_ID: u8 = 51;

/// The VIPs in the order typed.
pub(super) fn lower(raw: &RawConfig, nodes: &[Node], findings: &mut Findings) -> Vec<Vip> {
    if raw.vips.is_empty() {
        let place = Place { span: 0..0, field: "vips".to_owned() };
        let fix = "add a table such as `[vips.api]` with `address = \"192.168.0.32\"`";
        findings.add(Code::NoVip, &place, "no virtual address is named, so there is nothing to serve", fix);
    }
    report_taken_addresses(raw, findings);
    report_unserved(raw, findings);
    let vips: Vec<_> = raw.vips.iter().filter_map(|vip| Some((vip, one(vip, raw, findings)?))).collect();
    report_shared_ids(&vips, nodes, findings);
    vips.into_iter().map(|(_, vip)| vip).collect()
}

fn one(raw: &RawVip, all: &RawConfig, findings: &mut Findings) -> Option<Vip> {
    let name = name::lower(&raw.name, findings);
    let interfaces = interfaces(&raw.interface, &all.nodes, findings);
    let address = raw.address.as_ref()?.value;
    let (follows, virtual_router_id) = match &raw.follows {
        Some(typed) => {
            let leader = leader(raw, typed, &all.vips, findings)?;
            (Some(leader.name.value.parse().ok()?), identifier(leader)?)
        }
        None => (None, virtual_router_id(raw, findings)?),
    };
    let virtual_mac = raw.virtual_mac.as_ref().is_some_and(|typed| typed.value);
    Some(Vip { name: name?, address, follows, virtual_router_id, virtual_mac, interfaces })
}

/// The one that is followed, which elects: whoever follows has no election that another could follow.
fn leader<'a>(
    raw: &RawVip,
    typed: &Located<String>,
    vips: &'a [RawVip],
    findings: &mut Findings,
) -> Option<&'a RawVip> {
    let leader = name::resolve(typed, vips, |vip| &vip.name, (Code::UnknownVip, "vips"), findings)?;
    let Some(further) = &leader.follows else { return Some(leader) };
    if leader.name.value == raw.name.value {
        let fix = "remove `follows`, or name the VIP that shall elect for both";
        findings.add(Code::FollowChain, &typed.place, "a VIP cannot follow itself", fix);
    } else {
        let problem = format!("vips.{} follows another VIP itself, so it has no election to follow", typed.value);
        findings.add(Code::FollowChain, &typed.place, problem, format!("write `follows = {:?}`", further.value));
        findings.because(&further.place, "follows");
    }
    None
}

/// As typed, or the last octet of the address.
fn identifier(raw: &RawVip) -> Option<VirtualRouterId> {
    let last_octet = raw.address.as_ref().map(|address| match address.value {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    });
    let typed = raw.virtual_router_id.as_ref().map(|typed| typed.value);
    VirtualRouterId::new(typed.or(last_octet)?)
}

fn virtual_router_id(raw: &RawVip, findings: &mut Findings) -> Option<VirtualRouterId> {
    let (id, address) = (identifier(raw), raw.address.as_ref()?);
    if id.is_none() {
        let problem =
            format!("the last octet of {} is 0, which no virtual router may have for its identifier", address.value);
        let fix = "add `virtual_router_id` with a number from 1 to 255 that nobody else on this network uses";
        findings.add(Code::VirtualRouterIdNeeded, &address.place, problem, fix);
    }
    // The guides are about IPv4, and the same number over IPv6 is another virtual router (RFC 9568 §1).
    if address.value.is_ipv4() && id.is_some_and(|id| id.get() == COMMON_ID) {
        let problem =
            format!("virtual router {COMMON_ID} is what most guides use, so another cluster here may have it too");
        let fix = "name a rarer `virtual_router_id`, the same on every node";
        findings.add(Code::VirtualRouterIdCommon, id_place(raw, address), problem, fix);
    }
    id
}

fn id_place<'a>(raw: &'a RawVip, address: &'a Located<IpAddr>) -> &'a Place {
    raw.virtual_router_id.as_ref().map_or(&address.place, |typed| &typed.place)
}

fn interfaces(raw: &RawInterface, nodes: &[RawNode], findings: &mut Findings) -> Vec<(NodeName, InterfaceName)> {
    match raw {
        RawInterface::Default => Vec::new(),
        RawInterface::Everywhere(interface) => {
            let names = nodes.iter().filter_map(|node| node.name.value.parse().ok());
            names.map(|name| (name, interface.clone())).collect()
        }
        RawInterface::PerNode(entries) => {
            let known = |(node, interface): &(Located<String>, InterfaceName)| {
                let node = name::resolve(node, nodes, |node| &node.name, (Code::UnknownNode, "nodes"), findings)?;
                Some((node.name.value.parse().ok()?, interface.clone()))
            };
            entries.iter().filter_map(known).collect()
        }
    }
}

/// A VIP must be nobody's own address: its owner answers for it, and every other machine forgets the true one.
fn report_taken_addresses(raw: &RawConfig, findings: &mut Findings) {
    for (at, vip) in raw.vips.iter().enumerate() {
        let Some(address) = &vip.address else { continue };
        let earlier = raw.vips[..at].iter().find_map(|other| Some((other, same(other.address.as_ref(), address)?)));
        if let Some((other, place)) = earlier {
            let problem = format!("{} is already the address of vips.{}", address.value, other.name.value);
            let fix = "give each VIP an address of its own, or put both frontends on the one VIP";
            findings.add(Code::VipAddressTaken, &address.place, problem, fix);
            findings.because(place, "first said here");
        }
        report_node_address(address, &raw.nodes, findings);
        report_server_address(address, raw, findings);
    }
}

fn report_node_address(address: &Located<IpAddr>, nodes: &[RawNode], findings: &mut Findings) {
    let own = |node: &RawNode| node.address.iter().chain(&node.other_addresses).any(|own| own.value == address.value);
    let Some(node) = nodes.iter().find(|node| own(node)) else { return };
    let problem = format!("{} is the own address of node {}, which cannot move", address.value, node.name.value);
    findings.add(Code::VipIsNode, &address.place, problem, "use a free address of the same network");
    findings.because(&node.name.place, "this node");
}

fn report_server_address(address: &Located<IpAddr>, raw: &RawConfig, findings: &mut Findings) {
    for backend in &raw.backends {
        let servers = backend.servers.iter().flat_map(|servers| &servers.list);
        for server in servers.filter(|server| server.address.value == Host::Address(address.value)) {
            let problem = format!(
                "{} is a VIP of this file, so connections would come back to where they are sent from",
                address.value
            );
            let fix = "write the server's own address";
            findings.add(Code::VipIsServer, &server.address.place, problem, fix);
            findings.because(&address.place, "the VIP");
        }
    }
}

fn same<'a>(other: Option<&'a Located<IpAddr>>, address: &Located<IpAddr>) -> Option<&'a Place> {
    other.filter(|other| other.value == address.value).map(|other| &other.place)
}

fn report_unserved(raw: &RawConfig, findings: &mut Findings) {
    for vip in &raw.vips {
        let serves = |name: &Option<Located<String>>| name.as_ref().is_some_and(|name| name.value == vip.name.value);
        if !raw.frontends.iter().any(|frontend| serves(&frontend.vip)) && !is_for_others(vip, raw) {
            let fix = format!("add a frontend with `vip = {:?}`, or remove this table", vip.name.value);
            let problem = "no frontend listens here: the address moves between the nodes, but nothing answers on it";
            findings.add(Code::VipWithoutFrontend, &vip.place, problem, fix);
        }
    }
}

/// A link-local one that others follow makes their advertisements begin as RFC 9568 §5.2.9 has it.
fn is_for_others(vip: &RawVip, raw: &RawConfig) -> bool {
    let follows = |other: &RawVip| other.follows.as_ref().is_some_and(|leader| leader.value == vip.name.value);
    vip.address.as_ref().is_some_and(|address| is_link_local(address.value)) && raw.vips.iter().any(follows)
}

/// Two virtual routers with one identifier on one network would fight (RFC 9568 §7.1 sorts adverts by interface and identifier).
fn report_shared_ids(vips: &[(&RawVip, Vip)], nodes: &[Node], findings: &mut Findings) {
    for (at, (raw, vip)) in vips.iter().enumerate() {
        let alone = |vip: &Vip| vip.follows.is_none();
        let clash = vips[..at].iter().filter(|(_, other)| alone(vip) && alone(other)).find(|(_, other)| {
            other.virtual_router_id == vip.virtual_router_id
                && Family::of(other.address) == Family::of(vip.address)
                && other.address != vip.address
                && nodes.iter().any(|node| may_meet(vip, other, node))
        });
        let (Some((first, other)), Some(address)) = (clash, &raw.address) else { continue };
        let (id, name) = (vip.virtual_router_id, &other.name);
        let problem = format!("virtual router {id} is already vips.{name} on the same network");
        let fix = "add `virtual_router_id` with a number of its own, from 1 to 255";
        findings.add(Code::VirtualRouterIdTaken, id_place(raw, address), problem, fix);
        if let Some(first_address) = &first.address {
            findings.because(id_place(first, first_address), "first used here");
        }
    }
}

/// Only two different names prove two networks: the interface that holds a node's address is not known here.
fn may_meet(one: &Vip, other: &Vip, node: &Node) -> bool {
    match (one.interface_on(node), other.interface_on(node)) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    }
}
