//! Which virtual routers are on the wire: listens for three seconds on every interface that carries a VIP.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::site::Site;
use super::{Findings, Message};

/// Longer than three adverts of a Keepalived as it is shipped.
const LISTENS: Duration = Duration::from_secs(3);

/// Between two looks at the sockets.
const PAUSE: Duration = Duration::from_millis(20);

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VRRP: i32 = 112;

/// An advert's sender and its virtual router.
type Heard = (Ipv4Addr, u8);

pub(super) fn examine(site: &Site, found: &mut Findings) {
    let heard = match listen(&site.interfaces()) {
        Ok(heard) => heard,
        Err(error) => return found.note("virtual-routers", &Message::VirtualRoutersUnheard(error.to_string())),
    };
    let is_node = |source: Ipv4Addr| site.config.nodes.iter().any(|node| node.owns(source.into()));
    // Over IPv6 routers speak from their link-local addresses, which do not tell whose they are.
    let electing = || site.config.vips.iter().filter(|vip| vip.follows.is_none() && vip.address.is_ipv4());
    let mut any = false;
    for vip in electing() {
        let id = vip.virtual_router_id.get();
        for (source, _) in heard.iter().filter(|(source, other)| *other == id && !is_node(*source)) {
            any = true;
            let used: BTreeSet<u8> = heard.iter().map(|(_, id)| *id).collect();
            let ours = electing().map(|vip| vip.virtual_router_id.get());
            let free = free(&used.into_iter().chain(ours).collect()).to_string();
            let taken = Message::VirtualRouterTaken(id.to_string(), source.to_string(), vip.name.to_string(), free);
            found.wrong("virtual-routers", &taken);
        }
    }
    if !any {
        let ids: Vec<String> = electing().map(|vip| vip.virtual_router_id.get().to_string()).collect();
        let seconds = LISTENS.as_secs().to_string();
        found.good("virtual-routers", &Message::VirtualRoutersFree(seconds, ids.join(", ")));
    }
}

/// The highest that nobody uses, and not 51, which every example has.
fn free(used: &BTreeSet<u8>) -> u8 {
    (1..=255).rev().find(|id| *id != 51 && !used.contains(id)).unwrap_or(255)
}

fn listen(interfaces: &[&str]) -> io::Result<BTreeSet<Heard>> {
    let sockets: Vec<Socket> = interfaces.iter().map(|interface| open(interface)).collect::<Result<_, _>>()?;
    let (until, mut heard) = (Instant::now() + LISTENS, BTreeSet::new());
    while Instant::now() < until {
        for socket in &sockets {
            let mut packet = [0; 256];
            // What does not fit is cut off: the fields that count come first.
            while let Ok(length) = (&mut &*socket).read(&mut packet) {
                heard.extend(advert(&packet[..length]));
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(heard)
}

/// Needs CAP_NET_RAW (raw(7)).
fn open(interface: &str) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW.nonblocking(), Some(Protocol::from(VRRP)))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    let index = nix::net::if_::if_nametoindex(interface)?;
    socket.join_multicast_v4_n(&GROUP, &socket2::InterfaceIndexOrAddress::Index(index))?;
    Ok(socket)
}

/// Of an IPv4 packet with a VRRP advertisement of version 2 or 3 (RFC 9568 §5.1, §5.2).
fn advert(packet: &[u8]) -> Option<Heard> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let message = packet.get(header..)?;
    let is_advert = matches!(message.first()?, 0x21 | 0x31);
    Some((Ipv4Addr::from(source), *message.get(1)?)).filter(|_| is_advert)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advert_of_either_version_names_its_virtual_router_and_anything_else_is_none() {
        let mut packet = [0; 40];
        packet[0] = 0x45;
        packet[12..16].copy_from_slice(&[192, 168, 0, 9]);
        packet[20] = 0x21;
        packet[21] = 51;
        let source = Ipv4Addr::new(192, 168, 0, 9);
        assert_eq!(advert(&packet), Some((source, 51)));
        packet[20] = 0x31;
        assert_eq!(advert(&packet), Some((source, 51)));
        packet[20] = 0x32;
        assert_eq!(advert(&packet), None);
        assert_eq!((advert(&packet[..21]), advert(&[0x4f]), advert(&[])), (None, None, None));
    }

    #[test]
    fn the_one_that_is_proposed_is_used_by_nobody() {
        assert_eq!(free(&BTreeSet::from([255, 254, 32])), 253);
        assert_eq!(free(&(52..=255).collect()), 50);
    }
}
