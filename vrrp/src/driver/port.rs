//! One interface as the elections of one family see it: its socket, its state, and what was discarded on it.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use arrayvec::ArrayVec;
use fmc_config::model::family::Family;

use super::discards::{self, Discards};
use super::snapshot::InterfaceSnapshot;
use crate::arp::HardwareAddress;
use crate::boot_instant::BootInstant;
use crate::packet::{Advertisement, Discarded, IpMeta};
use crate::router::Link;
use crate::socket::{AdvertSocket, Received};

/// Packets read in one turn: a flood may keep the socket full, but the deadlines come first.
pub(super) const PACKETS_A_TURN: usize = 1024;

/// Adverts that are kept apart while the socket is drained, by VRID and source. When it is full they are handed over and the
/// draining goes on: an advert is never dropped for want of room.
const KEPT_APART: usize = 16;

/// After so many adverts in a row that the kernel did not take, the others cannot hear us: we do not own what we cannot claim.
const MUTE_AFTER: u8 = 3;

/// How long a mute interface takes no part before it is tried again.
const MUTE_FOR: Duration = Duration::from_secs(5);

/// An interface that carries VIPs; one that carries elections of both families is two ports.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) running: bool,
    pub(super) has_primary: bool,
    pub(super) primary: IpAddr,
    pub(super) virtual_router_ids: Vec<u8>,
    pub(super) socket: AdvertSocket,
    pub(super) discards: Discards,
    /// What the routers were told last; `None`: nothing yet, and a new router takes its interface to be up.
    pub(super) told: Option<Link>,
    failed_in_a_row: u8,
    muted_until: Option<BootInstant>,
    newest: Box<ArrayVec<(IpMeta, Advertisement), KEPT_APART>>,
}

/// A line for the log, when one is due.
pub(super) type Line = Option<String>;

impl Port {
    pub(super) fn new(name: String, index: u32, primary: IpAddr, ids: Vec<u8>, socket: AdvertSocket) -> Self {
        Self {
            name,
            index,
            running: false,
            has_primary: true,
            primary,
            virtual_router_ids: ids,
            socket,
            discards: Discards::default(),
            told: None,
            failed_in_a_row: 0,
            muted_until: None,
            newest: Box::default(),
        }
    }

    /// Of the virtual routers that advertise here.
    pub(super) fn family(&self) -> Family {
        Family::of(self.primary)
    }

    /// Whether virtual routers can live on it.
    pub(super) fn link(&self, now: BootInstant) -> Link {
        let is_mute = self.muted_until.is_some_and(|until| now < until);
        if self.running && self.has_primary && !is_mute { Link::Up } else { Link::Down }
    }

    /// Whether an address there is the source of its adverts. A recreated interface may have its address before we know its new index;
    /// a link-local one may be that of another interface too.
    pub(super) fn is_its_own(&self, index: u32, address: IpAddr) -> bool {
        let is_anywhere = !matches!(address, IpAddr::V6(address) if address.is_unicast_link_local());
        self.primary == address && (self.index == index || is_anywhere)
    }

    /// When a mute interface is tried again.
    pub(super) fn deadline(&self, now: BootInstant) -> Option<BootInstant> {
        self.muted_until.filter(|until| now < *until)
    }

    /// Sends one VRRP message. The first of a mute interface's new attempts that fails mutes it again.
    /// `from`: the virtual MAC address, where one is in use.
    pub(super) fn send(
        &mut self,
        message: &[u8],
        from: Option<HardwareAddress>,
        to: IpAddr,
        now: BootInstant,
    ) -> io::Result<()> {
        let sent = match from {
            Some(hardware) => self.socket.send_from(hardware, message, to),
            None => self.socket.send(message, to),
        };
        self.failed_in_a_row = if sent.is_ok() { 0 } else { self.failed_in_a_row.saturating_add(1) };
        if self.failed_in_a_row >= MUTE_AFTER {
            self.muted_until = Some(now + MUTE_FOR);
        }
        sent
    }

    /// Reads what waits in the socket, at most `budget` packets, and keeps the newest of each VRID and source for
    /// [`Self::take_newest`]. `true`: the socket is empty. Does not allocate unless a line is due.
    ///
    /// Only what passes `judge` may displace an older one of the same source.
    pub(super) fn drain(
        &mut self,
        budget: &mut usize,
        mut judge: impl FnMut(&IpMeta, &[u8]) -> Result<Advertisement, Discarded>,
        now: BootInstant,
        mut log: impl FnMut(String),
    ) -> bool {
        while *budget > 0 && !self.newest.is_full() {
            *budget -= 1;
            let judged = match self.socket.receive() {
                Ok(Some(Received::Packet(ip, bytes))) => {
                    judge(&ip, bytes).map(|advertisement| (ip, advertisement)).map_err(|reason| (ip.source, reason))
                }
                Ok(Some(Received::Torn(length))) => {
                    Err((IpAddr::V4(Ipv4Addr::UNSPECIFIED), Discarded::Length(length as u16)))
                }
                Ok(None) => return true,
                Err(error) => {
                    log(format!("{}: reading adverts: {error}", self.name));
                    return true;
                }
            };
            match judged {
                Ok((ip, advertisement)) => self.keep(ip, advertisement),
                Err((source, reason)) => self.discard(source, reason, now).into_iter().for_each(&mut log),
            }
        }
        false
    }

    fn keep(&mut self, ip: IpMeta, advertisement: Advertisement) {
        let same = |(other, kept): &(IpMeta, Advertisement)| {
            other.source == ip.source && kept.virtual_router_id == advertisement.virtual_router_id
        };
        self.newest.retain(|kept| !same(kept));
        self.newest.push((ip, advertisement));
    }

    /// Oldest first.
    pub(super) fn take_newest(&mut self) -> Option<(IpMeta, Advertisement)> {
        self.newest.pop_at(0)
    }

    /// Counts a discarded packet.
    pub(super) fn discard(&mut self, source: IpAddr, reason: Discarded, now: BootInstant) -> Line {
        self.discards.count(source, reason, now).map(|told| discards::line(&self.name, source, told))
    }

    pub(super) fn snapshot(&self, now: BootInstant) -> InterfaceSnapshot {
        InterfaceSnapshot {
            name: self.name.clone(),
            up: self.link(now) == Link::Up,
            primary: self.primary,
            discarded: self.discards.counts(),
            overflowed: self.socket.overflowed(),
        }
    }
}
