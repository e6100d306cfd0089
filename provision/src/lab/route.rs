//! How a machine and the hypervisor reach what is on none of their own networks.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Lab, Machine, Network};
use crate::inventory::NetworkKind;

/// A way to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// Where it leads.
    pub to: Ipv4Net,
    /// The next hop.
    pub via: Ipv4Addr,
}

impl Route {
    fn new(to: Ipv4Net, via: Ipv4Addr) -> Self {
        Self { to, via }
    }
}

/// Who answers for the addresses inside the tunnel.
#[derive(Debug, Clone, Copy)]
pub enum VpnServer<'a> {
    /// The hypervisor.
    Host,
    /// A machine of the lab.
    Machine(&'a Machine),
    /// Somebody else in the LAN.
    Device(Ipv4Addr),
}

impl Lab {
    /// The networks that the hypervisor routes.
    pub fn routed(&self) -> impl Iterator<Item = &Network> {
        self.networks.iter().filter(|network| network.kind == NetworkKind::Routed)
    }

    /// Whom the live way names as the server of the tunnel.
    pub fn vpn_server(&self) -> Option<VpnServer<'_>> {
        let (_, way) = self.way.as_ref()?;
        let name = way.vpn_server.as_ref().filter(|_| self.vpn.is_some())?;
        if name.as_str() == "host" {
            return Some(VpnServer::Host);
        }
        let device = || self.devices.iter().find(|(known, _)| known == name).map(|(_, address)| *address);
        self.machine(name).map(VpnServer::Machine).or_else(|| device().map(VpnServer::Device))
    }

    /// The address of the server of the tunnel, in the lab.
    pub fn vpn_server_address(&self) -> Option<Ipv4Addr> {
        self.vpn_server().map(|server| match server {
            VpnServer::Host => self.host_address,
            VpnServer::Machine(machine) => machine.address(),
            VpnServer::Device(address) => address,
        })
    }

    /// The routes of a machine, the default one first.
    pub fn routes(&self, machine: &Machine) -> Vec<Route> {
        let own = |network: &Network| machine.nics.iter().any(|nic| nic.network == network.name);
        let Some(first) = self.network(&machine.nics[0].network) else { return Vec::new() };
        match first.kind {
            NetworkKind::Isolated => Vec::new(),
            // The hypervisor knows every other way.
            NetworkKind::Routed => vec![Route::new(Ipv4Net::default(), first.gateway)],
            NetworkKind::Bridge => {
                let routed = self.routed().filter(|network| !own(network));
                let routed = routed.map(|network| Route::new(network.prefix, self.host_address));
                let routes = std::iter::once(Route::new(Ipv4Net::default(), first.gateway)).chain(routed);
                routes.chain(self.tunnel_route(machine.address())).collect()
            }
        }
    }

    /// The routes of the hypervisor beside those to its own networks.
    pub fn host_routes(&self) -> Vec<Route> {
        self.tunnel_route(self.host_address).into_iter().collect()
    }

    /// From `own`, which is in the LAN, into the tunnel.
    fn tunnel_route(&self, own: Ipv4Addr) -> Option<Route> {
        let server = self.vpn_server_address().filter(|server| *server != own)?;
        Some(Route::new(self.vpn.as_ref()?.network.get(), server))
    }
}
