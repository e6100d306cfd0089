//! Where this machine stands: its addresses, and which of them it calls others from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// The IPv4 addresses of this machine, those of itself to itself apart.
pub(crate) fn own() -> std::io::Result<BTreeSet<Ipv4Addr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    let addresses = interfaces.filter_map(|interface| interface.address?.as_sockaddr_in().map(|address| address.ip()));
    Ok(addresses.filter(|address| !address.is_loopback()).collect())
}

/// The address from which each of `destinations` is called. No packet is sent.
pub(crate) fn sources(destinations: impl IntoIterator<Item = Ipv4Addr>) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
    destinations.into_iter().filter_map(|to| Some((to, source(to)?))).collect()
}

/// The discard port (RFC 863): that of a socket which sends nothing.
const DISCARD: u16 = 9;

fn source(to: Ipv4Addr) -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind(super::ANY).ok()?;
    socket.connect((to, DISCARD)).ok()?;
    match socket.local_addr().ok()? {
        SocketAddr::V4(address) => Some(*address.ip()),
        SocketAddr::V6(_) => None,
    }
}
