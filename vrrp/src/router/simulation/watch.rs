//! What one node sends, held to its bounds after each packet.

use std::collections::VecDeque;
use std::time::Duration;

use crate::boot_instant::BootInstant;
use crate::priority::Priority;
use crate::router::role::Role;
use crate::router::tests::harness::millis;

const WINDOW: Duration = Duration::from_secs(1);

/// At most one advertisement out of turn, and one announcement, in this time.
const SPACING: Duration = millis(50);

/// The outputs of one node in the last second.
#[derive(Debug, Clone, Default)]
pub(super) struct Watch {
    advertisements: VecDeque<BootInstant>,
    announcements: VecDeque<BootInstant>,
    /// Before what it does now.
    role: Option<Role>,
    has_resigned: bool,
}

impl Watch {
    /// P-08: in t not more than t / interval + t / 50 ms + 2. P-11: who does not own says nothing, and a resignation is said once.
    pub(super) fn advertises(
        &mut self,
        priority: Priority,
        becomes: Role,
        interval: Duration,
        now: BootInstant,
    ) -> Result<(), String> {
        let bound = WINDOW.div_duration_f64(interval) + WINDOW.div_duration_f64(SPACING) + 2.0;
        if note(&mut self.advertisements, now) as f64 > bound {
            return Err(format!("{} advertisements in a second", self.advertisements.len()));
        }
        let held = self.role.is_some_and(Role::holds_address);
        if !held && becomes != Role::Active {
            return Err(format!("priority {priority} from a router that was {:?} and becomes {becomes}", self.role));
        }
        let repeated =
            std::mem::replace(&mut self.has_resigned, priority == Priority::RESIGN) && priority == Priority::RESIGN;
        if repeated { Err("a second resignation".to_owned()) } else { Ok(()) }
    }

    /// P-08: a set in 50 ms.
    pub(super) fn announces(&mut self, now: BootInstant) -> Result<(), String> {
        let sets = note(&mut self.announcements, now);
        let most = WINDOW.div_duration_f64(SPACING) as usize + 1;
        if sets > most { Err(format!("{sets} announcement sets in a second")) } else { Ok(()) }
    }

    pub(super) fn becomes(&mut self, role: Role) {
        self.role = Some(role);
    }
}

fn note(times: &mut VecDeque<BootInstant>, now: BootInstant) -> usize {
    times.push_back(now);
    while times.front().is_some_and(|first| now.saturating_duration_since(*first) > WINDOW) {
        times.pop_front();
    }
    times.len()
}
