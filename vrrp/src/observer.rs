//! What somebody who only listens can tell of an election: who has the address, who took it from whom, and how long nobody said
//! anything. [core]

use std::net::IpAddr;
use std::time::Duration;

use fmc_config::model::election::Centiseconds;
use serde::{Deserialize, Serialize};

use crate::boot_instant::BootInstant;
use crate::priority::Priority;

/// One thing that was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sighting {
    /// The first owner that is heard.
    Found {
        /// Source of its advertisements.
        owner: IpAddr,
        /// What it advertises.
        priority: Priority,
    },
    /// Another router advertises now, and the one before does not.
    Moved {
        /// Who advertised before.
        from: IpAddr,
        /// Who does now.
        to: IpAddr,
        /// Since the last word of the one before.
        gap: Duration,
        /// How that one left.
        left: Departure,
    },
    /// The owner said nothing for over three of its intervals, and goes on.
    Returned {
        /// Who it is.
        owner: IpAddr,
        /// For how long it was silent.
        gap: Duration,
    },
    /// Two routers advertise at the same time.
    Contested {
        /// Both of them, the later one last.
        between: [IpAddr; 2],
    },
}

/// How a router stopped owning an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Departure {
    /// It was alive, and the other one took over.
    Preempted,
    /// It said so (priority 0).
    Resigned,
    /// It said nothing any more.
    Silent,
}

/// One contest is told once in this time.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// The election of one virtual router, from outside.
#[derive(Debug, Clone, Default)]
pub struct Observer {
    owner: Option<Owner>,
    /// Who owned it before, and when that one was last heard.
    before: Option<(IpAddr, BootInstant)>,
    contest_told_at: Option<BootInstant>,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    source: IpAddr,
    heard_at: BootInstant,
    interval: Duration,
    resigned: bool,
}

impl Owner {
    /// Half an interval more than one: adverts are late, and one in a row may be lost.
    fn departure(&self, gap: Duration) -> Departure {
        match self.resigned {
            true => Departure::Resigned,
            false if gap <= self.interval + self.interval / 2 => Departure::Preempted,
            false => Departure::Silent,
        }
    }
}

impl Observer {
    /// An advertisement that counts.
    pub fn hear(
        &mut self,
        source: IpAddr,
        priority: Priority,
        interval: Centiseconds,
        now: BootInstant,
    ) -> Option<Sighting> {
        if priority == Priority::RESIGN {
            return self.resigns(source, now);
        }
        let next = Owner { source, heard_at: now, interval: interval.duration(), resigned: false };
        let Some(owner) = self.owner.replace(next) else { return Some(Sighting::Found { owner: source, priority }) };
        let gap = now.saturating_duration_since(owner.heard_at);
        if owner.source == source {
            let was_silent = gap > owner.interval * 3;
            return was_silent.then_some(Sighting::Returned { owner: source, gap });
        }
        if self.was_heard_since_it_lost(source, owner, now) {
            return self.contested([owner.source, source], now);
        }
        self.before = Some((owner.source, owner.heard_at));
        Some(Sighting::Moved { from: owner.source, to: source, gap, left: owner.departure(gap) })
    }

    fn resigns(&mut self, source: IpAddr, now: BootInstant) -> Option<Sighting> {
        if let Some(owner) = self.owner.as_mut().filter(|owner| owner.source == source) {
            (owner.resigned, owner.heard_at) = (true, now);
        }
        None
    }

    /// The address went from it to another one a moment ago, and it goes on as if it had not.
    fn was_heard_since_it_lost(&self, source: IpAddr, owner: Owner, now: BootInstant) -> bool {
        let recently = |at: BootInstant| now.saturating_duration_since(at) <= owner.interval * 3;
        !owner.resigned && self.before.is_some_and(|(before, at)| before == source && recently(at))
    }

    fn contested(&mut self, between: [IpAddr; 2], now: BootInstant) -> Option<Sighting> {
        self.before = Some((between[0], now));
        let is_told = self.contest_told_at.is_some_and(|at| now.saturating_duration_since(at) < TOLD_AGAIN_AFTER);
        if is_told {
            return None;
        }
        self.contest_told_at = Some(now);
        Some(Sighting::Contested { between })
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30));
    const TWO: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 31));

    /// What is seen of adverts, each at so many milliseconds, of a source with a priority, at one advert a second.
    fn seen(adverts: &[(u64, IpAddr, u8)]) -> Vec<Sighting> {
        let mut observer = Observer::default();
        let second = Centiseconds::new(100).unwrap();
        let at = |milliseconds: u64| BootInstant::from_nanos(1_000_000_000 + milliseconds * 1_000_000);
        let hear = |(when, source, priority): &(u64, IpAddr, u8)| {
            observer.hear(*source, Priority::new(*priority), second, at(*when))
        };
        adverts.iter().filter_map(hear).collect()
    }

    fn found(owner: IpAddr) -> Sighting {
        Sighting::Found { owner, priority: Priority::new(100) }
    }

    #[test]
    fn an_owner_is_found_once_and_a_late_advert_is_no_silence() {
        assert_eq!(seen(&[(0, ONE, 100), (1000, ONE, 100), (3900, ONE, 100)]), [found(ONE)]);
    }

    #[test]
    fn a_death_is_a_move_with_the_silence_before_it() {
        let gap = Duration::from_millis(3610);
        let moved = Sighting::Moved { from: ONE, to: TWO, gap, left: Departure::Silent };
        assert_eq!(seen(&[(0, ONE, 100), (3610, TWO, 90), (4610, TWO, 90)]), [found(ONE), moved]);
    }

    #[test]
    fn a_resignation_is_no_owner_and_what_follows_was_handed_over() {
        let moved = Sighting::Moved { from: ONE, to: TWO, gap: Duration::from_millis(600), left: Departure::Resigned };
        assert_eq!(seen(&[(0, ONE, 100), (500, ONE, 0), (1100, TWO, 90)]), [found(ONE), moved]);
        assert_eq!(seen(&[(0, ONE, 0)]), []);
    }

    #[test]
    fn an_owner_that_was_silent_and_goes_on_has_returned() {
        let returned = Sighting::Returned { owner: ONE, gap: Duration::from_millis(3001) };
        assert_eq!(seen(&[(0, ONE, 100), (3001, ONE, 100)]), [found(ONE), returned]);
    }

    #[test]
    fn two_that_advertise_in_turn_are_a_contest_which_is_told_once() {
        let adverts: Vec<_> = (0..12).map(|n| (n * 500, if n % 2 == 0 { ONE } else { TWO }, 100)).collect();
        let contested = Sighting::Contested { between: [TWO, ONE] };
        let moved = Sighting::Moved { from: ONE, to: TWO, gap: Duration::from_millis(500), left: Departure::Preempted };
        assert_eq!(seen(&adverts), [found(ONE), moved, contested]);
    }

    #[test]
    fn a_preemption_is_a_move_without_a_contest() {
        let adverts = [(0, ONE, 90), (1000, ONE, 90), (1400, TWO, 100), (2400, TWO, 100)];
        let moved = Sighting::Moved { from: ONE, to: TWO, gap: Duration::from_millis(400), left: Departure::Preempted };
        assert_eq!(seen(&adverts), [Sighting::Found { owner: ONE, priority: Priority::new(90) }, moved]);
    }
}
