//! The heartbeat with every other node: one socket, a session each.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use arrayvec::ArrayVec;
use fmc_config::model::name::VipName;
use ring::rand::{SecureRandom, SystemRandom};

use super::settings::{KeeperSettings, PeerSettings, VipSettings};
use super::snapshot::{HeartbeatsRefused, PeerSnapshot, PeerVip};
use super::start::StartError;
use crate::boot_instant::BootInstant;
use crate::clock;
use crate::heartbeat::session::{Keys, Rejected, Session};
use crate::heartbeat::{Heartbeat, MAX_LEN, MAX_VIRTUAL_ROUTERS, PeerReport};
use crate::packet::sequence::Sequence;
use crate::socket::HeartbeatSocket;

/// Datagrams read in one turn; the deadlines come before a flood.
const DATAGRAMS_A_TURN: usize = 256;

/// One line about refused heartbeats of a peer in this time; the counters miss nothing.
const LOG_EVERY: Duration = Duration::from_secs(60);

/// A session that begins costs some datagrams, and some come out of turn; more of them since the last line are a replay, or a peer that
/// does not hear this node.
const ORDINARY: u64 = 50;

/// What this node says of each of its virtual routers.
pub(super) type Reports = ArrayVec<PeerReport, MAX_VIRTUAL_ROUTERS>;

/// The other nodes.
#[derive(Debug)]
pub(super) struct Pair {
    /// None for a node that is alone.
    socket: Option<HeartbeatSocket>,
    peers: Vec<Paired>,
    port: u16,
    config_hash: u64,
    interval: Duration,
    next_at: BootInstant,
    /// What a heartbeat says has changed: the next one is due now.
    pub(super) is_urgent: bool,
    /// Datagrams from addresses that are not of `[nodes]`.
    strangers: u64,
    stranger_named_at: Option<BootInstant>,
    pub(super) sends_failed: u64,
}

#[derive(Debug)]
struct Paired {
    settings: PeerSettings,
    session: Session,
    last: Option<Last>,
    complained_at: Option<BootInstant>,
    /// Datagrams of no session or out of turn, since the last line.
    out_of_turn: u64,
}

#[derive(Debug)]
struct Last {
    at: BootInstant,
    heartbeat: Heartbeat,
}

impl Pair {
    pub(super) fn open(settings: &KeeperSettings) -> Result<Self, StartError> {
        let own = SocketAddr::new(settings.address, settings.pair_port.get());
        let life =
            draw_session().ok_or_else(|| StartError::System("random number", std::io::Error::other("getrandom")))?;
        let keys = Keys::new(settings.keys.iter());
        let paired = |peer: &PeerSettings| Paired {
            settings: peer.clone(),
            session: Session::new(settings.rank, peer.rank, life, keys.clone()),
            last: None,
            complained_at: None,
            out_of_turn: 0,
        };
        Ok(Self {
            socket: if settings.peers.is_empty() { None } else { Some(HeartbeatSocket::open(own)?) },
            peers: settings.peers.iter().map(paired).collect(),
            port: settings.pair_port.get(),
            config_hash: settings.config_hash,
            interval: settings.interval.duration(),
            next_at: clock::now(),
            is_urgent: true,
            strangers: 0,
            stranger_named_at: None,
            sends_failed: 0,
        })
    }

    /// The same nodes by other settings.
    pub(super) fn retune(&mut self, settings: &KeeperSettings) {
        for peer in &mut self.peers {
            peer.session.set_keys(Keys::new(settings.keys.iter()));
        }
        (self.config_hash, self.interval) = (settings.config_hash, settings.interval.duration());
        self.is_urgent = true;
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(HeartbeatSocket::as_fd)
    }

    /// When the next heartbeat is due.
    pub(super) fn next_at(&self) -> Option<BootInstant> {
        self.socket.as_ref().map(|_| self.next_at)
    }

    /// The newest accepted heartbeats that wait in the socket, one for each call. Lines for the log go to `log`.
    pub(super) fn receive(&mut self, now: BootInstant, mut log: impl FnMut(String)) -> Option<(u8, Heartbeat)> {
        for _ in 0..DATAGRAMS_A_TURN {
            let (datagram, from) = match self.socket.as_mut()?.receive() {
                Ok(received) => received?,
                Err(error) => {
                    log(format!("reading heartbeats: {error}"));
                    return None;
                }
            };
            let Some(peer) = self.peers.iter_mut().find(|peer| peer.settings.address == from.ip()) else {
                self.strangers += 1;
                name_stranger(&mut self.stranger_named_at, from.ip(), now).into_iter().for_each(&mut log);
                continue;
            };
            match peer.session.accept(datagram) {
                Ok(heartbeat) => return Some(peer.heard(heartbeat, self.config_hash, now, log)),
                Err(reason) => peer.complain(reason, now).into_iter().for_each(&mut log),
            }
        }
        None
    }

    /// Sends a heartbeat to every peer when one is due. Does not allocate.
    pub(super) fn send_due(
        &mut self,
        reports: impl FnOnce() -> Reports,
        accepted_from: impl Fn(u8) -> Option<Sequence>,
        now: BootInstant,
    ) {
        let Some(socket) = &self.socket else { return };
        if now < self.next_at && !self.is_urgent {
            return;
        }
        self.is_urgent = false;
        if self.next_at <= now {
            // Missed ones are not made up for.
            self.next_at = (self.next_at + self.interval).max(now);
        }
        let (reports, mut out) = (reports(), [0; MAX_LEN]);
        for peer in &mut self.peers {
            let length = peer.session.encode(self.config_hash, accepted_from(peer.settings.rank), &reports, &mut out);
            let to = SocketAddr::new(peer.settings.address, self.port);
            self.sends_failed += u64::from(socket.send(&out[..length], to).is_err());
        }
    }

    pub(super) fn refused(&self) -> HeartbeatsRefused {
        let mut rejected = [0; Rejected::COUNTERS.len()];
        for peer in &self.peers {
            rejected.iter_mut().zip(peer.session.rejected()).for_each(|(sum, count)| *sum += count);
        }
        HeartbeatsRefused { rejected, strangers: self.strangers }
    }

    pub(super) fn snapshot(&self, vips: &[&VipSettings], now: BootInstant) -> Vec<PeerSnapshot> {
        self.peers.iter().map(|peer| peer.snapshot(vips, now)).collect()
    }
}

impl Paired {
    fn heard(
        &mut self,
        heartbeat: Heartbeat,
        our_hash: u64,
        now: BootInstant,
        mut log: impl FnMut(String),
    ) -> (u8, Heartbeat) {
        let before = self.last.as_ref().map_or(our_hash, |last| last.heartbeat.config_hash);
        if heartbeat.config_hash != before {
            let name = &self.settings.name;
            log(match heartbeat.config_hash == our_hash {
                true => format!("{name} runs the same configuration again"),
                false => format!(
                    "{name} runs another configuration than this node: give both the same file and fmc-lbctl reload the one that is behind"
                ),
            });
        }
        self.last = Some(Last { at: now, heartbeat: heartbeat.clone() });
        (self.settings.rank, heartbeat)
    }

    /// A session that has not begun, or a datagram out of turn, is ordinary while they are few; the rest is worth a line.
    fn complain(&mut self, reason: Rejected, now: BootInstant) -> Option<String> {
        if matches!(reason, Rejected::Unproven | Rejected::Stale | Rejected::Replayed) {
            self.out_of_turn += 1;
            if self.out_of_turn <= ORDINARY {
                return None;
            }
        }
        if !is_time(&mut self.complained_at, now) {
            return None;
        }
        self.out_of_turn = 0;
        Some(format!("refused a heartbeat of {}: {reason}", self.settings.name))
    }

    fn sources(&self) -> Vec<IpAddr> {
        let said = self.last.iter().flat_map(|last| &last.heartbeat.virtual_routers).map(|report| report.source);
        let mut sources: Vec<_> = said.collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }

    fn snapshot(&self, vips: &[&VipSettings], now: BootInstant) -> PeerSnapshot {
        let said = |vip: &&VipSettings| {
            let last = self.last.as_ref()?;
            let is_it = |report: &&PeerReport| report.is_of(vip.virtual_router_id, vip.address);
            last.heartbeat.virtual_routers.iter().find(is_it)
        };
        let of_all = |(vip, report): (&&VipSettings, &PeerReport)| {
            let PeerReport { role, tier, serving, .. } = *report;
            let of_one = |name: &VipName| PeerVip { vip: name.clone(), role, tier, serving };
            vip.names().map(of_one).collect::<Vec<_>>()
        };
        PeerSnapshot {
            name: self.settings.name.clone(),
            address: self.settings.address,
            sources: self.sources(),
            heartbeat_age: self.last.as_ref().map(|last| now.saturating_duration_since(last.at)),
            config_hash: self.last.as_ref().map(|last| last.heartbeat.config_hash),
            vips: vips.iter().filter_map(|vip| Some((vip, said(vip)?))).flat_map(of_all).collect(),
        }
    }
}

/// The line about a datagram of somebody else.
fn name_stranger(named_at: &mut Option<BootInstant>, from: IpAddr, now: BootInstant) -> Option<String> {
    is_time(named_at, now).then(|| format!("refused a heartbeat from {from}: it is the address of no other node"))
}

/// Whether the last line is long enough ago; then the next one is of now.
fn is_time(last: &mut Option<BootInstant>, now: BootInstant) -> bool {
    let is_early = last.is_some_and(|at| now.saturating_duration_since(at) < LOG_EVERY);
    *last = if is_early { *last } else { Some(now) };
    !is_early
}

/// 64 random bits of this process life.
fn draw_session() -> Option<u64> {
    let mut bytes = [0; 8];
    SystemRandom::new().fill(&mut bytes).ok()?;
    Some(u64::from_ne_bytes(bytes))
}
