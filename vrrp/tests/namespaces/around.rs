//! What the kernel does around an address: who answers for it, what is forwarded, and that nothing else is changed.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use pnet::packet::Packet;
use pnet::packet::arp::{ArpOperations, ArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::util::MacAddr;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::keeper::{Running, elected, settings};
use crate::lab::{API, Namespace, eventually, lan};
use crate::sniffer::Sniffer;

fn hardware(namespace: &Namespace) -> MacAddr {
    let kernel = || fmc_vrrp::kernel::Kernel::open().unwrap().interface_by_name("eth0").unwrap().mac;
    MacAddr::from(namespace.enter(kernel))
}

/// Who answered a question for the address that was asked of everyone.
fn answers(sniffer: &Sniffer) -> Vec<MacAddr> {
    let decode = |(_, frame): (_, Vec<u8>)| {
        let ethernet = EthernetPacket::new(&frame)?;
        let arp = ArpPacket::new(ethernet.payload()).filter(|_| ethernet.get_ethertype() == EtherTypes::Arp)?;
        let is_answer = arp.get_operation() == ArpOperations::Reply
            && arp.get_sender_proto_addr() == API
            && ethernet.get_destination() != MacAddr::broadcast();
        is_answer.then(|| arp.get_sender_hw_addr())
    };
    sniffer.frames().into_iter().filter_map(decode).collect()
}

/// Makes the kernel of `asker` ask, and waits for what comes.
fn ask(asker: &Namespace) -> Vec<MacAddr> {
    let sniffer = Sniffer::on(asker, "eth0");
    asker.ip("neigh flush dev eth0");
    asker.enter(|| UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"?", SocketAddr::new(API, 9)).unwrap());
    eventually("an answer", Duration::from_secs(2), || !answers(&sniffer).is_empty());
    std::thread::sleep(Duration::from_millis(200));
    answers(&sniffer)
}

/// Whether a datagram to the address reaches a socket of `node` that would take it.
fn accepts(node: &Namespace, asker: &Namespace) -> bool {
    let socket = node.enter(|| UdpSocket::bind("0.0.0.0:7007").unwrap());
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    asker.enter(|| UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"!", SocketAddr::new(API, 7007)).unwrap());
    socket.recv(&mut [0; 8]).is_ok()
}

/// Proves V-23-, V-81, V-82, V-83+, V-83-.
#[test]
fn only_the_owner_answers_for_the_address_with_the_address_of_its_card_and_accepts_packets_to_it() {
    let [one, two, stranger] = lan();
    let (first, _second) = elected(&one, &two);
    assert_eq!(ask(&stranger), [hardware(&one)]);
    assert_eq!((accepts(&one, &stranger), accepts(&two, &stranger)), (true, false));
    let interfaces = one.enter(|| fmc_vrrp::kernel::Kernel::open().unwrap().interfaces().unwrap().len());
    assert_eq!(interfaces, 2, "loopback and eth0: none was made");

    drop(first);
    eventually("the second owns it", Duration::from_secs(2), || two.holds(API) && !one.holds(API));
    assert_eq!(ask(&stranger), [hardware(&two)]);
    assert_eq!((accepts(&one, &stranger), accepts(&two, &stranger)), (false, true));
}

/// Everything that sysctl(8) shows of IPv4 and IPv6 in the namespace of the calling thread.
fn sysctls() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for tree in ["/proc/sys/net/ipv4", "/proc/sys/net/ipv6"] {
        read_below(Path::new(tree), &mut found);
    }
    assert!(found.len() > 100, "{} settings", found.len());
    found
}

fn read_below(directory: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_below(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.insert(path.display().to_string(), text);
        }
    }
}

/// Proves V-91, V-92, V-101.
#[test]
fn no_setting_of_the_kernel_is_changed_and_a_balancer_does_not_become_a_router() {
    let [one, two, _switch] = lan();
    let before = one.enter(sysctls);
    let (first, _second) = elected(&one, &two);
    let during = one.enter(sysctls);
    drop(first);
    for (when, after) in [("while it owns", during), ("afterwards", one.enter(sysctls))] {
        let changed: Vec<_> = before.iter().filter(|(name, value)| after.get(*name) != Some(value)).collect();
        assert!(changed.is_empty(), "{when}: {changed:?}");
    }
    assert_eq!(before.get("/proc/sys/net/ipv4/ip_forward").map(|text| text.trim()), Some("0"));
}

/// Proves V-19, V-68.
#[test]
fn adverts_are_not_forwarded_by_a_node_that_routes_whatever_their_ttl() {
    let [one, _two, beyond] = lan();
    beyond.ip("link add far type veth peer name near");
    beyond.ip(&format!("link set near netns {}", one.name()));
    for (namespace, end) in [(&one, "near"), (&beyond, "far")] {
        namespace.ip(&format!("link set {end} up"));
    }
    one.ip("addr add 10.9.0.1/24 dev near");
    beyond.ip("addr add 10.9.0.2/24 dev far");
    one.enter(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap());
    let _running = Running::fit(&one, settings(0));
    let far = Sniffer::on(&beyond, "far");
    beyond.enter(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112))).unwrap();
        socket.bind_device(Some(b"eth0")).unwrap();
        socket.set_multicast_ttl_v4(255).unwrap();
        let group = SockAddr::from(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)), 0));
        (0..10).for_each(|_| drop(socket.send_to(&[0x31, 77, 100, 1, 0, 10, 0, 0, 10, 9, 0, 9], &group)));
    });
    std::thread::sleep(Duration::from_millis(300));
    let is_advert = |frame: &[u8]| {
        let ethernet = EthernetPacket::new(frame).unwrap();
        let ip = pnet::packet::ipv4::Ipv4Packet::new(ethernet.payload());
        ethernet.get_ethertype() == EtherTypes::Ipv4 && ip.is_some_and(|ip| ip.get_next_level_protocol().0 == 112)
    };
    let crossed = far.frames().iter().filter(|(_, frame)| is_advert(frame)).count();
    assert_eq!(crossed, 0);
}
