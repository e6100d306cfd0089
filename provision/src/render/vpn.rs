//! WireGuard: wg-quick(8) for the server in the LAN and for each peer whose key this lab has, and what a gateway on the Internet lets in.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::host::firewall::set;
use super::ini::Ini;
use super::system::{SECRETS, System, secret_path};
use super::{Files, RENDERED};
use crate::flow::apart;
use crate::inventory::scalar::Name;
use crate::inventory::{Protocol, Vpn, VpnPeer};
use crate::lab::{Lab, VpnServer};

/// NAT forgets a silent mapping; a peer that is called from outside keeps its own open (wg(8), PersistentKeepalive).
const KEEPALIVE: u8 = 25;

/// The hypervisor forwards by its own settings; a server and a gateway that are no part of it do by this.
const FORWARDS: &str = "sysctl -q -w net.ipv4.ip_forward=1";

/// What the hypervisor or a machine needs to be the server; nothing when it is neither.
pub(super) fn add(lab: &Lab, here: Ipv4Addr, system: &mut System) {
    let Some(vpn) = lab.vpn.as_ref().filter(|_| lab.vpn_server_address() == Some(here)) else { return };
    system.secret(&vpn.server.private_key, "WireGuard: the server's private key (wg genkey)");
    system.file("/etc/wireguard/wg0.conf", 0o600, "WireGuard: the server of the tunnel", server(lab, vpn, here));
    system.enable("wg-quick@wg0.service");
    system.packages.push("wireguard-tools");
}

/// Those that are no systems of this lab: a device as server, and peers.
pub(super) fn render(lab: &Lab, files: &mut Files) {
    let Some(vpn) = &lab.vpn else { return };
    if let Some(VpnServer::Device(address)) = lab.vpn_server() {
        let name =
            lab.devices.iter().find(|(_, own)| *own == address).map_or(String::new(), |(name, _)| name.to_string());
        files.add(
            format!("wireguard/{name}/wg0.conf"),
            "WireGuard: the server of the tunnel",
            server(lab, vpn, address),
        );
    }
    for (name, peer) in &vpn.peers {
        if let Some(text) = peer_file(lab, vpn, name, peer) {
            files.add(format!("wireguard/{name}/wg0.conf"), format!("WireGuard: {name}'s end of the tunnel"), text);
        }
    }
    if let Some((name, text)) = gateway(lab, vpn) {
        files.add(format!("wireguard/{name}/fmc-lab.nft"), "what the gateway forwards into the tunnel", text);
    }
}

fn server(lab: &Lab, vpn: &Vpn, here: Ipv4Addr) -> String {
    let ini = Ini::new().section("Interface").key("Address", tunnel(vpn, vpn.server.tunnel.get()));
    let ini = ini.key("ListenPort", vpn.port).key("PostUp", private_key(&secret_path(&vpn.server.private_key)));
    let forwarding = (here != lab.host_address).then(|| FORWARDS.to_owned());
    // A machine of the lab has its routes by its first boot.
    let device = matches!(lab.vpn_server(), Some(VpnServer::Device(_)));
    let routed = lab.routed().filter(|_| device);
    let routes = routed.map(|network| format!("ip route replace {} via {}", network.prefix, lab.host_address));
    let ini = ini.each("PostUp", forwarding.into_iter().chain(routes));
    vpn.peers
        .values()
        .fold(ini, |ini, peer| {
            let ini = ini.section("Peer").key("PublicKey", &peer.public_key);
            let ini = ini.key("AllowedIPs", Ipv4Net::from(peer.tunnel.get()));
            match &peer.endpoint {
                Some(address) => {
                    ini.key("Endpoint", format!("{address}:{}", vpn.port)).key("PersistentKeepalive", KEEPALIVE)
                }
                None => ini,
            }
        })
        .text()
}

fn peer_file(lab: &Lab, vpn: &Vpn, name: &Name, peer: &VpnPeer) -> Option<String> {
    let key = peer.private_key.as_ref()?;
    let ini = Ini::new().section("Interface").key("Address", tunnel(vpn, peer.tunnel.get()));
    let listens = peer.endpoint.is_some().then_some(vpn.port);
    let ini = ini.each("ListenPort", listens).key("PostUp", private_key(&format!("{SECRETS}/{}", key.file())));
    let gateway = lab.way.as_ref().is_some_and(|(_, way)| way.gateway.as_ref() == Some(name));
    let ini = ini.each("PostUp", gateway.then_some(FORWARDS));
    let ini = ini.section("Peer").key("PublicKey", &vpn.server.public_key).each("AllowedIPs", inside(lab, vpn));
    // Whoever is the gateway is called by the server; everybody else calls it at its public port.
    let public = lab.forwards.iter().find(|(_, forward)| forward.vip.is_none() && forward.protocol == Protocol::Udp);
    let endpoint = vpn.server.endpoint.as_ref().zip(public).filter(|_| !gateway);
    let endpoint = endpoint.map(|(endpoint, (_, forward))| format!("{endpoint}:{}", forward.port));
    Some(ini.each("Endpoint", endpoint).text())
}

/// Addresses that are reached through the tunnel.
fn inside(lab: &Lab, vpn: &Vpn) -> Vec<Ipv4Net> {
    apart(lab.networks.iter().map(|network| network.prefix).chain([vpn.network.get()]).collect())
}

fn tunnel(vpn: &Vpn, address: Ipv4Addr) -> String {
    format!("{address}/{}", vpn.network.get().prefix_len())
}

/// The key is read when the tunnel comes up, so that it stands in no file that is rendered.
fn private_key(path: &str) -> String {
    format!("wg set %i private-key {path}")
}

/// A gateway answers for the public address and sends what it lets in through the tunnel, under its own address there: the servers of the lab
/// have one way out only.
fn gateway(lab: &Lab, vpn: &Vpn) -> Option<(Name, String)> {
    let name = lab.way.as_ref()?.1.gateway.clone()?;
    let tunnel = vpn.peers.get(&name)?.tunnel.get();
    let forwards =
        lab.forwards.iter().filter_map(|(_, forward)| Some((forward, lab.vip(forward.vip.as_ref()?)?.address)));
    let from = lab.beyond_cdn().map(|from| format!("ip saddr {} ", set(&from))).unwrap_or_default();
    let rules: String = forwards
        .map(|(forward, vip)| {
            let (protocol, port, to_port) = (forward.protocol.word(), forward.port, forward.to_port);
            format!("        iifname != \"wg0\" {from}{protocol} dport {port} dnat ip to {vip}:{to_port}\n")
        })
        .collect();
    let text = format!(
        "#!/usr/sbin/nft -f\n{RENDERED}\n\ntable inet fmc_lab\ndelete table inet fmc_lab\n\ntable inet fmc_lab {{\n    \
         chain prerouting {{\n        type nat hook prerouting priority dstnat; policy accept;\n\n{rules}    }}\n\n    \
         chain postrouting {{\n        type nat hook postrouting priority srcnat; policy accept;\n\n        \
         oifname \"wg0\" snat ip to {tunnel}\n    }}\n}}\n"
    );
    Some((name, text))
}
