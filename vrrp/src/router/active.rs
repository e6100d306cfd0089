//! Active (RFC 9568 §6.4.3), and how it is entered and left. [core]

use std::net::IpAddr;
use std::time::Duration;

use super::event::{Heard, PeerHeard};
use super::peers::Ground;
use super::role::{Obstacle, Reason, Rival, Role};
use super::{Alarm, State, VirtualRouter};
use crate::announce::Announcements;
use crate::boot_instant::BootInstant;
use crate::priority::Priority;
use crate::tier::Tier;

/// At most one advertisement out of turn in this time: two routers that both assert themselves, or a loop in the bridge, would
/// make a storm of RFC 9568 §6.4.3.
const ASSERTION_SPACING: Duration = Duration::from_millis(50);

/// How long the node that asked for a take-over is not heard. Its last advertisement comes by another socket than its request
/// and may be read after it; it waits for 50 ms at least before it advertises anew.
const HANDED_OVER_FOR: Duration = Duration::from_millis(40);

/// Adver_Timer, and what goes on while it runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Active {
    pub(super) adver_at: BootInstant,
    pub(super) announcements: Announcements,
    /// Stalled so long that another may have taken over; silent until the next Adver_Timer.
    pub(super) doubtful: bool,
    /// The address was removed too often to add it again at once; it comes back with the next advertisement.
    pub(super) address_missing: bool,
    pub(super) fall: Option<Fall>,
    last_assertion: Option<BootInstant>,
    two_active: Option<TwoActive>,
    /// Who asked for the take-over, and when.
    handed_over: Option<(IpAddr, BootInstant)>,
}

/// A fall of the tier that waits for its settle time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fall {
    ground: Ground,
    pub(super) since: BootInstant,
}

/// A peer says by heartbeat that it is Active too.
#[derive(Debug, Clone, Copy)]
struct TwoActive {
    rank: u8,
    since: BootInstant,
    told: bool,
}

impl Active {
    pub(super) fn next_deadline(&self) -> BootInstant {
        if self.doubtful { self.adver_at } else { self.adver_at.min(self.announcements.next_at()) }
    }

    /// Adver_Timer runs on an absolute grid, so that lateness never adds up; what a stall missed is not sent.
    fn advance(&mut self, interval: Duration, now: BootInstant) {
        let overdue = now.saturating_duration_since(self.adver_at).as_nanos();
        let missed = overdue / interval.as_nanos().max(1);
        self.adver_at = self.adver_at + interval * u32::try_from(missed + 1).unwrap_or(u32::MAX);
    }

    fn ignores(&self, source: IpAddr, now: BootInstant) -> bool {
        let gives = |(from, at): (IpAddr, BootInstant)| from == source && now < at + HANDED_OVER_FOR;
        self.handed_over.is_some_and(gives)
    }

    fn may_assert(&mut self, now: BootInstant) -> bool {
        let spaced = self.last_assertion.is_none_or(|last| now.saturating_duration_since(last) >= ASSERTION_SPACING);
        if spaced {
            self.last_assertion = Some(now);
        }
        spaced
    }
}

impl VirtualRouter {
    /// Advertisement, address, announcement (RFC 9568 §6.4.2), at our own interval again.
    pub(super) fn become_active(&mut self, reason: Reason, now: BootInstant) {
        let mut active = Active {
            adver_at: now + self.parameters.interval.duration(),
            announcements: Announcements::promoted(now),
            doubtful: false,
            address_missing: false,
            fall: None,
            last_assertion: None,
            two_active: None,
            handed_over: None,
        };
        self.outbox.advertise(self.priority());
        self.outbox.add_address();
        self.announce_if_due(&mut active, now);
        self.statistics.became_active += 1;
        self.sent_away = false;
        self.enter(State::Active(active), reason, now);
    }

    /// At once, at the request of the node of `rank`.
    pub(super) fn take_over_from(&mut self, rank: u8, now: BootInstant) {
        let asked_by = self.peers.source_of(rank);
        self.become_active(Reason::ClaimRequested(rank), now);
        if let State::Active(active) = &mut self.state {
            active.handed_over = asked_by.map(|source| (source, now));
        }
    }

    /// From any state to Initialize; an Active router resigns first (RFC 9568 §6.4.3, Shutdown event).
    pub(super) fn drop_out(&mut self, obstacle: Obstacle, now: BootInstant) {
        if self.has_not_resigned() {
            self.outbox.advertise(Priority::RESIGN);
        }
        let obstacle = self.stop_if_stopping().unwrap_or(obstacle);
        self.give_address_up();
        self.enter(State::Initialize(obstacle), Reason::Obstacle(obstacle), now);
    }

    pub(super) fn give_address_up(&mut self) {
        self.tier = self.fitness.tier;
        if self.role().holds_address() {
            self.outbox.remove_address();
        }
    }

    /// Later than half a lease: the kernel may have removed the address, and a renewal would bring it back beside another
    /// owner. So the address goes before anything is sent.
    pub(super) fn notice_own_stall(&mut self, now: BootInstant) {
        if let State::Active(active) = self.state {
            let overdue = now.saturating_duration_since(active.adver_at);
            if overdue > self.parameters.lease / 2 {
                self.stalled_out(overdue, now);
            }
        }
    }

    pub(super) fn stalled_out(&mut self, late_by: Duration, now: BootInstant) {
        self.outbox.alarm(Alarm::Stalled(late_by));
        self.give_address_up();
        self.step_down(self.parameters.interval, Reason::Stalled(late_by), now);
    }

    pub(super) fn active_hears(&mut self, mut active: Active, heard: Heard, now: BootInstant) {
        self.notices.path_works();
        let Heard { rival, tier, .. } = heard;
        if active.ignores(rival.source, now) {
            return;
        }
        if rival.priority == Priority::RESIGN {
            return self.answer_resignation(active, now);
        }
        self.rival = Some(rival);
        if self.is_outranked_by(rival) {
            // Our last word, lower than theirs, makes the winner announce the address; see `assert`.
            self.outbox.advertise(self.priority());
            self.give_address_up();
            self.step_down(heard.interval, Reason::Outranked(rival), now);
        } else if active.doubtful && tier == Some(self.tier) {
            self.displaced_by(heard, now);
        } else if !active.doubtful && !self.may_be_displaced(&active, now) {
            self.assert(&mut active, now);
            self.state = State::Active(active);
        }
    }

    /// RFC 9568 §6.4.3: send, and start Adver_Timer anew.
    fn answer_resignation(&mut self, mut active: Active, now: BootInstant) {
        if !active.doubtful && active.may_assert(now) {
            self.outbox.advertise(self.priority());
            active.adver_at = now + self.parameters.interval.duration();
        }
        self.state = State::Active(active);
    }

    /// A contest is won: the loser hears it at once (RFC 9568 §6.4.3), and clients that learnt the loser's hardware address
    /// learn ours again.
    fn assert(&mut self, active: &mut Active, now: BootInstant) {
        if active.may_assert(now) {
            self.outbox.advertise(self.priority());
        }
        active.announcements.contest_won(now);
        self.announce_if_due(active, now);
    }

    /// The higher priority wins, and of equal ones the higher address (RFC 9568 §6.4.3).
    fn is_outranked_by(&self, rival: Rival) -> bool {
        (rival.priority, rival.source) > (self.priority(), self.parameters.source)
    }

    /// Backups of our last advertisement have had time to run out: Adver_Timer is over two intervals late.
    fn may_be_displaced(&self, active: &Active, now: BootInstant) -> bool {
        now.saturating_duration_since(active.adver_at) > self.parameters.interval.duration() * 2
    }

    /// Another took over in our stall; it keeps the address, though we rank above it. No last word: it would step down.
    fn displaced_by(&mut self, heard: Heard, now: BootInstant) {
        self.give_address_up();
        self.step_down(heard.interval, Reason::Displaced(heard.rival), now);
    }

    pub(super) fn active_timer(&mut self, mut active: Active, late_by: Duration, now: BootInstant) {
        if late_by > self.parameters.lease / 2 {
            return self.stalled_out(late_by, now);
        }
        if !active.doubtful && self.may_be_displaced(&active, now) {
            self.outbox.alarm(Alarm::Stalled(now.saturating_duration_since(active.adver_at)));
            active.doubtful = true;
            // Another one speaks once in an interval; the half is for its way to us.
            active.adver_at = now + self.parameters.interval.duration() * 3 / 2;
        } else if active.adver_at <= now {
            self.advertise_in_turn(&mut active, now);
        }
        if !active.doubtful {
            self.announce_if_due(&mut active, now);
        }
        self.weigh_fall(&mut active, now);
        self.state = State::Active(active);
    }

    fn advertise_in_turn(&mut self, active: &mut Active, now: BootInstant) {
        self.outbox.advertise(self.priority());
        active.advance(self.parameters.interval.duration(), now);
        if std::mem::take(&mut active.doubtful) {
            active.announcements.contest_won(now);
        }
        if std::mem::take(&mut active.address_missing) {
            self.outbox.add_address();
        }
    }

    pub(super) fn announce_if_due(&mut self, active: &mut Active, now: BootInstant) {
        if active.announcements.take_due(now) {
            self.outbox.announce();
        }
    }

    /// A fall that the servers caused acts when its ground has held for the settle time (the servers are shared, and nodes see
    /// them fail at different moments).
    fn weigh_fall(&mut self, active: &mut Active, now: BootInstant) {
        let lower = self.fitness.tier < self.tier;
        let ground = lower.then(|| self.peers.ground(self.fitness.tier, now)).flatten();
        active.fall = ground.map(|ground| match active.fall {
            Some(fall) if fall.ground == ground => fall,
            _ => Fall { ground, since: now },
        });
        if active.fall.is_some_and(|fall| fall.since + self.parameters.settle <= now) {
            active.fall = None;
            self.tier = self.fitness.tier;
            self.outbox.heartbeat();
        }
    }

    /// A fall of our own acts at once: the address goes to a better node, or to whoever answers when none is heard.
    pub(super) fn active_changes_tier(&mut self, mut active: Active, before: Tier, now: BootInstant) {
        if self.tier < before && self.peers.ground(self.tier, now).is_some() {
            return self.leave(None, Reason::LocalFault(self.tier), now);
        }
        self.weigh_fall(&mut active, now);
        self.state = State::Active(active);
    }

    pub(super) fn active_hears_peer(&mut self, mut active: Active, peer: PeerHeard, now: BootInstant) {
        let rival = Rival { source: peer.report.source, priority: peer.report.priority };
        if peer.report.role == Role::Active {
            let theirs = self.parameters.priorities.tier_of(rival.priority);
            if active.doubtful && theirs >= self.tier {
                let interval = self.parameters.interval;
                return self.displaced_by(Heard { rival, interval, tier: Some(theirs) }, now);
            }
            if self.both_stay_active(&mut active, peer.rank, now) && self.is_outranked_by(rival) {
                self.give_address_up();
                let reason = Reason::OutrankedByHeartbeat(peer.rank);
                return self.step_down(self.parameters.interval, reason, now);
            }
        } else {
            active.two_active = active.two_active.filter(|two| two.rank != peer.rank);
            if peer.before.is_some_and(Role::holds_address) && !peer.report.role.holds_address() {
                // It answered for the address until now; caches may hold its hardware address.
                active.announcements.contest_won(now);
            }
        }
        self.weigh_fall(&mut active, now);
        self.state = State::Active(active);
    }

    /// Whether a peer has said by heartbeat for three intervals that it is Active too: time enough for advertisements to settle
    /// it, so they do not arrive.
    fn both_stay_active(&mut self, active: &mut Active, rank: u8, now: BootInstant) -> bool {
        let known = active.two_active.filter(|two| two.rank == rank);
        let mut two = known.unwrap_or(TwoActive { rank, since: now, told: false });
        let lasting = two.since + self.parameters.interval.duration() * 3 <= now;
        if lasting && !std::mem::replace(&mut two.told, lasting) {
            self.outbox.alarm(Alarm::TwoActive(rank));
        }
        active.two_active = Some(two);
        lasting
    }
}
