//! Initialize and Backup (RFC 9568 §6.4.1, §6.4.2). [core]

use std::net::IpAddr;
use std::time::Duration;

use fmc_config::model::election::{Centiseconds, Failback, Version};

use super::event::{Heard, PeerHeard};
use super::role::{Obstacle, Reason, Rival, Role};
use super::{Alarm, State, VirtualRouter};
use crate::boot_instant::BootInstant;
use crate::interval::{active_down_interval, skew_time};
use crate::priority::Priority;
use crate::tier::Tier;

/// Start-up listens at least this long, whatever the interval: at 10 ms adverts a late socket would make two Active routers.
const LISTEN_AT_LEAST: Duration = Duration::from_millis(250);

/// How much longer than its timer a Backup waits for each Backup ahead of it that is heard. Skews of neighbouring priorities
/// differ by 0.4 ms at 100 ms intervals, less than a packet's way: without it a third node would claim beside the second.
const TURN: Duration = Duration::from_millis(10);

/// Active_Down_Timer, and what its end will mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backup {
    pub(super) active_down_at: BootInstant,
    pub(super) active_adver_interval: Centiseconds,
    pub(super) expecting: Expecting,
    pub(super) heard: Option<LastHeard>,
    /// The Backups ahead have had their turn.
    turn_given: bool,
    /// Since when an Active router of our own tier, ranked below us, is heard while we are fit.
    pub(super) outranking_since: Option<BootInstant>,
}

/// What the end of Active_Down_Timer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expecting {
    /// Nobody advertised.
    Silence,
    /// This router resigned.
    Resignation(IpAddr),
    /// The heartbeat of this node, which held the claim back, stopped.
    HeartbeatSilence(u8),
}

/// The last advertisement of an Active router.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastHeard {
    pub(super) rival: Rival,
    tier: Option<Tier>,
    at: BootInstant,
    obeyed: bool,
}

impl Backup {
    /// Moves the running timer by the difference of skews, so that the order among Backups is that of their priorities.
    pub(super) fn priority_changed(&mut self, version: Version, before: Priority, after: Priority, now: BootInstant) {
        let skew = |priority| skew_time(version, priority, self.active_adver_interval);
        self.active_down_at = (self.active_down_at + skew(after)).saturating_sub(skew(before)).max(now);
    }

    /// Whether the last advertisement is so fresh that its sender still counts as heard.
    fn hears(&self, now: BootInstant) -> Option<LastHeard> {
        let window = self.active_adver_interval.duration() * 3;
        self.heard.filter(|last| now.saturating_duration_since(last.at) <= window)
    }

    fn wait(&mut self, until: BootInstant, expecting: Expecting) {
        self.active_down_at = until;
        self.expecting = expecting;
    }

    /// A resignation shortens the timer to Skew_Time (RFC 9568 §6.4.2) and never lengthens it: forged ones that keep coming
    /// would postpone a claim for ever.
    fn resigned(&mut self, source: IpAddr, skew: Duration, now: BootInstant) {
        self.wait(self.active_down_at.min(now + skew), Expecting::Resignation(source));
    }
}

impl VirtualRouter {
    pub(super) fn stay_out(&mut self, obstacle: Obstacle) {
        self.state = State::Initialize(obstacle);
        self.reason = Reason::Obstacle(obstacle);
    }

    /// The time for which a contested address stays away is over.
    pub(super) fn reconsider_contested(&mut self, now: BootInstant) {
        self.contested_until = self.contested_until.filter(|until| now < *until);
        self.reconsider(now);
    }

    /// To Backup, listening longer than a running Backup would: nothing is known yet.
    pub(super) fn listen(&mut self, reason: Reason, now: BootInstant) {
        let interval = self.parameters.interval;
        let listen = self.active_down_interval(interval).max(LISTEN_AT_LEAST);
        let turn = interval.duration() * u32::from(self.parameters.rank);
        self.enter_backup(now + listen + turn, interval, reason, now);
    }

    /// To Backup under an Active router that advertises at `interval`, or none.
    pub(super) fn step_down(&mut self, interval: Centiseconds, reason: Reason, now: BootInstant) {
        self.tier = self.fitness.tier;
        let active_down_at = now + self.active_down_interval(interval);
        self.enter_backup(active_down_at, interval, reason, now);
    }

    fn skew_time(&self, active_adver_interval: Centiseconds) -> Duration {
        skew_time(self.parameters.version, self.priority(), active_adver_interval)
    }

    fn active_down_interval(&self, active_adver_interval: Centiseconds) -> Duration {
        active_down_interval(self.parameters.version, self.priority(), active_adver_interval)
    }

    fn enter_backup(
        &mut self,
        active_down_at: BootInstant,
        active_adver_interval: Centiseconds,
        reason: Reason,
        now: BootInstant,
    ) {
        let backup = Backup {
            active_down_at,
            active_adver_interval,
            expecting: Expecting::Silence,
            heard: None,
            turn_given: false,
            outranking_since: None,
        };
        self.enter(State::Backup(backup), reason, now);
    }

    pub(super) fn backup_hears(&mut self, mut backup: Backup, heard: Heard, now: BootInstant) {
        self.notices.path_works();
        if heard.rival.priority == Priority::RESIGN {
            let skew = self.skew_time(backup.active_adver_interval);
            backup.resigned(heard.rival.source, skew, now);
        } else {
            self.backup_hears_active(&mut backup, heard, now);
        }
        self.state = State::Backup(backup);
    }

    /// Obeyed, the timer starts anew at the sender's interval; else it runs on (RFC 9568 §6.4.2).
    fn backup_hears_active(&mut self, backup: &mut Backup, heard: Heard, now: BootInstant) {
        self.rival = Some(heard.rival);
        backup.outranking_since = self.outranks_within_tier(&heard).then(|| backup.outranking_since.unwrap_or(now));
        let obeyed = self.obeys(backup, &heard, now);
        backup.heard = Some(LastHeard { rival: heard.rival, tier: heard.tier, at: now, obeyed });
        if obeyed {
            backup.active_adver_interval = heard.interval;
            backup.turn_given = false;
            backup.wait(now + self.active_down_interval(heard.interval), Expecting::Silence);
        }
    }

    fn outranks_within_tier(&self, heard: &Heard) -> bool {
        self.tier == Tier::Fit && heard.tier == Some(self.tier) && heard.rival.priority < self.priority()
    }

    fn obeys(&self, backup: &Backup, heard: &Heard, now: BootInstant) -> bool {
        let ranks_below = heard.rival.priority < self.priority();
        match heard.tier {
            None => !ranks_below,
            Some(theirs) if theirs != self.tier => theirs > self.tier,
            Some(_) => !(ranks_below && self.failback_is_due(backup.outranking_since, now)),
        }
    }

    fn failback_is_due(&self, outranking_since: Option<BootInstant>, now: BootInstant) -> bool {
        match self.parameters.failback {
            Failback::Never => false,
            Failback::Always => !self.sent_away,
            Failback::After(span) => !self.sent_away && outranking_since.is_some_and(|since| since + span <= now),
        }
    }

    pub(super) fn backup_timer(&mut self, mut backup: Backup, late_by: Duration, now: BootInstant) {
        if now < backup.active_down_at {
            return; // It was Adver_Timer that ran out; the stall it showed has just made this a Backup.
        }
        let interval = backup.active_adver_interval.duration();
        let late_by = late_by.max(now.saturating_duration_since(backup.active_down_at));
        if late_by > interval {
            // What was sent meanwhile may not have reached us yet: an interval and a half for an Active router that
            // doubts itself after the same stall, the rest for its advertisement.
            self.outbox.alarm(Alarm::Stalled(late_by));
            backup.active_down_at = now + interval * 2;
            self.state = State::Backup(backup);
        } else if let Some((rank, until)) = self.holds_back(&backup, now) {
            self.notices.path_is_broken(rank, &mut self.outbox);
            self.statistics.claims_held_back += u64::from(backup.expecting == Expecting::Silence);
            backup.wait(until, Expecting::HeartbeatSilence(rank));
            self.state = State::Backup(backup);
        } else if let Some(turns) = self.peers.ahead(self.priority(), now).filter(|_| !backup.turn_given) {
            backup.turn_given = true;
            backup.active_down_at = now + TURN * turns;
            self.state = State::Backup(backup);
        } else {
            self.become_active(self.reason_to_claim(&backup, now), now);
        }
    }

    /// A heartbeat that says "I am Active" holds a claim back when advertisements stopped; it cannot undo a resignation or
    /// keep a better tier waiting.
    fn holds_back(&self, backup: &Backup, now: BootInstant) -> Option<(u8, BootInstant)> {
        match backup.expecting {
            Expecting::Resignation(_) => None,
            Expecting::Silence | Expecting::HeartbeatSilence(_) if backup.hears(now).is_some() => None,
            Expecting::Silence | Expecting::HeartbeatSilence(_) => self.peers.active_until(now),
        }
    }

    fn reason_to_claim(&self, backup: &Backup, now: BootInstant) -> Reason {
        match (backup.expecting, backup.hears(now).filter(|last| !last.obeyed)) {
            (Expecting::Resignation(source), _) => Reason::Resigned(source),
            (_, Some(last)) => self.reason_to_preempt(last),
            (Expecting::HeartbeatSilence(rank), None) => Reason::HeartbeatSilent(rank),
            (Expecting::Silence, None) => {
                Reason::Silence(backup.heard.map(|last| now.saturating_duration_since(last.at)))
            }
        }
    }

    fn reason_to_preempt(&self, last: LastHeard) -> Reason {
        match last.tier {
            Some(theirs) if theirs != self.tier => Reason::BetterTier { ours: self.tier, theirs },
            Some(_) | None => Reason::Failback(last.rival),
        }
    }

    /// A node that says "I am leaving" has resigned, whether or not its advertisement arrived; unless it waits for another.
    pub(super) fn backup_hears_peer(&mut self, mut backup: Backup, peer: PeerHeard, now: BootInstant) {
        if peer.report.role == Role::Leaving && peer.report.claim.is_none() {
            let skew = self.skew_time(backup.active_adver_interval);
            backup.resigned(peer.report.source, skew, now);
            self.state = State::Backup(backup);
        }
    }

    pub(super) fn backup_changes_tier(&mut self, mut backup: Backup, before: Tier, now: BootInstant) {
        let version = self.parameters.version;
        backup.priority_changed(version, self.parameters.priorities.of(before), self.priority(), now);
        if self.tier != Tier::Fit {
            backup.outranking_since = None;
        }
        self.state = State::Backup(backup);
    }
}
