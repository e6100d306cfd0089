//! What the machines say on a bridge of the hypervisor, read by decoders that are not ours (pnet).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use pnet::packet::Packet;
use pnet::packet::arp::{ArpOperations, ArpPacket};
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;

use crate::lab::Lab;

mod tap;

use tap::Tap;

/// VRRP's IP protocol number (RFC 9568 §5.1.1.4).
const VRRP: IpNextHeaderProtocol = IpNextHeaderProtocol(112);

/// A frame that matters to an election.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// A VRRP advertisement (RFC 9568 §5.2).
    Advert {
        /// 2 or 3.
        version: u8,
        /// VRID.
        virtual_router_id: u8,
        /// 0: the sender gives the address up.
        priority: u8,
        /// As sent.
        source: IpAddr,
        /// Or hop limit; 255, or the frame was forged from afar (RFC 9568 §5.1.1.3).
        ttl: u8,
    },
    /// An ARP frame whose sender and target address are the same (RFC 5227 §1.2).
    Gratuitous {
        /// The address announced.
        address: Ipv4Addr,
        /// In the reply form; otherwise in the request form.
        reply: bool,
    },
}

/// A frame and when the kernel received it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// When it arrived, however late it was read.
    pub at: Instant,
    /// What.
    pub said: Said,
}

/// Reads a bridge until dropped.
#[derive(Debug)]
pub struct Capture {
    stop: Arc<AtomicBool>,
    frames: Arc<Mutex<Vec<Frame>>>,
    thread: Option<JoinHandle<()>>,
}

impl Capture {
    /// Reads `bridge` of the hypervisor.
    ///
    /// # Panics
    /// When the hypervisor has no such bridge.
    pub fn start(lab: &Lab, bridge: &'static str) -> Self {
        let (stop, frames) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let mut tap = lab.hypervisor().run(|| Tap::open(bridge));
        let (stopped, seen) = (Arc::clone(&stop), Arc::clone(&frames));
        let thread = std::thread::spawn(move || read(&mut tap, &stopped, &seen));
        Self { stop, frames, thread: Some(thread) }
    }

    /// Every frame so far that matters.
    pub fn frames(&self) -> Vec<Frame> {
        lock(&self.frames).clone()
    }

    /// The adverts for a VRID since `moment`: time, source and priority.
    pub fn adverts_since(&self, moment: Instant, vrid: u8) -> Vec<(Instant, IpAddr, u8)> {
        let advert = |frame: Frame| match frame.said {
            Said::Advert { virtual_router_id, source, priority, .. } if virtual_router_id == vrid => {
                Some((frame.at, source, priority))
            }
            _ => None,
        };
        self.frames().into_iter().filter(|frame| frame.at >= moment).filter_map(advert).collect()
    }

    /// The gratuitous ARP frames for `address` since `moment`: (requests, replies).
    pub fn announcements_since(&self, moment: Instant, address: &str) -> (usize, usize) {
        let wanted: Ipv4Addr = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        let count = |wanted_reply| {
            let said = |frame: &Frame| matches!(frame.said, Said::Gratuitous { address, reply } if address == wanted && reply == wanted_reply);
            self.frames().iter().filter(|frame| frame.at >= moment && said(frame)).count()
        };
        (count(false), count(true))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn read(tap: &mut Tap, stop: &AtomicBool, frames: &Mutex<Vec<Frame>>) {
    while !stop.load(Ordering::Relaxed) {
        let Some((at, bytes)) = tap.next() else { continue };
        if let Some(said) = decode(bytes) {
            lock(frames).push(Frame { at, said });
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Said> {
    let frame = EthernetPacket::new(bytes)?;
    match frame.get_ethertype() {
        EtherTypes::Ipv4 => {
            let packet = Ipv4Packet::new(frame.payload())?;
            let protocol = packet.get_next_level_protocol();
            decode_advert(protocol, packet.get_source().into(), packet.get_ttl(), packet.payload())
        }
        EtherTypes::Ipv6 => {
            let packet = Ipv6Packet::new(frame.payload())?;
            decode_advert(
                packet.get_next_header(),
                packet.get_source().into(),
                packet.get_hop_limit(),
                packet.payload(),
            )
        }
        EtherTypes::Arp => decode_arp(&ArpPacket::new(frame.payload())?),
        _ => None,
    }
}

fn decode_advert(protocol: IpNextHeaderProtocol, source: IpAddr, ttl: u8, message: &[u8]) -> Option<Said> {
    let &[version_and_type, virtual_router_id, priority, ..] = message else { return None };
    let version = version_and_type >> 4;
    (protocol == VRRP).then_some(Said::Advert { version, virtual_router_id, priority, source, ttl })
}

fn decode_arp(packet: &ArpPacket<'_>) -> Option<Said> {
    let address = packet.get_sender_proto_addr();
    let reply = packet.get_operation() == ArpOperations::Reply;
    (address == packet.get_target_proto_addr()).then_some(Said::Gratuitous { address, reply })
}

fn lock(frames: &Mutex<Vec<Frame>>) -> MutexGuard<'_, Vec<Frame>> {
    frames.lock().unwrap_or_else(PoisonError::into_inner)
}
