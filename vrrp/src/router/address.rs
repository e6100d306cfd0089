//! What a router does that holds the address and finds it gone, or asked for it and does not get it. [core]

use std::time::Duration;

use super::active::Active;
use super::event::Event;
use super::request::AddressLoss;
use super::role::{Obstacle, Reason};
use super::{Alarm, State, VirtualRouter};
use crate::boot_instant::BootInstant;
use crate::priority::Priority;

/// How long an address that was contested stays away from this node.
const CONTESTED_FOR: Duration = Duration::from_secs(10);

/// Removals of the address by somebody else in [`CONTESTED_FOR`] that are answered by adding it again at once; the next one
/// makes the router yield to a peer that serves.
pub(super) const FIGHTS: usize = 3;

impl VirtualRouter {
    /// The address is not on the interface though this router holds it.
    pub fn handle_address_lost(&mut self, loss: AddressLoss, now: BootInstant) {
        self.step(Event::AddressLost(loss), now);
    }

    /// Requests for the address are answered again, and it is absent: after [`AddressLoss::Unanswered`] the router takes part
    /// anew, listening first.
    pub fn handle_address_answered(&mut self, now: BootInstant) {
        if std::mem::take(&mut self.unanswered) {
            self.reconsider(now);
        }
    }

    /// Whether the router stays out until [`Self::handle_address_answered`].
    pub fn awaits_address_answer(&self) -> bool {
        self.unanswered
    }

    pub(super) fn active_loses_address(&mut self, active: Active, loss: AddressLoss, now: BootInstant) {
        match loss {
            AddressLoss::Expired => self.active_lets_address_expire(active, now),
            AddressLoss::Removed => self.active_fights_for_address(active, now),
            AddressLoss::Unanswered => self.stay_out_until_answered(now),
        }
    }

    pub(super) fn leaving_loses_address(&mut self, loss: AddressLoss, now: BootInstant) {
        match loss {
            AddressLoss::Expired => {
                if self.has_not_resigned() {
                    self.outbox.advertise(Priority::RESIGN);
                }
                self.left(self.parameters.interval, Reason::AddressExpired, now);
            }
            AddressLoss::Removed => self.outbox.add_address(),
            AddressLoss::Unanswered => self.stay_out_until_answered(now),
        }
    }

    /// Backups obey our advertisements, so they are told. One that doubts itself says nothing: another may be Active, and
    /// its Backups would take the resignation for that one's.
    fn active_lets_address_expire(&mut self, active: Active, now: BootInstant) {
        if !active.doubtful {
            self.outbox.advertise(Priority::RESIGN);
        }
        self.give_address_up();
        self.step_down(self.parameters.interval, Reason::AddressExpired, now);
    }

    /// Resigns, and stays out: as a Backup it would preempt whoever serves, again and again, without an address to serve from.
    fn stay_out_until_answered(&mut self, now: BootInstant) {
        self.unanswered = true;
        self.drop_out(Obstacle::AddressUnanswered, now);
    }

    fn active_fights_for_address(&mut self, mut active: Active, now: BootInstant) {
        self.removals.retain(|removal| *removal + CONTESTED_FOR > now);
        if self.removals.try_push(now).is_ok() {
            self.outbox.alarm(Alarm::AddressRemoved);
            self.outbox.add_address();
            active.announcements.contest_won(now);
            self.announce_if_due(&mut active, now);
        } else if self.peers.somebody_serves(now) {
            self.outbox.alarm(Alarm::AddressContested);
            self.contested_until = Some(now + CONTESTED_FOR);
            return self.drop_out(Obstacle::AddressContested, now);
        } else {
            // Nobody to yield to: keep fighting, but no faster than we advertise.
            self.outbox.alarm(Alarm::AddressContested);
            active.address_missing = true;
        }
        self.state = State::Active(active);
    }
}
