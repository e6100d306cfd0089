//! Whether the firewall lets in what a balancer lives by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fmc_config::model::election::Transport;
use fmc_config::model::frontend::Protocol;
use fmc_config::model::node::Node;

use super::packet::{Fate, Packet};
use super::site::Site;
use super::{Findings, Message, iptables, nftables};
use crate::program;

/// VRRP's groups (RFC 9568 §5.1.1.2, §5.1.2.2).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// A link-local address stands for all: which one the other node has is not known here.
const ANOTHER_NODE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// A client of the same network stands for all: who may come at all is said by `allow`.
const CLIENT_HOST: u8 = 254;

/// Something that has to come in.
struct Wanted {
    what: String,
    /// How firewalld opens it.
    open: String,
    packet: Packet,
}

pub(super) fn examine(site: &Site, found: &mut Findings) {
    let nft = program::json("nft", &["-j", "list", "ruleset"]);
    let [old, old_6] =
        ["iptables-legacy-save", "ip6tables-legacy-save"].map(|name| program::text(name, &["-t", "filter"]));
    if nft.is_none() && old.is_none() && old_6.is_none() {
        return found.note("firewall", &Message::FirewallUnread());
    }
    let mut all_pass = true;
    for Wanted { what, open, packet } in wanted(site) {
        let of_nft = nft.as_ref().map_or(Fate::Passes, |ruleset| nftables::fate(ruleset, &packet));
        let old = if packet.to.is_ipv4() { &old } else { &old_6 };
        let of_old = old.as_ref().map_or(Fate::Passes, |saved| iptables::fate(saved, &packet));
        // What the one drops the other cannot bring back.
        let worst = [&of_nft, &of_old].into_iter().find(|fate| matches!(fate, Fate::Dropped(_)));
        match worst.or_else(|| [&of_nft, &of_old].into_iter().find(|fate| **fate != Fate::Passes)) {
            None | Some(Fate::Passes) => {}
            Some(Fate::Dropped(rule)) => {
                all_pass = false;
                found.wrong("firewall", &Message::FirewallDrops(what, rule.clone(), open));
            }
            Some(Fate::Unsure(rule)) => {
                all_pass = false;
                found.note("firewall", &Message::FirewallUnsure(what, rule.clone()));
            }
        }
    }
    if all_pass {
        found.good("firewall", &Message::Firewall());
    }
}

fn wanted(site: &Site) -> Vec<Wanted> {
    let pair = site.config.pair.port.get();
    let opened = |rule: &str| format!("firewall-cmd --permanent --add-{rule} && firewall-cmd --reload");
    let mut all = Vec::new();
    for peer in site.others() {
        for (interface, is_ipv6) in elections(site) {
            let (from, to) = advert(site, peer, is_ipv6);
            let packet = Packet { interface: interface.to_owned(), from, to, protocol: 112, port: None };
            let what = format!("VRRP (protocol 112) from {} on {interface}", peer.name);
            all.push(Wanted { what, open: opened("protocol=vrrp"), packet });
        }
        let Some(interface) = site.own_interface() else { continue };
        for (name, protocol) in [("udp", 17), ("tcp", 6)] {
            if name == "tcp" && site.config.pair.key_file.is_none() {
                continue;
            }
            let (interface, to, port) = (interface.to_owned(), site.node.address, Some(pair));
            let packet = Packet { interface, from: peer.address, to, protocol, port };
            let what = format!("{pair}/{name} from {}", peer.name);
            all.push(Wanted { what, open: opened(&format!("port={pair}/{name}")), packet });
        }
    }
    for (vip, interface) in site.vips() {
        let from = neighbour(vip.address);
        for frontend in site.config.frontends.iter().filter(|frontend| frontend.vip == vip.name) {
            let (word, number) = (frontend.protocol.word(), if frontend.protocol == Protocol::Udp { 17 } else { 6 });
            for port in frontend.ports.iter().map(|route| route.listen.get()) {
                let interface = interface.to_owned();
                let packet = Packet { interface, from, to: vip.address, protocol: number, port: Some(port) };
                let what = format!("{port}/{word} to {} from its own network", vip.address);
                all.push(Wanted { what, open: opened(&format!("port={port}/{word}")), packet });
            }
        }
    }
    all
}

/// The interfaces that adverts go by, once for each family.
fn elections(site: &Site) -> Vec<(&str, bool)> {
    let electing = site.vips().filter(|(vip, _)| vip.follows.is_none());
    let mut all: Vec<_> = electing.map(|(vip, interface)| (interface, vip.address.is_ipv6())).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// From where to where an advert of another node goes.
fn advert(site: &Site, peer: &Node, is_ipv6: bool) -> (IpAddr, IpAddr) {
    let of_family = |node: &Node| {
        let mut all = std::iter::once(&node.address).chain(&node.other_addresses).copied();
        all.find(|address| address.is_ipv6() == is_ipv6).unwrap_or(node.address)
    };
    match (site.config.election.transport, is_ipv6) {
        (Transport::Unicast, _) => (of_family(peer), of_family(&site.node)),
        (Transport::Multicast, false) => (of_family(peer), GROUP.into()),
        (Transport::Multicast, true) => (ANOTHER_NODE.into(), GROUP_6.into()),
    }
}

fn neighbour(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            [a, b, c, CLIENT_HOST].into()
        }
        IpAddr::V6(address) => {
            let mut octets = address.octets();
            octets[15] = CLIENT_HOST;
            octets.into()
        }
    }
}
