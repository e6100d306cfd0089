//! `[vips]`: the addresses of the virtual routers, or those that the operator names.

use std::net::IpAddr;

use fmc_config::model::family::Family;

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
        let (address, interface, follows) = (*address, None, None);
        vips.add(name.as_str(), Vip { address, virtual_router_id: None, virtual_mac: None, follows, interface });
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
    // Keepalived lists them all in its adverts, and compares: one election, as there. Excluded ones it does not list.
    let virtual_mac = virtual_mac(router, views, ledger);
    let mut leader = None;
    for (place, (said, is_advertised)) in all.enumerate() {
        let Address { address, prefix, interface } = &said.value;
        let elsewhere =
            interface.as_ref().filter(|name| router.interface.as_ref().map(|said| &said.value) != Some(*name));
        if elsewhere.is_some() && !(is_advertised && place > 0) {
            ledger.refuse(said.at, "an address is where its adverts are: give it a virtual router on that interface");
            continue;
        }
        installed(said, *prefix, nodes, ledger);
        router.id.iter().for_each(|id| ledger.kept(id.at, "virtual_router_id"));
        if let Some((name, vip)) = vips.0.iter_mut().find(|(_, vip)| vip.address == *address) {
            vip.virtual_mac = vip.virtual_mac.or(virtual_mac).filter(|_| vip.follows.is_none());
            router.interface.iter().for_each(|said| ledger.kept(said.at, "interface"));
            ledger.kept(said.at, format!("vips.{name}"));
            leader = leader.or_else(|| Some(name.clone()));
            continue;
        }
        // One of the other family is in no advert there, and follows here: it is in none here either.
        let is_together = is_advertised || is_of_other_family(router, *address);
        let follows = leader.clone().filter(|_| is_together);
        let own_id = router.id.as_ref().filter(|_| is_together && follows.is_none());
        let own = on(index, router, views, nodes, ledger);
        let interface = elsewhere.cloned().map(Interface::Same).or(own);
        let (address, id) = (*address, own_id.map(|id| id.value));
        let virtual_mac = virtual_mac.filter(|_| follows.is_none());
        let vip = Vip { address, virtual_router_id: id, virtual_mac, follows, interface };
        let words = told(is_advertised, is_of_other_family(router, address), vip.follows.as_deref());
        let name = vips.add(&named(router, address, place), vip);
        match words {
            None => ledger.kept(said.at, format!("vips.{name}")),
            Some(words) => ledger.changed(said.at, format!("vips.{name}, {words}")),
        }
        leader = leader.or(Some(name));
    }
}

/// Adverts to each node alone cannot keep it known.
fn virtual_mac(router: &Router, views: &[View], ledger: &mut Ledger) -> Option<bool> {
    let at = router.virtual_mac?;
    if views.iter().flat_map(|view| &view.routers).any(|other| other.unicast.is_some()) {
        ledger.changed(
            at,
            "the card's MAC address: with `transport = \"unicast\"` nothing keeps switches knowing the virtual one",
        );
        return None;
    }
    ledger.kept(at, "virtual_mac");
    Some(true)
}

/// What is another way than Keepalived's.
fn told(is_advertised: bool, is_of_other_family: bool, follows: Option<&str>) -> Option<String> {
    match follows {
        Some(leader) if is_of_other_family && is_advertised => Some(format!("which follows {leader}: Keepalived ignores one of another family than the first, and nobody has had it")),
        Some(leader) if is_of_other_family => Some(format!("which follows {leader}: one election, and no advert that names it, as in the instance")),
        _ if !is_advertised => Some("with a virtual router of its own: an address that no advert names is not known here. Keepalived does not know that router, so stop Keepalived before fmc-lb starts".to_owned()),
        Some(leader) => Some(format!("which follows {leader}: one election, as in the instance")),
        None => None,
    }
}

fn is_of_other_family(router: &Router, address: IpAddr) -> bool {
    let first = router.addresses.first().map(|said| Family::of(said.value.address));
    first.is_some_and(|family| family != Family::of(address))
}

/// What no frontend is on: clients could not name it.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// What tells addresses of one network apart: the last octet, of IPv6 the last group.
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.octets()[3].to_string(),
        IpAddr::V6(address) => format!("{:x}", address.segments()[7]),
    }
}

/// A short name: what HAProxy calls the service is the frontend's.
fn named(router: &Router, address: IpAddr, place: usize) -> String {
    let name = router.name.to_ascii_lowercase();
    let name = name.strip_prefix("vi_").or_else(|| name.strip_prefix("vi-")).unwrap_or(&name);
    match (name, place) {
        ("", _) => format!("vip-{}", host(address)),
        (number, _) if number.chars().all(|c| c.is_ascii_digit()) => format!("vip-{}", host(address)),
        (name, 0) => name.to_owned(),
        (name, _) => format!("{name}-{}", host(address)),
    }
}

fn installed(said: &Said<Address>, prefix: Option<u8>, nodes: &[Node], ledger: &mut Ledger) {
    let family = Family::of(said.value.address);
    let (whole, usual) = (family.bits(), if family == Family::V4 { 24 } else { 64 });
    let prefix = prefix.filter(|prefix| *prefix < whole);
    if let Some(prefix) = prefix {
        ledger.changed(
            said.at,
            format!("installed as /{whole}: with /{prefix} the node would take it for its own address in that network"),
        );
    }
    let is_near = |node: &&Node| {
        let network = ipnet::IpNet::new(node.address, prefix.unwrap_or(usual));
        network.is_ok_and(|network| network.contains(&said.value.address))
    };
    let of_family: Vec<_> = nodes.iter().filter(|node| Family::of(node.address) == family).collect();
    if !of_family.is_empty() && !of_family.iter().any(is_near) {
        let problem = format!(
            "{} is in no network of the nodes, if those are /{usual}: neighbours reach it only by a route, and a route to one node does not move with the address",
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
pub(super) fn unknown(address: IpAddr, at: At, ledger: &mut Ledger) {
    let words = format!(
        "{address} is no virtual address of these files: name it with --vip NAME={address}, or leave the bind out"
    );
    ledger.refuse(at, words);
}
