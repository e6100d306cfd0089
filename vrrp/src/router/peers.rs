//! What the other nodes of `[nodes]` said last, and whether that still counts. [core]

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

use super::parameters::{MAX_PEERS, Parameters, Peer};
use super::request::MoveRefused;
use super::role::Role;
use crate::boot_instant::BootInstant;
use crate::heartbeat::PeerReport;
use crate::priority::Priority;
use crate::tier::Tier;

/// A heartbeat counts for three of our intervals, but at least this long: at 10 ms a scheduling hiccup is no silence.
const LIVE_AT_LEAST: Duration = Duration::from_millis(100);

/// The other nodes.
#[derive(Debug, Clone)]
pub(super) struct Peers {
    known: ArrayVec<Known, MAX_PEERS>,
    interval: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    peer: Peer,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    report: PeerReport,
    at: BootInstant,
}

/// Why a fall of the tier of an Active router may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// A live peer is in a better tier.
    PeerIsBetter,
    /// No peer is heard, so none can be asked.
    NobodyHeard,
}

impl Peers {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let known = parameters.peers.iter().map(|&peer| Known { peer, last: None }).collect();
        Self { known, interval: parameters.interval.duration() }
    }

    /// Takes the peers of a new configuration, and keeps what the old ones said.
    pub(super) fn reconfigure(&mut self, parameters: &Parameters) {
        let before = std::mem::replace(self, Self::new(parameters));
        for known in &mut self.known {
            known.last = before.of(known.peer.rank).and_then(|old| old.last);
        }
    }

    /// Notes what the node of `rank` says; `None` when there is no such node, else its role before, if it was live.
    pub(super) fn heard(&mut self, rank: u8, report: PeerReport, now: BootInstant) -> Option<Option<Role>> {
        let window = self.live_window();
        let known = self.known.iter_mut().find(|known| known.peer.rank == rank)?;
        let before = known.last.filter(|last| now.saturating_duration_since(last.at) <= window);
        known.last = Some(Last { report, at: now });
        known.peer.source = report.source;
        Some(before.map(|last| last.report.role))
    }

    /// Where the advertisements of the node of `rank` come from.
    pub(super) fn source_of(&self, rank: u8) -> Option<IpAddr> {
        self.of(rank).map(|known| known.peer.source)
    }

    /// Whether `source` is the address of a node of `[nodes]`.
    pub(super) fn knows(&self, source: IpAddr) -> bool {
        self.known.iter().any(|known| known.peer.source == source)
    }

    /// The node whose heartbeat says that it is Active, and until when that holds a claim back: two intervals after it came.
    ///
    /// Two, because a node that died took its heartbeat with it: it sent the last one less than an interval after its last
    /// advertisement, so that two intervals later, at the end of Active_Down_Interval, nothing of it is left to wait for.
    pub(super) fn active_until(&self, now: BootInstant) -> Option<(u8, BootInstant)> {
        let active = |known: &Known| {
            let last = known.last.filter(|last| last.report.role == Role::Active)?;
            Some((known.peer.rank, last.at + self.interval * 2))
        };
        self.known.iter().filter_map(active).filter(|(_, until)| *until > now).max_by_key(|(_, until)| *until)
    }

    /// How many live Backups are ahead of one at `priority`; `None` when it is first.
    pub(super) fn ahead(&self, priority: Priority, now: BootInstant) -> Option<u32> {
        let ahead = |report: &PeerReport| report.role == Role::Backup && report.serving && report.priority > priority;
        let count = self.live(now).filter(|(_, report)| ahead(report)).count() as u32;
        (count > 0).then_some(count)
    }

    /// Whether a fall to `tier` may act.
    pub(super) fn ground(&self, tier: Tier, now: BootInstant) -> Option<Ground> {
        let mut heard = self.live(now).peekable();
        if heard.peek().is_none() {
            return Some(Ground::NobodyHeard);
        }
        heard.any(|(_, report)| report.serving && report.tier > tier).then_some(Ground::PeerIsBetter)
    }

    /// Whether a planned move from this node in `tier` has somewhere to go.
    pub(super) fn can_take(&self, to: Option<u8>, tier: Tier, now: BootInstant) -> Result<(), MoveRefused> {
        let Some(rank) = to else { return self.somebody_can_take(tier, now) };
        self.of(rank).ok_or(MoveRefused::UnknownNode(rank))?;
        let (_, report) = self.live(now).find(|(live, _)| *live == rank).ok_or(MoveRefused::Silent(rank))?;
        if !report.serving {
            Err(MoveRefused::NotServing(rank))
        } else if report.tier < tier {
            Err(MoveRefused::Worse(rank, report.tier))
        } else {
            Ok(())
        }
    }

    /// Without heartbeats nothing is known, and a foreign router may be waiting: the move is tried.
    fn somebody_can_take(&self, tier: Tier, now: BootInstant) -> Result<(), MoveRefused> {
        let mut heard = self.live(now).peekable();
        if heard.peek().is_none() || heard.any(|(_, report)| report.serving && report.tier >= tier) {
            Ok(())
        } else {
            Err(MoveRefused::NobodyAsFit)
        }
    }

    /// Whether some node is heard that serves, in whatever tier.
    pub(super) fn somebody_serves(&self, now: BootInstant) -> bool {
        self.live(now).any(|(_, report)| report.serving)
    }

    fn of(&self, rank: u8) -> Option<&Known> {
        self.known.iter().find(|known| known.peer.rank == rank)
    }

    fn live(&self, now: BootInstant) -> impl Iterator<Item = (u8, PeerReport)> + '_ {
        let window = self.live_window();
        self.known.iter().filter_map(move |known| {
            let last = known.last.filter(|last| now.saturating_duration_since(last.at) <= window)?;
            Some((known.peer.rank, last.report))
        })
    }

    fn live_window(&self) -> Duration {
        (self.interval * 3).max(LIVE_AT_LEAST)
    }
}
