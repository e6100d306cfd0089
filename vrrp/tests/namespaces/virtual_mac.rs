//! An address at the MAC address of its virtual router: one for the network, whichever node owns it.

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use fmc_config::model::family::Family;
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::driver::KeeperSettings;
use fmc_vrrp::kernel::{Interface, Kernel};
use fmc_vrrp::lease::{self, VirtualInterfaces};
use fmc_vrrp::router::role::Role;
use fmc_vrrp::virtual_mac::VirtualMac;
use pnet::packet::Packet;
use pnet::packet::arp::ArpPacket;
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::ipv4::{self, Ipv4Packet};

use crate::keeper::{Running, octets, settings};
use crate::lab::{API, Namespace, Scratch, WEB, eventually, lan};
use crate::sniffer::Sniffer;

const OF_API: [u8; 6] = [0, 0, 0x5e, 0, 1, 32];
const TEXT_OF_API: &str = "00:00:5e:00:01:20";
const VIP_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x32));
const WEB_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x33));

/// Both VIPs at their virtual MAC addresses.
fn virtual_settings(rank: u8) -> KeeperSettings {
    let mut settings = settings(rank);
    settings.vips.iter_mut().for_each(|vip| vip.virtual_mac = true);
    settings
}

fn settings_6(rank: u8) -> KeeperSettings {
    let mut settings = virtual_settings(rank);
    for (vip, address) in settings.vips.iter_mut().zip([VIP_6, WEB_6]) {
        vip.address = address;
        vip.virtual_router_id = VirtualRouterId::new(octets(address)[15]).unwrap();
    }
    settings
}

fn elected(one: &Namespace, two: &Namespace, settings: fn(u8) -> KeeperSettings) -> (Running, Running) {
    let first = Running::fit(one, settings(0));
    eventually("the first owns both", Duration::from_secs(6), || first.roles() == [Role::Active; 2]);
    let second = Running::fit(two, settings(1));
    eventually("the second is its backup", Duration::from_secs(6), || {
        second.roles() == [Role::Backup; 2] && first.snapshot().peers[0].vips.len() == 2
    });
    (first, second)
}

/// What a program says inside.
fn said(inside: &Namespace, line: &str) -> String {
    let output = inside.enter(|| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Command::new(words[0]).args(&words[1..]).output().unwrap()
    });
    String::from_utf8(output.stdout).unwrap()
}

fn interfaces(of: &Namespace) -> Vec<Interface> {
    of.enter(|| Kernel::open().unwrap().interfaces().unwrap())
}

/// Names of those that were made for virtual MAC addresses, and whether each is up.
fn made(on: &Namespace) -> Vec<(String, bool)> {
    let ours = interfaces(on).into_iter().filter(|interface| interface.name.starts_with("fmc"));
    ours.map(|interface| (interface.name, interface.up)).collect()
}

fn arp_settings(of: &Namespace) -> [String; 2] {
    let read = |name: &str| fs::read_to_string(format!("/proc/sys/net/ipv4/conf/eth0/{name}")).unwrap();
    of.enter(|| ["arp_ignore", "arp_announce"].map(|name| read(name).trim().to_owned()))
}

/// The MAC address that the host has for the VIP, by its own neighbour cache.
fn neighbour(host: &Namespace, vip: IpAddr) -> Option<String> {
    let text = said(host, &format!("ip neigh show {vip} dev eth0"));
    text.split_whitespace().skip_while(|word| *word != "lladdr").nth(1).map(str::to_owned)
}

/// Which port of the switch the MAC address is behind.
fn switch_port(switch: &Namespace, mac: &str) -> Vec<String> {
    let table = said(switch, "bridge fdb show br lan");
    let line = table.lines().filter(|line| line.starts_with(mac) && !line.contains("permanent"));
    line.filter_map(|line| line.split_whitespace().nth(2).map(str::to_owned)).collect()
}

/// A client sends a line to the address and gets one back from whoever has it.
fn exchange(node: &Namespace, client: &Namespace, vip: IpAddr) -> std::io::Result<[u8; 4]> {
    let any: IpAddr = if vip.is_ipv4() { [0, 0, 0, 0].into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let listener = node.enter(|| TcpListener::bind(SocketAddr::new(any, 6443)).unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept()?;
        stream.read_exact(&mut [0; 4])?;
        stream.write_all(b"pong")
    });
    let mut line = [0; 4];
    client.enter(|| -> std::io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&SocketAddr::new(vip, 6443), Duration::from_secs(3))?;
        stream.set_read_timeout(Some(Duration::from_secs(3)))?;
        stream.write_all(b"ping")?;
        stream.read_exact(&mut line)
    })?;
    server.join().unwrap()?;
    Ok(line)
}

/// Sources of the frames that carry an advert of this VRID, and whether the IP header of each is whole.
fn adverts(sniffer: &Sniffer, id: u8) -> Vec<([u8; 6], bool)> {
    let decode = |(_, frame): (_, Vec<u8>)| {
        let ethernet = EthernetPacket::new(&frame)?;
        let ip = Ipv4Packet::new(ethernet.payload()).filter(|_| ethernet.get_ethertype() == EtherTypes::Ipv4)?;
        let is_advert = ip.get_next_level_protocol().0 == 112 && ip.payload().get(1) == Some(&id);
        let whole = ipv4::checksum(&ip.to_immutable()) == ip.get_checksum()
            && usize::from(ip.get_total_length()) <= ethernet.payload().len()
            && ip.get_ttl() == 255;
        is_advert.then(|| (frame[6..12].try_into().unwrap(), whole))
    };
    sniffer.frames().into_iter().filter_map(decode).collect()
}

/// Every MAC address that any ARP frame named for the VIP.
fn claimed(sniffer: &Sniffer) -> Vec<[u8; 6]> {
    let decode = |(_, frame): (_, Vec<u8>)| {
        let ethernet = EthernetPacket::new(&frame)?;
        let arp = ArpPacket::new(ethernet.payload()).filter(|_| ethernet.get_ethertype() == EtherTypes::Arp)?;
        (IpAddr::V4(arp.get_sender_proto_addr()) == API).then(|| arp.get_sender_hw_addr().octets())
    };
    sniffer.frames().into_iter().filter_map(decode).collect()
}

/// Proves V-23+, V-24, V-82.
#[test]
fn a_client_keeps_the_virtual_mac_address_over_a_move_and_the_switch_learns_its_new_port() {
    let [one, two, stranger] = lan();
    let before = arp_settings(&one);
    let sniffer = Sniffer::on(&stranger, "eth0");
    let (first, _second) = elected(&one, &two, virtual_settings);
    assert_eq!(made(&one).iter().map(|(_, up)| *up).collect::<Vec<_>>(), [true, true], "{:?}", made(&one));
    assert_eq!(made(&two).iter().map(|(_, up)| *up).collect::<Vec<_>>(), [false, false], "{:?}", made(&two));

    assert_eq!(exchange(&one, &stranger, API).unwrap(), *b"pong");
    assert_eq!(neighbour(&stranger, API).as_deref(), Some(TEXT_OF_API));
    assert_eq!(switch_port(&stranger, TEXT_OF_API), ["port0"]);
    // The owner has to ask who the client is, and must not do so in the address's name.
    one.ip("neigh flush dev eth0");
    assert_eq!(exchange(&one, &stranger, API).unwrap(), *b"pong");

    drop(first);
    eventually("the second owns it", Duration::from_secs(3), || two.holds(API) && !one.holds(API));
    eventually("the switch has learnt it", Duration::from_secs(3), || switch_port(&stranger, TEXT_OF_API) == ["port1"]);
    assert_eq!(neighbour(&stranger, API).as_deref(), Some(TEXT_OF_API));
    assert_eq!(exchange(&two, &stranger, API).unwrap(), *b"pong");

    let seen = adverts(&sniffer, 32);
    assert!(seen.len() > 2 && seen.iter().all(|advert| *advert == (OF_API, true)), "{seen:?}");
    let claims = claimed(&sniffer);
    assert!(!claims.is_empty() && claims.iter().all(|mac| *mac == OF_API), "{claims:x?}");
    assert_eq!(made(&one), [], "the first has ended");
    assert_eq!(arp_settings(&one), before);
}

/// Adverts of one owner come from the MAC address that the other owner has on an interface of its own.
#[test]
fn two_owners_of_a_split_network_hear_each_other_when_it_heals() {
    let [one, two, stranger] = lan();
    let (first, second) = elected(&one, &two, virtual_settings);
    stranger.ip("link set port1 nomaster");
    eventually("both own", Duration::from_secs(5), || two.holds(API) && two.holds(WEB) && one.holds(API));
    stranger.ip("link set port1 master lan");
    eventually("one of them owns", Duration::from_secs(5), || {
        [first.roles()[0], second.roles()[0]].iter().filter(|role| **role == Role::Active).count() == 1
            && one.holds(API) != two.holds(API)
    });
}

/// Proves V-24, V-25, V-82.
#[test]
fn over_ipv6_too_and_no_interface_identifier_is_made_from_it() {
    let [one, two, stranger] = lan();
    for (host, last) in [(&one, "30"), (&two, "31"), (&stranger, "99")] {
        host.ip(&format!("addr add fd00::{last}/64 dev eth0 nodad"));
    }
    eventually("link-local addresses are good", Duration::from_secs(6), || {
        [&one, &two].iter().all(|host| {
            let text = said(host, "ip -6 addr show dev eth0 scope link");
            text.contains("fe80") && !text.contains("tentative")
        })
    });
    let (first, _second) = elected(&one, &two, settings_6);
    eventually("it has the address", Duration::from_secs(3), || one.holds(VIP_6));
    assert_eq!(exchange(&one, &stranger, VIP_6).unwrap(), *b"pong");
    assert_eq!(neighbour(&stranger, VIP_6).as_deref(), Some("00:00:5e:00:02:32"));
    for (name, _) in made(&one) {
        let setting = |name: &str, setting: &str| {
            let path = format!("/proc/sys/net/ipv6/conf/{name}/{setting}");
            one.enter(|| fs::read_to_string(path).unwrap().trim().to_owned())
        };
        assert_eq!((setting(&name, "accept_ra"), setting(&name, "addr_gen_mode")), ("0".to_owned(), "1".to_owned()));
        let held = said(&one, &format!("ip -6 -o addr show dev {name}"));
        assert!(held.lines().count() == 1 && !held.contains("5eff:fe00"), "{held}");
    }
    drop(first);
    eventually("the second owns it", Duration::from_secs(3), || two.holds(VIP_6) && !one.holds(VIP_6));
    assert_eq!(exchange(&two, &stranger, VIP_6).unwrap(), *b"pong");
    assert_eq!(neighbour(&stranger, VIP_6).as_deref(), Some("00:00:5e:00:02:32"));
}

/// Proves V-25, V-101.
#[test]
fn what_a_dead_keeper_leaves_is_removed_and_given_back_and_nobody_elses_is_touched() {
    let [one, _two, _stranger] = lan();
    let scratch = Scratch::new();
    let before = arp_settings(&one);
    one.ip("link add fmc4-9-9 link eth0 type macvlan mode bridge");
    one.enter(|| {
        let mut kernel = Kernel::open().unwrap();
        let parent = kernel.interface_by_name("eth0").unwrap();
        let mac = VirtualMac::new(Family::V4, VirtualRouterId::new(32).unwrap());
        let mut interfaces = VirtualInterfaces::open(scratch.path()).unwrap();
        interfaces.make(&mut kernel, (0, &parent), mac).unwrap();
        interfaces.make(&mut kernel, (0, &parent), mac).unwrap();
    });
    let held = said(&one, "ip -6 -o addr show");
    assert!(!held.contains("5eff:fe00"), "made from the virtual MAC address: {held}");
    assert_eq!((made(&one).len(), arp_settings(&one)), (2, ["1".to_owned(), "2".to_owned()]));
    one.enter(|| lease::cleanup(scratch.path()).unwrap());
    let left: Vec<_> = made(&one).into_iter().map(|(name, _)| name).collect();
    assert_eq!((left, arp_settings(&one)), (vec!["fmc4-9-9".to_owned()], before));
}
