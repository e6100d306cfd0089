//! Cables, addresses and routes: the LAN around the hypervisor, its bridges, the router, and an Internet of a few addresses.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use fmc_provision::inventory::NetworkKind;
use fmc_provision::lab::{Lab, Network};
use fmc_provision::render::machine::ANSWERS as UNIT;
use ipnet::Ipv4Net;

use super::{ADMINISTRATOR, GUEST, HYPERVISOR, INTERNET, OUTSIDE, ROUTER, Rehearsal, SWITCH};
use crate::link::ip_batch;
use crate::namespace::Namespace;

/// The public address of the router: of the block for documentation (RFC 5737), as all of this Internet.
pub(super) const WAN: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
/// Of somebody on the Internet.
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 9);
const INTERNET_ROUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// Bridges pass frames at once.
const BRIDGE: &str = "type bridge forward_delay 0 stp_state 0 mcast_snooping 0";

/// A host in the LAN or on the Internet, with one cable.
struct Neighbour {
    name: String,
    address: Ipv4Net,
    gateway: Ipv4Addr,
}

pub(super) fn build(rehearsal: &mut Rehearsal) {
    let lab = rehearsal.described.clone();
    let (inside, outside) = (neighbours(&lab), strangers(&lab));
    let machines = lab.machines.iter().map(|machine| machine.name.to_string());
    let others = [SWITCH, INTERNET, ROUTER, HYPERVISOR].map(str::to_owned);
    let single = inside.iter().chain(&outside).map(|neighbour| neighbour.name.clone());
    let names: Vec<String> = others.into_iter().chain(machines).chain(single).collect();
    for name in &names {
        let namespace = Namespace::adopt(rehearsal.directory.namespace(name));
        rehearsal.hosts.insert(name.clone(), namespace);
    }
    ip_batch(None, &names.iter().map(|name| format!("netns add {}", rehearsal.host(name).name())).collect::<Vec<_>>());
    rehearsal.hosts.values().for_each(quiet);
    bridges(rehearsal, &lab);
    hypervisor_into_the_lan(rehearsal, &lab);
    machines_into_bridges(rehearsal, &lab);
    inside.iter().for_each(|neighbour| plug(rehearsal, SWITCH, "lan", neighbour));
    outside.iter().for_each(|neighbour| plug(rehearsal, INTERNET, "net", neighbour));
    router(rehearsal, &lab);
    kernels(rehearsal, &lab);
    packet_filters(rehearsal, &lab);
    routing_units(rehearsal, &lab);
}

fn quiet(namespace: &Namespace) {
    namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "1");
    namespace.sysctl("net/ipv6/conf/default/disable_ipv6", "1");
    ip_batch(Some(namespace), &["link set lo up".to_owned()]);
}

/// The network that the hypervisor stands in.
pub(super) fn lan(lab: &Lab) -> &Network {
    lab.network(&lab.host.network).expect("the inventory was checked")
}

/// The peer at which the Internet arrives, if that is not the router.
pub(super) fn gateway(lab: &Lab) -> Option<(String, Ipv4Addr)> {
    let (_, way) = lab.way.as_ref()?;
    let name = way.gateway.as_ref()?;
    let peer = lab.vpn.as_ref()?.peers.get(name)?;
    Some((name.to_string(), peer.endpoint.as_ref()?.get()))
}

/// Whoever else is in the LAN: devices, an administrator, and a guest who may nothing in particular.
fn neighbours(lab: &Lab) -> Vec<Neighbour> {
    let lan = lan(lab);
    let neighbour = |name: &str, address: Ipv4Addr| Neighbour {
        name: name.to_owned(),
        address: Ipv4Net::new(address, lan.prefix.prefix_len()).expect("a length of a network"),
        gateway: lan.gateway,
    };
    let devices = lab.devices.iter().filter(|(_, address)| lan.prefix.contains(address));
    let mut all: Vec<_> = devices.map(|(name, address)| neighbour(name.as_str(), *address)).collect();
    let administrator = lab.administrators.iter().find(|prefix| lan.prefix.contains(*prefix));
    all.extend(administrator.map(|prefix| neighbour(ADMINISTRATOR, prefix.addr())));
    let taken: BTreeSet<Ipv4Addr> = taken(lab).chain(all.iter().map(|other| other.address.addr())).collect();
    let is_administrator = |address: &Ipv4Addr| lab.administrators.iter().any(|prefix| prefix.contains(address));
    let free = lan.prefix.hosts().rfind(|address| !taken.contains(address) && !is_administrator(address));
    all.extend(free.map(|address| neighbour(GUEST, address)));
    all
}

fn taken(lab: &Lab) -> impl Iterator<Item = Ipv4Addr> {
    let machines = lab.machines.iter().flat_map(|machine| &machine.nics).map(|nic| nic.address);
    let vips = lab.vips.iter().map(|vip| vip.address);
    machines.chain(vips).chain(lab.networks.iter().map(|network| network.gateway)).chain([lab.host_address])
}

/// Whoever is on the Internet: somebody, and each peer of the tunnel whose file is rendered.
fn strangers(lab: &Lab) -> Vec<Neighbour> {
    let stranger = |name: &str, address: Ipv4Addr| {
        let address = Ipv4Net::new(address, 24).expect("24 bits are a length");
        let gateway = address.hosts().next().expect("a network of 254");
        Neighbour { name: name.to_owned(), address, gateway }
    };
    let mut all = vec![stranger(OUTSIDE, STRANGER)];
    let peers = lab.vpn.iter().flat_map(|vpn| &vpn.peers).filter(|(_, peer)| peer.private_key.is_some());
    all.extend(peers.filter_map(|(name, peer)| Some(stranger(name.as_str(), peer.endpoint.as_ref()?.get()))));
    all
}

fn bridges(rehearsal: &Rehearsal, lab: &Lab) {
    ip_batch(Some(rehearsal.host(SWITCH)), &[format!("link add lan {BRIDGE}"), "link set lan up".to_owned()]);
    let mut internet = vec![format!("link add net {BRIDGE}"), format!("address add {INTERNET_ROUTER}/24 dev net")];
    let others: BTreeSet<Ipv4Addr> = strangers(lab).iter().map(|stranger| stranger.gateway).collect();
    internet.extend(
        others.into_iter().filter(|it| *it != INTERNET_ROUTER).map(|it| format!("address add {it}/24 dev net")),
    );
    internet.push("link set net up".to_owned());
    ip_batch(Some(rehearsal.host(INTERNET)), &internet);
    let lines = lab.networks.iter().enumerate().flat_map(|(at, network)| {
        let name = &network.bridge;
        let own = (network.kind == NetworkKind::Routed)
            .then(|| format!("address add {}/{} dev {name}", network.gateway, network.prefix.prefix_len()));
        // A bridge that takes its hardware address from a port changes it with the port, and every neighbour would lose its gateway.
        let made = [format!("link add {name} address 02:fc:00:00:00:{at:02x} {BRIDGE}"), format!("link set {name} up")];
        made.into_iter().chain(own)
    });
    ip_batch(Some(rehearsal.host(HYPERVISOR)), &lines.collect::<Vec<_>>());
}

fn hypervisor_into_the_lan(rehearsal: &Rehearsal, lab: &Lab) {
    let (bridge, lan) = (&lab.host.bridge, lan(lab));
    let address = format!("{}/{}", lab.host_address, lan.prefix.prefix_len());
    cable(rehearsal, (HYPERVISOR, bridge.port.as_str()), (SWITCH, "host-port"));
    let mut lines = vec![format!("link set {} master {} up", bridge.port, bridge.name)];
    let holder = match bridge.holds_host_address {
        true => bridge.name.to_string(),
        false => {
            cable(rehearsal, (HYPERVISOR, lab.host.uplink.as_str()), (SWITCH, "host-uplink"));
            ip_batch(Some(rehearsal.host(SWITCH)), &["link set host-uplink master lan up".to_owned()]);
            lines.push(format!("link set {} up", lab.host.uplink));
            lab.host.uplink.to_string()
        }
    };
    ip_batch(Some(rehearsal.host(SWITCH)), &["link set host-port master lan up".to_owned()]);
    lines.extend([format!("address add {address} dev {holder}"), format!("route add default via {}", lan.gateway)]);
    lines.extend(lab.host_routes().iter().map(|route| format!("route add {} via {}", route.to, route.via)));
    ip_batch(Some(rehearsal.host(HYPERVISOR)), &lines);
}

fn machines_into_bridges(rehearsal: &Rehearsal, lab: &Lab) {
    let (mut cables, mut ports) = (Vec::new(), Vec::new());
    let hypervisor = rehearsal.host(HYPERVISOR);
    for (number, machine) in lab.machines.iter().enumerate() {
        let namespace = rehearsal.host(machine.name.as_str());
        let mut lines = Vec::new();
        for (at, nic) in machine.nics.iter().enumerate() {
            let network = lab.network(&nic.network).expect("the inventory was checked");
            let (port, inside) = (format!("vnet{number}.{at}"), namespace.name());
            let peer = format!("peer name eth{at} netns {inside} address {}", nic.mac);
            cables.push(format!("link add {port} netns {} type veth {peer}", hypervisor.name()));
            ports.push(format!("link set {port} master {} up", network.bridge));
            lines.push(format!("address add {}/{} dev eth{at}", nic.address, network.prefix.prefix_len()));
            lines.push(format!("link set eth{at} up"));
        }
        ip_batch(None, &std::mem::take(&mut cables));
        lines.extend(lab.routes(machine).iter().map(|route| format!("route add {} via {}", route.to, route.via)));
        ip_batch(Some(namespace), &lines);
    }
    ip_batch(Some(hypervisor), &ports);
}

fn cable(rehearsal: &Rehearsal, (one, its): (&str, &str), (other, theirs): (&str, &str)) {
    let (one, other) = (rehearsal.host(one).name(), rehearsal.host(other).name());
    ip_batch(None, &[format!("link add {its} netns {one} type veth peer name {theirs} netns {other}")]);
}

fn plug(rehearsal: &Rehearsal, switch: &str, bridge: &str, neighbour: &Neighbour) {
    let Neighbour { name, address, gateway } = neighbour;
    let port = format!("p{:x}", u32::from(address.addr()));
    cable(rehearsal, (switch, &port), (name, "eth0"));
    ip_batch(Some(rehearsal.host(switch)), &[format!("link set {port} master {bridge} up")]);
    let lines = [
        format!("address add {address} dev eth0"),
        "link set eth0 up".to_owned(),
        format!("route add default via {gateway}"),
    ];
    ip_batch(Some(rehearsal.host(name)), &lines);
}

/// As `router.txt` says it.
fn router(rehearsal: &Rehearsal, lab: &Lab) {
    let lan = lan(lab);
    cable(rehearsal, (SWITCH, "router"), (ROUTER, "lan0"));
    cable(rehearsal, (INTERNET, "router"), (ROUTER, "wan0"));
    ip_batch(Some(rehearsal.host(SWITCH)), &["link set router master lan up".to_owned()]);
    ip_batch(Some(rehearsal.host(INTERNET)), &["link set router master net up".to_owned()]);
    let mut lines = vec![
        format!("address add {}/{} dev lan0", lan.gateway, lan.prefix.prefix_len()),
        format!("address add {WAN}/24 dev wan0"),
        "link set lan0 up".to_owned(),
        "link set wan0 up".to_owned(),
        format!("route add default via {INTERNET_ROUTER}"),
    ];
    lines.extend(lab.routed().map(|network| format!("route add {} via {}", network.prefix, lab.host_address)));
    ip_batch(Some(rehearsal.host(ROUTER)), &lines);
    let forwards = match gateway(lab) {
        Some(_) => String::new(),
        None => lab
            .forwards
            .iter()
            .filter_map(|(_, forward)| {
                let vip = forward.vip.as_ref().and_then(|name| lab.vip(name)).map(|vip| vip.address);
                let to = vip.or_else(|| lab.vpn_server_address())?;
                let (protocol, port, to_port) = (forward.protocol.word(), forward.port, forward.to_port);
                Some(format!("iifname wan0 {protocol} dport {port} dnat ip to {to}:{to_port}; "))
            })
            .collect(),
    };
    let rules = format!(
        "table inet router {{ chain in {{ type nat hook prerouting priority dstnat; {forwards} }}; \
         chain out {{ type nat hook postrouting priority srcnat; oifname wan0 masquerade; }}; \
         chain own {{ type filter hook input priority filter; iifname wan0 ct state new drop; }}; }}"
    );
    rehearsal.host(ROUTER).expect("nft", &[&rules]);
}

/// The settings of sysctl.d(5) that are rendered, and those that a router has by itself.
fn kernels(rehearsal: &Rehearsal, lab: &Lab) {
    for name in [ROUTER, INTERNET] {
        rehearsal.host(name).sysctl("net/ipv4/ip_forward", "1");
    }
    let file = "root/etc/sysctl.d/60-fmc-lab.conf";
    let machines =
        lab.machines.iter().map(|machine| (machine.name.to_string(), format!("machines/{}/{file}", machine.name)));
    for (name, path) in machines.chain([(HYPERVISOR.to_owned(), format!("host/{file}"))]) {
        if !rehearsal.rendered(&path).exists() {
            continue;
        }
        for line in rehearsal.text(&path).lines().filter(|line| !line.starts_with('#')) {
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, optional) = (key.trim().trim_start_matches('-').replace('.', "/"), line.starts_with('-'));
            if !optional || std::path::Path::new("/proc/sys").join(&key).exists() {
                rehearsal.host(&name).sysctl(&key, value.trim());
            }
        }
    }
}

fn packet_filters(rehearsal: &Rehearsal, lab: &Lab) {
    let load = |host: &str, path: &str| {
        let file = rehearsal.rendered(path);
        rehearsal.host(host).expect("nft", &["-f", &file.to_string_lossy()]);
    };
    load(HYPERVISOR, "host/root/etc/fmc-lab/fmc-lab.nft");
    if let Some((name, _)) = gateway(lab) {
        load(&name, &format!("wireguard/{name}/fmc-lab.nft"));
    }
}

/// What a machine's own unit does about its second way: systemd is one for a machine, so its commands are run here.
fn routing_units(rehearsal: &Rehearsal, lab: &Lab) {
    for machine in &lab.machines {
        let path = format!("machines/{}/root/etc/systemd/system/{UNIT}", machine.name);
        if !rehearsal.rendered(&path).exists() {
            continue;
        }
        for command in rehearsal.text(&path).lines().filter_map(|line| line.strip_prefix("ExecStart=")) {
            rehearsal.host(machine.name.as_str()).expect("sh", &["-euc", command]);
        }
    }
}
