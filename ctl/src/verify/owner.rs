//! Who answers for a virtual address on this network: the question is broadcast, and every answer counts, not only the first.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use fmc_provision::verify::Seen;
use ipnet::Ipv4Net;
use nix::sys::socket::LinkAddr;
use socket2::{Domain, Protocol, Socket, Type};

use super::arp::{self, Mac};

/// ETH_P_ARP of packet(7), in the order of the network.
const ARP: i32 = (0x0806_u16).to_be() as i32;
/// For how long answers are collected, and how often it is asked.
const COLLECTED: Duration = Duration::from_millis(600);
const ASKED: u32 = 2;
/// Between two looks at the clock.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn look(address: Ipv4Addr, patience: Duration) -> Seen {
    let collected = COLLECTED.min(patience);
    let asked = tokio::task::spawn_blocking(move || ask(address, collected)).await;
    match asked.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            Seen::Unasked("asking the wire needs root (CAP_NET_RAW)".to_owned())
        }
        Err(error) => Seen::Unasked(format!("cannot ask the wire: {error}")),
    }
}

fn ask(address: Ipv4Addr, collected: Duration) -> io::Result<Seen> {
    let Some(interface) = interface(address)? else {
        return Ok(Seen::Unasked("no interface of this machine is in its network".to_owned()));
    };
    let mut socket = open(&interface.link)?;
    let question = arp::question(interface.mac, interface.own, address);
    let (begin, mut asked, mut heard) = (Instant::now(), 0, BTreeSet::new());
    while begin.elapsed() < collected {
        if asked < ASKED && begin.elapsed() >= collected / 2 * asked {
            socket.write_all(&question)?;
            asked += 1;
        }
        let mut frame = [0; 128];
        match socket.read(&mut frame) {
            Ok(length) => heard.extend(arp::owner(&frame[..length], address)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    heard.remove(&interface.mac);
    Ok(Seen::Owners(heard.into_iter().map(arp::words).collect(), super::own()?.contains(&address)))
}

/// Needs CAP_NET_RAW (packet(7)).
fn open(link: &LinkAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(ARP)))?;
    nix::sys::socket::bind(socket.as_raw_fd(), link)?;
    socket.set_read_timeout(Some(PAUSE))?;
    Ok(socket)
}

/// An interface whose network an address is in.
struct Interface {
    link: LinkAddr,
    mac: Mac,
    own: Ipv4Addr,
}

fn interface(address: Ipv4Addr) -> io::Result<Option<Interface>> {
    let all: Vec<_> = nix::ifaddrs::getifaddrs()?.collect();
    for one in &all {
        let Some((own, mask)) = one.address.zip(one.netmask) else { continue };
        let (Some(own), Some(mask)) = (own.as_sockaddr_in(), mask.as_sockaddr_in()) else { continue };
        let here = Ipv4Net::with_netmask(own.ip(), mask.ip()).is_ok_and(|net| net.contains(&address));
        if !here || own.ip() == address {
            continue;
        }
        let links = all.iter().filter(|link| link.interface_name == one.interface_name);
        let link = links.filter_map(|link| link.address?.as_link_addr().copied()).next();
        if let Some((link, mac)) = link.and_then(|link| Some((link, link.addr()?))) {
            return Ok(Some(Interface { link, mac, own: own.ip() }));
        }
    }
    Ok(None)
}
