//! `[vips]`: the addresses of the virtual routers, or those that the operator names.

use std::net::Ipv4Addr;

use super::node::Node;
use crate::Wishes;
use crate::draft::{Interface, Named, Vip};
use crate::keepalived::View;
use crate::keepalived::router::{Address, Router};
use crate::ledger::{At, Code, Ledger, Said};

/// The VRID of every guide.
const COMMON: u8 = 51;

pub(super) fn lower(views: &[View], nodes: &[Node], wishes: &Wishes, ledger: &mut Ledger) -> Named<Vip> {
    let mut vips = Named::default();
    for (name, address) in &wishes.vips {
        vips.add(name.as_str(), Vip { address: *address, virtual_router_id: None, interface: None });
    }
    for (index, view) in views.iter().enumerate() {
        view.routers.iter().for_each(|router| of_router(index, router, views, nodes, &mut vips, ledger));
    }
    vips
}

fn of_router(
    index: usize,
    router: &Router,
    views: &[View],
    nodes: &[Node],
    vips: &mut Named<Vip>,
    ledger: &mut Ledger,
) {
    ledger.kept(router.at, "[vips]");
    if let Some(id) = router.id.as_ref().filter(|id| id.value == COMMON) {
        let problem = "51 is the virtual_router_id of every guide, and so of the neighbour's pair";
        let advice = "once both nodes run fmc-lb, leave virtual_router_id out: the last octet of the address is taken";
        ledger.lint(Code::CommonVirtualRouterId, id.at, problem, advice);
    }
    let all = router.addresses.iter().map(|said| (said, true)).chain(router.excluded.iter().map(|said| (said, false)));
    for (place, (said, is_advertised)) in all.enumerate() {
        let Address { address, prefix, interface } = &said.value;
        if interface.is_some() && interface.as_ref() != router.interface.as_ref().map(|said| &said.value) {
            ledger.refuse(said.at, "an address is where its adverts are: give it a virtual router on that interface");
            continue;
        }
        installed(said, *prefix, nodes, ledger);
        if vips.0.iter().any(|(_, vip)| vip.address == *address) {
            router.id.iter().for_each(|id| ledger.kept(id.at, "virtual_router_id"));
            router.interface.iter().for_each(|said| ledger.kept(said.at, "interface"));
            continue;
        }
        let own_router = place == 0 && is_advertised;
        let virtual_router_id = own_router.then_some(router.id.as_ref()).flatten().map(|id| id.value);
        let name = named(router, *address, place);
        let name = vips.add(
            &name,
            Vip { address: *address, virtual_router_id, interface: on(index, router, views, nodes, ledger) },
        );
        router.id.iter().for_each(|id| ledger.kept(id.at, "virtual_router_id"));
        if own_router {
            ledger.kept(said.at, format!("vips.{name}"));
        } else {
            ledger.changed(said.at, format!("vips.{name}, with a virtual router of its own: each address has one. Keepalived does not know it, so stop Keepalived before fmc-lb starts"));
        }
    }
}

/// A short name: what HAProxy calls the service is the frontend's.
fn named(router: &Router, address: Ipv4Addr, place: usize) -> String {
    let name = router.name.to_ascii_lowercase();
    let name = name.strip_prefix("vi_").or_else(|| name.strip_prefix("vi-")).unwrap_or(&name);
    match (name, place) {
        ("", _) => format!("vip-{}", address.octets()[3]),
        (number, _) if number.chars().all(|c| c.is_ascii_digit()) => format!("vip-{}", address.octets()[3]),
        (name, 0) => name.to_owned(),
        (name, _) => format!("{name}-{}", address.octets()[3]),
    }
}

fn installed(said: &Said<Address>, prefix: Option<u8>, nodes: &[Node], ledger: &mut Ledger) {
    if let Some(prefix) = prefix.filter(|prefix| *prefix < 32) {
        ledger.changed(
            said.at,
            format!("installed as /32: with /{prefix} the node would take it for its own address in that network"),
        );
    }
    let network = |node: &Node| {
        ipnet::Ipv4Net::new_assert(node.address, prefix.filter(|prefix| *prefix < 32).unwrap_or(24)).trunc()
    };
    if !nodes.is_empty() && !nodes.iter().any(|node| network(node).contains(&said.value.address)) {
        let problem = format!(
            "{} is in no network of the nodes, if those are /24: neighbours reach it only by a route, and a route to one node does not move with the address",
            said.value.address
        );
        ledger.lint(
            Code::VipOutsideSubnets,
            said.at,
            problem,
            "take an address of the nodes' own network; or see that routers have the address on the link itself",
        );
    }
}

/// The interface that Keepalived names, on each node.
fn on(index: usize, router: &Router, views: &[View], nodes: &[Node], ledger: &mut Ledger) -> Option<Interface> {
    let own = router.interface.as_ref()?;
    ledger.kept(own.at, "interface");
    let of_view = |(place, view): (usize, &View)| {
        let twin = view.routers.iter().find(|other| same(other, router)).and_then(|other| other.interface.as_ref())?;
        let node = nodes.iter().find(|node| node.view == Some(place))?;
        Some((node.name.clone(), twin.clone()))
    };
    let each: Vec<(String, Said<String>)> = views.iter().enumerate().skip(index).filter_map(of_view).collect();
    if each.len() == nodes.len() && each.iter().any(|(_, said)| said.value != own.value) {
        return Some(Interface::Each(Named(each.into_iter().map(|(node, said)| (node, said.value)).collect())));
    }
    Some(Interface::Same(own.value.clone()))
}

fn same(one: &Router, other: &Router) -> bool {
    let id = |router: &Router| router.id.as_ref().map(|id| id.value);
    id(one) == id(other)
}

/// Refuses what is at `at` because the address is nobody's.
pub(super) fn unknown(address: Ipv4Addr, at: At, ledger: &mut Ledger) {
    let words = format!(
        "{address} is no virtual address of these files: name it with --vip NAME={address}, or leave the bind out"
    );
    ledger.refuse(at, words);
}
