//! Leaving: the address is given away but served until somebody has taken it. [core]

use std::time::Duration;

use fmc_config::model::election::Centiseconds;

use super::event::{Heard, PeerHeard};
use super::role::{Obstacle, Reason, Role};
use super::{Alarm, Run, State, VirtualRouter};
use crate::boot_instant::BootInstant;
use crate::priority::Priority;

/// How long a taker is waited for beyond one interval.
const PATIENCE: Duration = Duration::from_millis(20);
/// How long a taker is waited for at least, at fast intervals.
const PATIENCE_AT_LEAST: Duration = Duration::from_millis(50);

/// A router that gives its address away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub(super) until: BootInstant,
    /// The node that is asked to claim. Then no resignation was sent, so that no third node comes first.
    pub(super) to: Option<u8>,
}

impl VirtualRouter {
    /// Resigns, or asks the node of rank `to` to claim, and serves on.
    pub(super) fn leave(&mut self, to: Option<u8>, reason: Reason, now: BootInstant) {
        if to.is_none() {
            self.outbox.advertise(Priority::RESIGN);
        }
        self.tier = self.fitness.tier;
        let patience = (self.parameters.interval.duration() + PATIENCE).max(PATIENCE_AT_LEAST);
        self.enter(State::Leaving(Leaving { until: now + patience, to }), reason, now);
    }

    pub(super) fn move_away(&mut self, to: Option<u8>, now: BootInstant) {
        self.sent_away = true;
        self.leave(to, Reason::MoveRequested(to), now);
    }

    /// Whether Backups still count on our advertisements.
    pub(super) fn has_not_resigned(&self) -> bool {
        match self.state {
            State::Active(_) => true,
            State::Leaving(leaving) => leaving.to.is_some(),
            State::Initialize(_) | State::Backup(_) => false,
        }
    }

    /// The end of lingering is the end of the router.
    pub(super) fn stop_if_stopping(&mut self) -> Option<Obstacle> {
        (self.run == Run::Stopping).then(|| {
            self.run = Run::Stopped;
            Obstacle::Stopped
        })
    }

    pub(super) fn leaving_hears(&mut self, heard: Heard, now: BootInstant) {
        if heard.rival.priority != Priority::RESIGN {
            self.rival = Some(heard.rival);
            self.left(heard.interval, Reason::TakenOver(heard.rival.source), now);
        }
    }

    /// A heartbeat that says "I am Active" ends the wait too: the advertisement may be lost.
    pub(super) fn leaving_hears_peer(&mut self, peer: PeerHeard, now: BootInstant) {
        if peer.report.role == Role::Active {
            self.left(self.parameters.interval, Reason::TakenOver(peer.report.source), now);
        }
    }

    pub(super) fn left(&mut self, interval: Centiseconds, reason: Reason, now: BootInstant) {
        self.give_address_up();
        match self.stop_if_stopping() {
            Some(obstacle) => self.enter(State::Initialize(obstacle), reason, now),
            None => self.step_down(interval, reason, now),
        }
    }

    pub(super) fn leaving_timer(&mut self, leaving: Leaving, late_by: Duration, now: BootInstant) {
        let late_by = late_by.max(now.saturating_duration_since(leaving.until));
        if late_by > self.parameters.lease / 2 {
            self.outbox.alarm(Alarm::Stalled(late_by));
            self.left(self.parameters.interval, Reason::Stalled(late_by), now);
        } else if self.run == Run::Stopping {
            self.left(self.parameters.interval, Reason::NobodyTookOver, now);
        } else {
            self.outbox.alarm(Alarm::NobodyTookOver);
            self.become_active(Reason::NobodyTookOver, now);
        }
    }
}
