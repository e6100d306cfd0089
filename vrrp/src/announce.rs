//! When an address is announced: a burst on promotion, a short one on a won contest, then a slow refresh. [core]
//!
//! A burst that is lost whole, or a cache poisoned while two routers were Active, would blackhole clients until their ARP entry
//! ages out (minutes to hours); the refresh bounds that to seconds.

use std::time::Duration;

use crate::boot_instant::BootInstant;

/// At most one announcement set in this time, whatever happens: a resumed router must not replay a backlog of contests.
pub const MIN_SPACING: Duration = Duration::from_millis(50);

/// Promotion: five sets within 200 ms.
const PROMOTION: Burst = Burst { sets: 5, spacing: MIN_SPACING };
/// A won contest: one at once, one in case it was lost.
const CONTEST: Burst = Burst { sets: 2, spacing: Duration::from_millis(200) };
/// How long after a burst the refresh is quick.
const QUICK_REFRESH_FOR: Duration = Duration::from_secs(60);
const QUICK_REFRESH: Duration = Duration::from_secs(10);
const REFRESH: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy)]
struct Burst {
    sets: u8,
    spacing: Duration,
}

/// The announcements of one Active router.
#[derive(Debug, Clone, Copy)]
pub struct Announcements {
    since: BootInstant,
    left: u8,
    spacing: Duration,
    next_at: BootInstant,
    last_at: Option<BootInstant>,
}

impl Announcements {
    /// The schedule of a router that becomes Active `now`; the first set is due at once.
    pub const fn promoted(now: BootInstant) -> Self {
        Self { since: now, left: PROMOTION.sets, spacing: PROMOTION.spacing, next_at: now, last_at: None }
    }

    /// Somebody else advertised the address and lost: the next set comes as soon as the storm limit allows.
    pub fn contest_won(&mut self, now: BootInstant) {
        if self.left < CONTEST.sets {
            (self.left, self.spacing) = (CONTEST.sets, CONTEST.spacing);
        }
        self.since = now;
        self.next_at = self.last_at.map_or(now, |last| now.max(last + MIN_SPACING));
    }

    /// When the next set is due.
    pub const fn next_at(&self) -> BootInstant {
        self.next_at
    }

    /// Whether a set is due; taking it schedules the next. Sets missed in a stall are not made up for.
    pub fn take_due(&mut self, now: BootInstant) -> bool {
        if now < self.next_at {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        self.last_at = Some(now);
        self.next_at = now + self.pause(now);
        true
    }

    fn pause(&self, now: BootInstant) -> Duration {
        if self.left > 0 {
            self.spacing
        } else if now.saturating_duration_since(self.since) < QUICK_REFRESH_FOR {
            QUICK_REFRESH
        } else {
            REFRESH
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: BootInstant = BootInstant::from_nanos(7_000_000_000);

    fn at(millis: u64) -> BootInstant {
        START + Duration::from_millis(millis)
    }

    /// Milliseconds after the start at which sets leave when every one is performed on time.
    fn sets(schedule: &mut Announcements, until: u64) -> Vec<u64> {
        let mut times = Vec::new();
        while schedule.next_at() <= at(until) {
            let now = schedule.next_at();
            assert!(schedule.take_due(now));
            times.push(now.saturating_duration_since(START).as_millis() as u64);
        }
        times
    }

    #[test]
    fn promotion_is_five_sets_in_200_ms_then_a_quick_and_then_a_slow_refresh() {
        let times = sets(&mut Announcements::promoted(START), 130_000);
        assert_eq!(times[..5], [0, 50, 100, 150, 200]);
        assert_eq!(times[5..], [10_200, 20_200, 30_200, 40_200, 50_200, 60_200, 90_200, 120_200]);
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut schedule = Announcements::promoted(START);
        assert!(schedule.take_due(START));
        assert!(!schedule.take_due(at(49)));
        assert!(schedule.take_due(at(50)));
    }

    #[test]
    fn a_won_contest_is_two_sets_and_a_quick_refresh() {
        let mut schedule = Announcements::promoted(START);
        sets(&mut schedule, 119_999);
        schedule.contest_won(at(119_990));
        assert_eq!(sets(&mut schedule, 131_000), [119_990, 120_190, 130_190]);
    }

    /// Proves V-98.
    #[test]
    fn a_storm_of_contests_makes_one_set_in_50_ms() {
        let mut schedule = Announcements::promoted(START);
        let mut times = Vec::new();
        for millis in 0..1000 {
            schedule.contest_won(at(millis));
            if schedule.take_due(at(millis)) {
                times.push(millis);
            }
        }
        assert_eq!(times.len(), 20, "{times:?}");
        assert!(times.is_sorted_by(|a, b| b - a >= 50), "{times:?}");
    }

    #[test]
    fn a_stall_is_followed_by_one_set_not_by_the_missed_ones() {
        let mut schedule = Announcements::promoted(START);
        assert!(schedule.take_due(START));
        assert!(schedule.take_due(at(3000)));
        assert!(!schedule.take_due(at(3000)));
        assert_eq!(schedule.next_at(), at(3050));
    }
}
