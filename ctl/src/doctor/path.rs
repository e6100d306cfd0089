//! The way that answers take, and who answers for the VIPs as a client of their network sees it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;

use super::site::Site;
use super::{Findings, Message};
use crate::program;

/// An ARP reply in a LAN comes within milliseconds; the kernel asks three times, a second apart.
const ANSWERS_WITHIN: Duration = Duration::from_millis(1500);

/// The discard port: what is sent there only makes the kernel ask who has the address.
const DISCARD: u16 = 9;

pub(super) fn examine(site: &Site, found: &mut Findings) {
    if routes_are_right(site, found) {
        found.good("path", &Message::ReturnPath());
    }
    reverse_filter(site, found);
    arp(site, found);
}

fn routes_are_right(site: &Site, found: &mut Findings) -> bool {
    let mut right = true;
    for (vip, interface) in site.vips() {
        for peer in site.others() {
            let (to, from) = (peer.address.to_string(), site.node.address.to_string());
            // An address that is not here has no route of its own; what rules there are ask for the node's.
            let by = program::json("ip", &["-j", "route", "get", &to, "from", &from]).as_ref().and_then(device);
            let is_direct = Some(interface) == site.own_interface();
            if let Some(by) = by.filter(|by| is_direct && by != interface) {
                right = false;
                let interface = interface.to_owned();
                found.wrong("path", &Message::WrongReturnPath(vip.address.to_string(), to, by, interface));
            }
        }
    }
    for backend in &site.config.backends {
        for server in &backend.servers {
            let to = server.address.to_string();
            if program::json("ip", &["-j", "route", "get", &to]).as_ref().and_then(device).is_none() {
                right = false;
                found.wrong("path", &Message::NoRoute(format!("{}/{}", backend.name, server.name), to));
            }
        }
    }
    right
}

fn device(routes: &Value) -> Option<String> {
    let route = routes.get(0)?;
    // `unreachable`, `prohibit` and `blackhole` say so; a usable one has no type, or is local.
    let is_usable = route["type"].as_str().is_none_or(|kind| kind == "unicast" || kind == "local");
    route["dev"].as_str().filter(|_| is_usable).map(str::to_owned)
}

/// Strict reverse path filtering (ip-sysctl.rst, rp_filter) where a second way exists; and ARP for addresses of a neighbour interface.
fn reverse_filter(site: &Site, found: &mut Findings) {
    let loopback = |interface: &str| interface == "lo";
    let mut others: Vec<&str> = site.addresses.iter().map(|held| held.interface.as_str()).collect();
    others.retain(|interface| !loopback(interface));
    others.dedup();
    let of = |key: &str, interface: &str| program::setting(&format!("net/ipv4/conf/{interface}/{key}")).unwrap_or(0);
    for interface in site.interfaces() {
        let Some(other) = others.iter().find(|other| **other != interface) else { continue };
        // The larger of the two settings counts.
        if of("rp_filter", interface).max(of("rp_filter", "all")) == 1 {
            found.note("sysctls", &Message::ReverseFilter(interface.to_owned(), (*other).to_owned()));
        }
        let network = |name: &str| {
            site.addresses
                .iter()
                .find(|held| held.interface == name && held.address.is_ipv4())
                .map(|held| prefix(held.address))
        };
        if network(interface) == network(other) && of("arp_ignore", "all").max(of("arp_ignore", interface)) == 0 {
            found.wrong("sysctls", &Message::ArpFlux(interface.to_owned(), (*other).to_owned()));
        }
    }
}

/// As wide as networks of machines are: prefixes are not read here.
fn prefix(address: IpAddr) -> Option<IpNet> {
    let length = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new(address, length).ok().map(|network| network.trunc())
}

/// Who answers for the other nodes and for the VIPs that are not here: what their clients find.
fn arp(site: &Site, found: &mut Findings) {
    let is_here = |address: IpAddr| site.addresses.iter().any(|held| held.address == address);
    let near: Vec<Option<IpNet>> = site.addresses.iter().map(|held| prefix(held.address)).collect();
    let away: Vec<IpAddr> = site.config.vips.iter().map(|vip| vip.address).filter(|vip| !is_here(*vip)).collect();
    let peers: Vec<_> = site.others().filter(|peer| near.contains(&prefix(peer.address))).collect();
    for address in peers.iter().map(|peer| peer.address).chain(away.iter().copied()) {
        let any = if address.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
        let Ok(socket) = UdpSocket::bind((any, 0)) else { return };
        let _asked = socket.send_to(&[0], (address, DISCARD));
    }
    std::thread::sleep(ANSWERS_WITHIN);
    let table = program::json("ip", &["-j", "neigh", "show"]).unwrap_or_default();
    for peer in &peers {
        if hardware(&table, peer.address).is_none() {
            found.wrong("arp", &Message::PeerSilent(peer.name.to_string(), peer.address.to_string()));
        }
    }
    for address in away {
        let Some(answers) = hardware(&table, address) else {
            found.note("arp", &Message::ArpSilent(address.to_string()));
            continue;
        };
        let node = peers.iter().find(|peer| hardware(&table, peer.address) == Some(answers));
        let (address, answers) = (address.to_string(), answers.to_owned());
        match node {
            Some(node) => found.good("arp", &Message::ArpAgrees(address, answers, node.name.to_string())),
            None => found.wrong("arp", &Message::ArpStranger(address, answers)),
        }
    }
}

/// The hardware address of a neighbour that has answered.
fn hardware(table: &Value, address: IpAddr) -> Option<&str> {
    let address = address.to_string();
    let entry = table.as_array()?.iter().find(|entry| entry["dst"] == address.as_str())?;
    let failed = entry["state"].as_array().is_some_and(|states| states.iter().any(|state| state == "FAILED"));
    entry["lladdr"].as_str().filter(|_| !failed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_route_that_refuses_is_none() {
        assert_eq!(device(&json!([{"dst": "10.17.4.21", "dev": "eth0"}])).as_deref(), Some("eth0"));
        assert_eq!(device(&json!([{"type": "unreachable", "dst": "10.17.4.21", "dev": "lo"}])), None);
        assert_eq!(device(&json!([])), None);
    }

    #[test]
    fn a_neighbour_that_did_not_answer_has_no_hardware_address() {
        let table = json!([{"dst": "192.168.0.31", "lladdr": "02:00:00:00:00:31", "state": ["REACHABLE"]},
            {"dst": "192.168.0.32", "lladdr": "02:00:00:00:00:99", "state": ["FAILED"]}, {"dst": "192.168.0.33", "state": ["INCOMPLETE"]}]);
        let of = |last| hardware(&table, IpAddr::from([192, 168, 0, last]));
        assert_eq!((of(31), of(32), of(33), of(34)), (Some("02:00:00:00:00:31"), None, None, None));
    }
}
