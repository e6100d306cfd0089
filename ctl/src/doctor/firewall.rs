//! Whether the firewall lets in what a balancer lives by.

use std::net::Ipv4Addr;

use super::packet::{Fate, Packet};
use super::site::Site;
use super::{Findings, Message, iptables, nftables};
use crate::program;

/// VRRP's group (RFC 9568 §5.1.1.2).
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// A client of the same network stands for all: who may come at all is said by `allow`.
const CLIENT_HOST: u32 = 254;

/// Something that has to come in.
struct Wanted {
    what: String,
    /// How firewalld opens it.
    open: String,
    packet: Packet,
}

pub(super) fn examine(site: &Site, found: &mut Findings) {
    let nft = program::json("nft", &["-j", "list", "ruleset"]);
    let old = program::text("iptables-legacy-save", &["-t", "filter"]);
    if nft.is_none() && old.is_none() {
        return found.note("firewall", &Message::FirewallUnread());
    }
    let mut all_pass = true;
    for Wanted { what, open, packet } in wanted(site) {
        let of_nft = nft.as_ref().map_or(Fate::Passes, |ruleset| nftables::fate(ruleset, &packet));
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
    let unicast = site.config.election.transport != fmc_config::model::election::Transport::Multicast;
    for peer in site.others() {
        for interface in site.interfaces() {
            let to = if unicast { site.node.address } else { GROUP };
            let packet = Packet { interface: interface.to_owned(), from: peer.address, to, protocol: 112, port: None };
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
        let from = Ipv4Addr::from(u32::from(vip.address) & 0xffff_ff00 | CLIENT_HOST);
        for frontend in site.config.frontends.iter().filter(|frontend| frontend.vip == vip.name) {
            for port in frontend.ports.iter().map(|route| route.listen.get()) {
                let interface = interface.to_owned();
                let packet = Packet { interface, from, to: vip.address, protocol: 6, port: Some(port) };
                let what = format!("{port}/tcp to {} from its own network", vip.address);
                all.push(Wanted { what, open: opened(&format!("port={port}/tcp")), packet });
            }
        }
    }
    all
}
