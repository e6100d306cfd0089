//! Connections of NetworkManager, as nm-settings-keyfile(5) has them and in the form in which NetworkManager writes them itself.

use std::net::Ipv4Addr;

use crate::lab::Lab;
use crate::render::ini::Ini;
use crate::render::system::System;

pub(super) fn add(lab: &Lab, system: &mut System) {
    let bridge = &lab.host.bridge;
    let addressed = bridge.holds_host_address;
    let port =
        connection(lab, bridge.port.as_str(), "ethernet").key("master", &bridge.name).key("slave-type", "bridge");
    put(system, bridge.port.as_str(), "the port of the bridge", port);
    // A port of a spanning tree forwards nothing for 30 s, and there is one way into the LAN only.
    let own = connection(lab, bridge.name.as_str(), "bridge").section("bridge").key("stp", "false");
    let own = if addressed { address(lab, own) } else { nothing(own) };
    put(system, bridge.name.as_str(), "the bridge into the LAN", own);
    if !addressed {
        let uplink = address(lab, connection(lab, lab.host.uplink.as_str(), "ethernet"));
        put(system, lab.host.uplink.as_str(), "the hypervisor's own address", uplink);
    }
}

fn put(system: &mut System, name: &str, purpose: &str, text: Ini) {
    let path = format!("/etc/NetworkManager/system-connections/{name}.nmconnection");
    system.file(path, 0o600, purpose, text.text());
}

fn connection(lab: &Lab, name: &str, kind: &str) -> Ini {
    let uuid = lab.uuid("connection", name);
    Ini::new().section("connection").key("id", name).key("uuid", uuid).key("type", kind).key("interface-name", name)
}

/// Machines in the LAN use the bridge; the hypervisor does not.
fn nothing(ini: Ini) -> Ini {
    ini.section("ipv4").key("method", "disabled").section("ipv6").key("method", "disabled")
}

fn address(lab: &Lab, ini: Ini) -> Ini {
    let Some(network) = lab.network(&lab.host.network) else { return ini };
    let servers: String = lab.host_resolvers().iter().map(|address| format!("{address};")).collect();
    let routes = lab.host_routes();
    let routes = routes.iter().enumerate();
    let length = network.prefix.prefix_len();
    let ini = ini.section("ipv4").key("address1", format!("{}/{length},{}", lab.host_address, network.gateway));
    let ini = ini.key("dns", servers).key("dns-search", format!("{};", lab.site.domain)).key("method", "manual");
    let ini = routes
        .fold(ini, |ini, (at, route)| ini.key(&format!("route{}", at + 1), format!("{},{}", route.to, route.via)));
    ini.section("ipv6").key("method", "auto")
}

impl Lab {
    /// The hypervisor's name servers: those of the lab, and others while its own guest is down.
    fn host_resolvers(&self) -> Vec<Ipv4Addr> {
        let others = self.dns.iter().flat_map(|dns| dns.forwarders.iter().map(|address| address.get()));
        let mut all = self.resolvers();
        all.extend(others);
        all.dedup();
        all
    }
}
