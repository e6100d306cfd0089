//! What leaves the node, read by an independent decoder.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use fmc_vrrp::driver::Command;
use pnet::packet::Packet;
use pnet::packet::arp::{ArpOperation, ArpOperations, ArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::{self, Ipv4Packet};
use pnet::util::MacAddr;

use crate::keeper::{Running, octets, settings};
use crate::lab::{API, eventually, pair};
use crate::sniffer::Sniffer;

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const VRRP: IpNextHeaderProtocol = IpNextHeaderProtocol(112);

/// An advert as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Advert {
    at: Instant,
    source: IpAddr,
    pub(crate) destination: IpAddr,
    hardware: MacAddr,
    pub(crate) ttl: u8,
    tos: u8,
    checksum_is_right: bool,
    pub(crate) message: Vec<u8>,
}

pub(crate) fn adverts(sniffer: &Sniffer, vrid: u8) -> Vec<Advert> {
    let decode = |(at, frame): (Instant, Vec<u8>)| {
        let ethernet = EthernetPacket::new(&frame)?;
        let ip = Ipv4Packet::new(ethernet.payload()).filter(|_| ethernet.get_ethertype() == EtherTypes::Ipv4)?;
        (ip.get_next_level_protocol() == VRRP && ip.payload().get(1) == Some(&vrid)).then(|| Advert {
            at,
            source: ip.get_source().into(),
            destination: ip.get_destination().into(),
            hardware: ethernet.get_destination(),
            ttl: ip.get_ttl(),
            tos: ip.get_dscp() << 2 | ip.get_ecn(),
            checksum_is_right: ip.get_checksum() == ipv4::checksum(&ip),
            message: ip.payload().to_vec(),
        })
    };
    sniffer.frames().into_iter().filter_map(decode).collect()
}

pub(crate) fn announcements(sniffer: &Sniffer, address: IpAddr) -> Vec<(Instant, ArpOperation, MacAddr)> {
    let decode = |(at, frame): (Instant, Vec<u8>)| {
        let ethernet = EthernetPacket::new(&frame)?;
        let arp = ArpPacket::new(ethernet.payload()).filter(|_| ethernet.get_ethertype() == EtherTypes::Arp)?;
        let is_gratuitous = arp.get_sender_proto_addr() == address && arp.get_target_proto_addr() == address;
        (is_gratuitous && ethernet.get_destination() == MacAddr::broadcast())
            .then(|| (at, arp.get_operation(), arp.get_sender_hw_addr()))
    };
    sniffer.frames().into_iter().filter_map(decode).collect()
}

/// Proves V-11, V-18, V-19, V-20, V-21, V-26, V-27, V-28+.
/// Shows B-24.
#[test]
fn adverts_have_ttl_255_tos_c0_and_the_primary_source_before_and_after_the_address_is_installed() {
    let [one, two] = pair();
    let sniffer = Sniffer::on(&two, "eth0");
    let _running = Running::fit(&one, settings(0));
    eventually("a second of adverts", Duration::from_secs(5), || adverts(&sniffer, 32).len() > 12);
    assert!(one.holds(API));
    for advert in adverts(&sniffer, 32) {
        assert_eq!((advert.ttl, advert.tos, advert.checksum_is_right), (255, 0xc0, true), "{advert:?}");
        assert_eq!((advert.source, advert.destination), ([192, 168, 0, 30].into(), GROUP), "{advert:?}");
        assert_eq!(advert.hardware, MacAddr::new(0x01, 0x00, 0x5e, 0x00, 0x00, 0x12));
        assert_eq!(advert.message[..8].first_chunk(), Some(&[0x31, 32, 254, 1, 0, 10]));
        assert_eq!(advert.message[8..], octets(API));
    }
}

/// Proves V-36.
#[test]
fn adverts_keep_their_cadence() {
    let [one, two] = pair();
    let sniffer = Sniffer::on(&two, "eth0");
    let _running = Running::fit(&one, settings(0));
    eventually("three seconds of adverts", Duration::from_secs(8), || adverts(&sniffer, 32).len() > 30);
    let seen = adverts(&sniffer, 32);
    let mean = (seen[30].at - seen[0].at) / 30;
    // Absolute deadlines: single ones are late on a busy machine, the mean is not.
    assert!(mean.abs_diff(Duration::from_millis(100)) < Duration::from_millis(3), "{mean:?}");
}

/// Proves V-86, V-89.
#[test]
fn promotion_is_advert_then_address_then_announcement_in_both_forms() {
    let [one, two] = pair();
    let sniffer = Sniffer::on(&two, "eth0");
    let _running = Running::fit(&one, settings(0));
    eventually("a burst", Duration::from_secs(3), || announcements(&sniffer, API).len() >= 4);
    let announced = announcements(&sniffer, API);
    let first_advert = adverts(&sniffer, 32)[0].at;
    assert!(first_advert < announced[0].0, "announced before the advert");
    let hardware = one.enter(|| fmc_vrrp::kernel::Kernel::open().unwrap().interface_by_name("eth0").unwrap().mac);
    for form in [ArpOperations::Request, ArpOperations::Reply] {
        assert!(announced.iter().any(|(_, operation, _)| *operation == form), "{form:?} is missing");
    }
    assert!(announced.iter().all(|(_, _, sender)| *sender == MacAddr::from(hardware)));
}

/// Proves V-70.
#[test]
fn a_keeper_that_is_shut_down_resigns_once_and_takes_its_address_away() {
    let [one, two] = pair();
    let sniffer = Sniffer::on(&two, "eth0");
    let running = Running::fit(&one, settings(0));
    eventually("it owns the address", Duration::from_secs(3), || one.holds(API));
    running.command(Command::Shutdown { linger: false });
    eventually("it ends", Duration::from_secs(2), || running.has_ended());
    assert!(!one.holds(API));
    let seen = adverts(&sniffer, 32);
    let resignations = seen.iter().filter(|advert| advert.message[2] == 0).count();
    assert_eq!((resignations, seen.last().map(|advert| advert.message[2])), (1, Some(0)));
}

/// Proves V-79.
#[test]
fn a_node_that_loses_its_own_address_can_still_resign_from_it() {
    let [one, two] = pair();
    let sniffer = Sniffer::on(&two, "eth0");
    let _running = Running::fit(&one, settings(0));
    eventually("it owns the address", Duration::from_secs(3), || one.holds(API));
    one.ip("addr del 192.168.0.30/24 dev eth0");
    eventually("it resigns", Duration::from_millis(500), || adverts(&sniffer, 32).iter().any(|a| a.message[2] == 0));
    let last = adverts(&sniffer, 32).last().cloned().unwrap();
    assert_eq!((last.source, last.message[2]), ([192, 168, 0, 30].into(), 0));
    eventually("the address leaves", Duration::from_millis(500), || !one.holds(API));
}
