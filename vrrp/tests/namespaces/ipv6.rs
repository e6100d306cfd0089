//! Virtual routers of IPv6, and addresses of IPv6 that follow one of IPv4.

use std::net::{IpAddr, Ipv6Addr};
use std::process::Command as Program;
use std::time::{Duration, Instant};

use fmc_config::model::election::Transport;
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::driver::{Command, FollowerSettings, KeeperSettings};
use fmc_vrrp::kernel::Kernel;
use fmc_vrrp::ndp;
use fmc_vrrp::packet::{Advertisement, Discarded, MULTICAST_GROUP_6};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::role::Role;
use fmc_vrrp::socket::AnnouncementSocket;
use pnet::packet::Packet;
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::icmpv6::Icmpv6Types;
use pnet::packet::icmpv6::ndp::NeighborAdvertPacket;
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv6::Ipv6Packet;
use pnet::util::{MacAddr, ipv6_checksum};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::keeper::{Running, octets, refusal, settings};
use crate::lab::{API, Namespace, Scratch, WEB, always, eventually, lan, pair};
use crate::sniffer::Sniffer;

const VIP: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x32));
const OTHER: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x33));
/// The last octet of [`VIP`].
const ID: u8 = 0x32;

/// 100 ms adverts, two nodes, two VIPs of IPv6.
fn settings_6(rank: u8) -> KeeperSettings {
    let mut settings = settings(rank);
    for (vip, address) in settings.vips.iter_mut().zip([VIP, OTHER]) {
        vip.address = address;
        vip.virtual_router_id = VirtualRouterId::new(octets(address)[15]).unwrap();
    }
    settings
}

/// The same, sent by nodes that have addresses of IPv6 alone.
fn without_ipv4(rank: u8) -> KeeperSettings {
    let own = |rank: u8| IpAddr::V6(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0x30 + u16::from(rank)));
    let mut settings = settings_6(rank);
    settings.address = own(rank);
    settings.peers[0].address = own(1 - rank);
    settings
}

/// Addresses of IPv6 beside those of IPv4, good at once.
fn give_ipv6(hosts: &[Namespace]) {
    for (host, last) in hosts.iter().zip(["30", "31", "99"]) {
        host.ip(&format!("addr add fd00::{last}/64 dev eth0 nodad"));
    }
}

fn link_local(of: &Namespace) -> Option<IpAddr> {
    let held = of.enter(|| {
        let mut kernel = Kernel::open().unwrap();
        let index = kernel.interface_by_name("eth0").unwrap().index;
        kernel.addresses().unwrap().into_iter().filter(|held| held.index == index && held.usable).collect::<Vec<_>>()
    });
    let is_it = |address: &IpAddr| matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
    held.iter().map(|held| held.address).find(is_it)
}

fn await_link_local(hosts: &[Namespace]) {
    eventually("link-local addresses are ours", Duration::from_secs(5), || {
        hosts.iter().all(|host| link_local(host).is_some())
    });
}

fn hardware(of: &Namespace) -> [u8; 6] {
    of.enter(|| Kernel::open().unwrap().interface_by_name("eth0").unwrap().mac)
}

fn elected(one: &Namespace, two: &Namespace, settings: fn(u8) -> KeeperSettings) -> (Running, Running) {
    let first = Running::fit(one, settings(0));
    eventually("the first owns both", Duration::from_secs(6), || one.holds(VIP) && one.holds(OTHER));
    let second = Running::fit(two, settings(1));
    eventually("the second is its backup", Duration::from_secs(6), || {
        second.roles() == [Role::Backup; 2] && first.snapshot().peers[0].vips.len() == 2
    });
    (first, second)
}

fn ip_of(frame: &[u8]) -> Option<(MacAddr, Ipv6Packet<'_>)> {
    let ethernet = EthernetPacket::new(frame).filter(|frame| frame.get_ethertype() == EtherTypes::Ipv6)?;
    let destination = ethernet.get_destination();
    Some((destination, Ipv6Packet::new(&frame[14..])?))
}

/// Unsolicited ones, when they came and who said them.
fn announcements(sniffer: &Sniffer, address: IpAddr) -> Vec<(Instant, Vec<u8>)> {
    let decode = |(at, frame): (Instant, Vec<u8>)| {
        let (_, ip) = ip_of(&frame)?;
        let advert = NeighborAdvertPacket::new(ip.payload())?;
        let is_it = ip.get_next_header() == IpNextHeaderProtocols::Icmpv6
            && advert.get_icmpv6_type() == Icmpv6Types::NeighborAdvert
            && IpAddr::V6(advert.get_target_addr()) == address
            && ip.get_destination() == Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        is_it.then(|| (at, frame[6..12].to_vec()))
    };
    sniffer.frames().into_iter().filter_map(decode).collect()
}

fn adverts(sniffer: &Sniffer) -> Vec<(Instant, Vec<u8>)> {
    let is_advert =
        |frame: &[u8]| ip_of(frame).is_some_and(|(_, ip)| ip.get_next_header() == IpNextHeaderProtocols::Vrrp);
    sniffer.frames().into_iter().filter(|(_, frame)| is_advert(frame)).collect()
}

/// Proves V-11, V-17, V-18, V-19, V-20, V-22, V-26, V-27.
#[test]
fn adverts_over_ipv6_go_from_the_link_local_address_to_the_group_with_hop_limit_255() {
    let pair = pair();
    give_ipv6(&pair);
    let sniffer = Sniffer::on(&pair[1], "eth0");
    let _running = Running::fit(&pair[0], settings_6(0));
    eventually("a second of adverts", Duration::from_secs(6), || adverts(&sniffer).len() > 24);
    assert!(pair[0].holds(VIP));
    let own = link_local(&pair[0]).unwrap();
    for (_, frame) in adverts(&sniffer) {
        let (hardware, ip) = ip_of(&frame).unwrap();
        assert_eq!(hardware, MacAddr::new(0x33, 0x33, 0, 0, 0, 0x12));
        assert_eq!((ip.get_hop_limit(), ip.get_traffic_class()), (255, 0xc0), "{ip:?}");
        assert_eq!((IpAddr::V6(ip.get_source()), IpAddr::V6(ip.get_destination())), (own, MULTICAST_GROUP_6));
        let message = ip.payload();
        let sum = ipv6_checksum(message, 3, &[], &ip.get_source(), &ip.get_destination(), ip.get_next_header());
        assert_eq!(message[6..8], sum.to_be_bytes());
        let (address, id) = if message[1] == ID { (VIP, ID) } else { (OTHER, ID + 1) };
        assert_eq!((&message[..6], &message[8..]), (&[0x31, id, 254, 1, 0, 10][..], &octets(address)[..]));
    }
}

/// Proves V-87, V-88, V-89.
#[test]
fn promotion_is_advert_then_address_then_neighbour_advertisements_and_more_of_them() {
    let pair = pair();
    let sniffer = Sniffer::on(&pair[1], "eth0");
    let _running = Running::fit(&pair[0], settings_6(0));
    eventually("a burst", Duration::from_secs(6), || announcements(&sniffer, VIP).len() >= 5);
    let announced = announcements(&sniffer, VIP);
    assert!(adverts(&sniffer)[0].0 < announced[0].0, "announced before the advert");
    assert!(announced.iter().all(|(_, sender)| *sender == hardware(&pair[0])));
}

#[test]
fn the_address_is_one_of_a_host_with_a_lease_and_no_first_choice_for_what_the_node_sends() {
    let pair = pair();
    give_ipv6(&pair);
    let mut settings = settings_6(0);
    settings.vips[1].address = "fd00::40".parse().unwrap();
    let running = Running::fit(&pair[0], settings);
    eventually("it owns both", Duration::from_secs(6), || {
        pair[0].holds(VIP) && pair[0].holds("fd00::40".parse().unwrap())
    });
    let shown =
        Program::new("ip").args(["-n", pair[0].name(), "-j", "-6", "addr", "show", "dev", "eth0"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let entry = shown.split('{').find(|entry| entry.contains("\"fd00::32\"")).unwrap();
    for part in ["\"prefixlen\":128", "\"nodad\":true", "\"deprecated\":true", "\"noprefixroute\":true"] {
        assert!(entry.contains(part), "{part}: {entry}");
    }
    let lifetime = entry.split("\"valid_life_time\":").nth(1).and_then(|rest| rest.split([',', '}']).next()).unwrap();
    assert!(lifetime.parse::<u32>().unwrap() <= 1, "{entry}");
    // The VIP fd00::40 has more bits in common with it than the node's own fd00::30, and is not chosen (RFC 6724 §5, rule 3 before 8).
    let chosen = pair[0].enter(|| {
        let socket = std::net::UdpSocket::bind("[::]:0").unwrap();
        socket.connect("[fd00::41]:9").unwrap();
        socket.local_addr().unwrap().ip()
    });
    assert_eq!(chosen, "fd00::30".parse::<IpAddr>().unwrap());
    drop(running);
    assert!(!pair[0].holds(VIP), "it leaves with the keeper");
}

/// What a client has in its neighbour cache of the address.
fn neighbour(client: &Namespace, address: IpAddr) -> String {
    let shown = Program::new("ip").args(["-n", client.name(), "neigh", "show", &address.to_string()]).output().unwrap();
    String::from_utf8(shown.stdout).unwrap()
}

fn ask(client: &Namespace, address: IpAddr) {
    client.enter(|| std::net::UdpSocket::bind("[::]:0").unwrap().send_to(&[0], (address, 9)).unwrap());
}

fn text(hardware: [u8; 6]) -> String {
    hardware.map(|octet| format!("{octet:02x}")).join(":")
}

/// Proves V-45, V-87.
#[test]
fn a_neighbour_advertisement_moves_the_address_in_the_cache_of_a_client() {
    let hosts = lan();
    give_ipv6(&hosts[..2]);
    hosts[2].ip("addr add fd00::99/64 dev lan nodad");
    let (first, second) = elected(&hosts[0], &hosts[1], settings_6);
    eventually("the client knows the first", Duration::from_secs(3), || {
        ask(&hosts[2], VIP);
        neighbour(&hosts[2], VIP).contains(&text(hardware(&hosts[0])))
    });
    first.command(Command::ProxyLost);
    let moved = Instant::now();
    eventually("the client knows the second", Duration::from_secs(1), || {
        neighbour(&hosts[2], VIP).contains(&text(hardware(&hosts[1])))
    });
    assert!(moved.elapsed() < Duration::from_millis(400), "{:?}", moved.elapsed());
    assert_eq!((hosts[0].holds(VIP), second.roles()[0]), (false, Role::Active));
}

/// Proves V-90.
#[test]
fn unsolicited_neighbour_advertisements_of_others_are_taken_by_the_owner_and_by_the_backup() {
    let hosts = lan();
    give_ipv6(&hosts[..2]);
    let client: Ipv6Addr = "fd00::98".parse().unwrap();
    hosts[2].ip("addr add fd00::98/64 dev lan nodad");
    let _both = elected(&hosts[0], &hosts[1], settings_6);
    for node in &hosts[..2] {
        ask(node, client.into());
        eventually("it knows the client", Duration::from_secs(3), || neighbour(node, client.into()).contains("lladdr"));
    }
    let elsewhere = [2, 0, 0, 0, 0, 0x98];
    hosts[2].enter(|| {
        let index = Kernel::open().unwrap().interface_by_name("lan").unwrap().index;
        AnnouncementSocket::open("lan", index).unwrap().send(&ndp::unsolicited(client, elsewhere)).unwrap();
    });
    for node in &hosts[..2] {
        eventually("it believes the client", Duration::from_secs(1), || {
            neighbour(node, client.into()).contains(&text(elsewhere))
        });
    }
}

fn send(from: &Namespace, interface: &str, hops: u32, to: IpAddr, message: &[u8]) {
    from.enter(|| {
        let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(112))).unwrap();
        socket.bind_device(Some(interface.as_bytes())).unwrap();
        socket.set_multicast_hops_v6(hops).unwrap();
        socket.set_unicast_hops_v6(hops).unwrap();
        let to = std::net::SocketAddr::new(to, 0);
        socket.send_to(message, &SockAddr::from(to)).unwrap();
    });
}

/// Proves V-17, V-50-, V-66, V-85.
#[test]
fn what_breaks_a_rule_is_counted_by_it_and_moves_nothing() {
    let hosts = lan();
    give_ipv6(&hosts[..2]);
    hosts[2].ip("addr add fd00::99/64 dev lan nodad");
    hosts[2].ip("addr add fe80::99/64 dev lan nodad");
    let (first, _second) = elected(&hosts[0], &hosts[1], settings_6);
    let stranger: IpAddr = "fd00::99".parse().unwrap();
    let ours = settings_6(0);
    let advert = |to: IpAddr| {
        let better = Advertisement::of_one(ours.vips[0].virtual_router_id, Priority::new(255), ours.interval, VIP);
        let mut message = vec![0; better.len(ours.version)];
        // The kernel chooses the source: of the group's scope, the link-local one.
        let source = if to == MULTICAST_GROUP_6 { "fe80::99".parse().unwrap() } else { stranger };
        better.encode(source, to, ours.version, &mut message);
        message
    };
    await_link_local(&hosts[..2]);
    hosts[2].ip("addr flush dev lan scope link");
    hosts[2].ip("addr add fe80::99/64 dev lan nodad");
    let own: IpAddr = "fd00::30".parse().unwrap();
    send(&hosts[2], "lan", 64, MULTICAST_GROUP_6, &advert(MULTICAST_GROUP_6));
    send(&hosts[2], "lan", 255, own, &advert(own));
    let mut wrong = advert(MULTICAST_GROUP_6);
    wrong[6] ^= 1;
    send(&hosts[2], "lan", 255, MULTICAST_GROUP_6, &wrong);
    let counted = |name: &str| {
        let port = &first.snapshot().interfaces[0];
        port.discarded[Discarded::COUNTERS.iter().position(|counter| *counter == name).unwrap()]
    };
    for name in ["ip-ttl-errors", "destination-errors", "checksum-errors"] {
        eventually(name, Duration::from_secs(1), || counted(name) == 1);
    }
    always("nothing moves", Duration::from_millis(500), || hosts[0].holds(VIP) && !hosts[1].holds(VIP));
    send(&hosts[2], "lan", 255, MULTICAST_GROUP_6, &advert(MULTICAST_GROUP_6));
    eventually("a good one is obeyed", Duration::from_secs(1), || !hosts[0].holds(VIP));
}

/// Proves V-84+.
#[test]
fn nodes_of_ipv6_alone_elect_by_unicast_from_their_own_addresses() {
    let pair = pair();
    give_ipv6(&pair);
    pair.iter().for_each(|node| node.ip("-4 addr flush dev eth0"));
    let unicast = |rank| KeeperSettings { transport: Transport::Unicast, ..without_ipv4(rank) };
    let sniffer = Sniffer::on(&pair[1], "eth0");
    let (first, second) = elected(&pair[0], &pair[1], unicast);
    assert!(second.snapshot().peers[0].heartbeat_age.unwrap() < Duration::from_millis(400));
    for (_, frame) in adverts(&sniffer) {
        let (_, ip) = ip_of(&frame).unwrap();
        let way = (ip.get_source().to_string(), ip.get_destination().to_string(), ip.get_hop_limit());
        assert_eq!(way, ("fd00::30".to_owned(), "fd00::31".to_owned(), 255));
    }
    first.command(Command::ProxyLost);
    eventually("the second owns it", Duration::from_secs(1), || pair[1].holds(VIP));
}

#[test]
fn nodes_of_ipv6_alone_elect_by_multicast_and_know_each_other_by_their_heartbeats() {
    let pair = pair();
    give_ipv6(&pair);
    pair.iter().for_each(|node| node.ip("-4 addr flush dev eth0"));
    let (first, second) = elected(&pair[0], &pair[1], without_ipv4);
    let rival = second.snapshot().vips[0].last_heard.unwrap().rival;
    assert_eq!((Some(rival.source), rival.priority.get()), (link_local(&pair[0]), 254));
    drop(first);
    eventually("the second owns it", Duration::from_secs(1), || pair[1].holds(VIP));
    // It is of the same tier, so it is not taken back: only a node that is known has a tier.
    let first = Running::fit(&pair[0], without_ipv4(0));
    always("it stays", Duration::from_secs(2), || pair[1].holds(VIP) && !pair[0].holds(VIP));
    assert_eq!(first.roles(), [Role::Backup; 2]);
}

/// IPv4 elects, and one of IPv6 goes with each.
fn dual_stack(rank: u8) -> KeeperSettings {
    let mut settings = settings(rank);
    for (vip, (name, address)) in settings.vips.iter_mut().zip([("api6", VIP), ("web6", OTHER)]) {
        vip.followers = vec![FollowerSettings { name: name.parse().unwrap(), address, interface: None }];
    }
    settings
}

/// Proves V-09+.
#[test]
fn an_address_of_ipv6_follows_one_of_ipv4_and_is_announced_though_adverts_do_not_name_it() {
    let pair = pair();
    let sniffer = Sniffer::on(&pair[1], "eth0");
    let first = Running::fit(&pair[0], dual_stack(0));
    let both = |node: &Namespace| [API, WEB, VIP, OTHER].map(|address| node.holds(address));
    eventually("the first owns all", Duration::from_secs(5), || both(&pair[0]) == [true; 4]);
    eventually("they are announced", Duration::from_secs(1), || announcements(&sniffer, VIP).len() >= 5);
    let of_4 = |frame: &[u8]| (frame[12..14] == [8, 0] && frame[23] == 112).then(|| frame[34..].to_vec());
    for advert in sniffer.frames().iter().filter_map(|(_, frame)| of_4(frame)) {
        assert_eq!((advert[3], advert.len()), (1, 12), "{advert:02x?}");
    }
    assert!(adverts(&sniffer).is_empty(), "no virtual router of IPv6 is there");
    let second = Running::fit(&pair[1], dual_stack(1));
    eventually("the second is its backup", Duration::from_secs(5), || second.roles() == [Role::Backup; 2]);
    assert_eq!(second.snapshot().vips.iter().flat_map(|vip| &vip.mismatches).count(), 0, "nothing is missing");
    pair[0].ip("addr del fd00::32/128 dev eth0");
    eventually("it is put back", Duration::from_secs(1), || both(&pair[0]) == [true; 4]);
    assert_eq!(both(&pair[1]), [false; 4]);
    first.command(Command::Resign { vip: Some("api6".parse().unwrap()), to: None });
    eventually("one moves with the other", Duration::from_secs(1), || both(&pair[1]) == [true, false, true, false]);
    eventually("and is gone", Duration::from_secs(1), || both(&pair[0]) == [false, true, false, true]);
    drop(first);
    eventually("all have moved", Duration::from_secs(1), || both(&pair[1]) == [true; 4]);
}

/// Proves V-07.
#[test]
fn virtual_routers_of_both_families_have_one_identifier_and_move_apart() {
    let pair = pair();
    let of_both = |rank| {
        let mut settings = settings_6(rank);
        settings.vips[1].address = API;
        settings.vips[1].virtual_router_id = settings.vips[0].virtual_router_id;
        settings
    };
    let first = Running::fit(&pair[0], of_both(0));
    eventually("the first owns both", Duration::from_secs(6), || pair[0].holds(VIP) && pair[0].holds(API));
    let second = Running::fit(&pair[1], of_both(1));
    eventually("the second is its backup", Duration::from_secs(6), || {
        second.roles() == [Role::Backup; 2] && first.snapshot().peers[0].vips.len() == 2
    });
    first.command(Command::Resign { vip: Some("api".parse().unwrap()), to: None });
    eventually("the one of IPv6 moves", Duration::from_secs(1), || pair[1].holds(VIP));
    always("the one of IPv4 stays", Duration::from_secs(1), || pair[0].holds(API) && !pair[1].holds(API));
    let discarded = |of: &Running| of.snapshot().interfaces.iter().flat_map(|port| port.discarded).sum::<u64>();
    assert_eq!((discarded(&first), discarded(&second)), (0, 0));
}

#[test]
fn a_node_whose_link_local_address_is_another_hosts_takes_no_part_until_it_has_one() {
    let pair = pair();
    give_ipv6(&pair);
    await_link_local(&pair);
    pair[0].ip("addr flush dev eth0 scope link");
    pair[1].ip("addr add fe80::7/64 dev eth0 nodad");
    pair[0].ip("addr add fe80::7/64 dev eth0");
    eventually("the kernel has found the other", Duration::from_secs(4), || {
        let shown =
            Program::new("ip").args(["-n", pair[0].name(), "-6", "addr", "show", "dev", "eth0"]).output().unwrap();
        String::from_utf8(shown.stdout).unwrap().contains("dadfailed")
    });
    let first = Running::fit(&pair[0], settings_6(0));
    always("it claims nothing", Duration::from_secs(1), || !pair[0].holds(VIP));
    assert!(!first.snapshot().interfaces[0].up);
    pair[0].ip("addr del fe80::7/64 dev eth0");
    pair[1].ip("addr del fe80::7/64 dev eth0");
    pair[0].ip("addr add fe80::7/64 dev eth0 nodad");
    eventually("it claims", Duration::from_secs(3), || pair[0].holds(VIP));
}

#[test]
fn an_interface_where_ipv6_is_off_is_named_with_the_setting() {
    let [one, _two] = pair();
    let setting = "net.ipv6.conf.eth0.disable_ipv6=1";
    let set = Program::new("ip").args(["netns", "exec", one.name(), "sysctl", "-qw", setting]).status();
    assert!(set.unwrap().success());
    let sentence = one.enter(|| refusal(settings_6(0), Scratch::new().path()));
    let setting = "sysctl -w net.ipv6.conf.eth0.disable_ipv6=0`, and in /etc/sysctl.d";
    assert_eq!(sentence, format!("VIP api is of IPv6, which is off on eth0; `{setting}"));
    let follower = one.enter(|| refusal(dual_stack(0), Scratch::new().path()));
    assert_eq!(follower, format!("VIP api6 is of IPv6, which is off on eth0; `{setting}"));
}
