//! Packets in flight: octets for advertisements, as they are for heartbeats.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::mem::{Discriminant, discriminant};

use arrayvec::ArrayVec;
use fmc_config::model::election::{ChecksumForm, Version};

use crate::boot_instant::BootInstant;
use crate::heartbeat::PeerReport;
use crate::packet::{Advertisement, IpMeta};

pub(super) const VERSION: Version = Version::V3(ChecksumForm::PseudoHeader);

#[derive(Debug, Clone)]
pub(super) enum Packet {
    Advertisement(IpMeta, ArrayVec<u8, 20>),
    Heartbeat(PeerReport),
}

impl Packet {
    /// The octets, which must mean the same when they are read (P-01).
    pub(super) fn of(advertisement: &Advertisement, ip: IpMeta) -> Self {
        let mut octets = ArrayVec::from([0; 20]);
        let length = advertisement.encode(ip.source, ip.destination, VERSION, &mut octets);
        octets.truncate(length);
        let read = Advertisement::decode(&ip, VERSION, &octets).map(|received| received.advertisement);
        assert_eq!(read.as_ref(), Ok(advertisement));
        Self::Advertisement(ip, octets)
    }
}

/// A packet on its way.
#[derive(Debug)]
pub(super) struct Flight {
    at: BootInstant,
    /// Of two that arrive together the one that was sent first comes first.
    number: u64,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) packet: Packet,
}

/// The LAN itself.
#[derive(Debug, Default)]
pub(super) struct Wire {
    flights: BinaryHeap<Reverse<Flight>>,
    /// When the last packet of a kind arrives from one node at another: a LAN keeps the order of a flow, not that of two.
    last_arrival: HashMap<(usize, usize, Discriminant<Packet>), BootInstant>,
    pub(super) sent: u64,
}

impl Wire {
    /// `at`: when it would arrive if nothing of its flow were before it.
    pub(super) fn send(&mut self, from: usize, to: usize, packet: Packet, at: BootInstant) {
        let last = self.last_arrival.entry((from, to, discriminant(&packet))).or_insert(at);
        *last = at.max(*last);
        self.sent += 1;
        self.flights.push(Reverse(Flight { at: *last, number: self.sent, from, to, packet }));
    }

    pub(super) fn next_at(&self) -> Option<BootInstant> {
        self.flights.peek().map(|Reverse(flight)| flight.at)
    }

    /// The next packet that has arrived by `now`.
    pub(super) fn arrived(&mut self, now: BootInstant) -> Option<Flight> {
        self.next_at().filter(|at| *at <= now)?;
        self.flights.pop().map(|Reverse(flight)| flight)
    }
}

impl Ord for Flight {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Flight {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Flight {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Flight {}
