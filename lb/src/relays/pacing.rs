//! What the bandwidth limits of a frontend let each relay move: the throttle, with a clock and with relays.

use std::time::{Duration, Instant};

use super::throttle::{Bounds, Nanos, Throttle, Way};
use crate::connection::Opened;
use crate::pulse::Ticks;
use crate::relay::{Budgets, Means, Turn};

/// Of the relays of one loop.
#[derive(Debug)]
pub(super) struct Pacing {
    began: Instant,
    throttle: Throttle,
}

impl Pacing {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), throttle: Throttle::default() }
    }

    /// A turn of a relay, within what it may read now.
    pub(super) fn turn(&mut self, key: usize, opened: &mut Opened, means: &mut Means, now: Ticks) -> Turn {
        let bounds = opened.session().frontend().bandwidth();
        if bounds.are_none() && self.throttle.is_empty() {
            return opened.turn(means, &mut Budgets::UNBOUNDED.clone(), now);
        }
        let (at, was_waiting) = (self.now(), self.throttle.is_waiting(key));
        let budgets = self.budgets(key, opened, &bounds, at);
        let mut left = budgets;
        let turn = opened.turn(means, &mut left, now);
        for way in Way::BOTH {
            let throttled = self.throttle.charge(key, way, &bounds, budgets.get(way) - left.get(way), at);
            opened.session().frontend().traffic().count_throttled(way, throttled);
        }
        match (self.throttle.is_waiting(key), was_waiting) {
            (true, _) => opened.session().is_throttled(),
            (false, true) => opened.session().touch(now),
            (false, false) => {}
        }
        turn
    }

    fn budgets(&mut self, key: usize, opened: &Opened, bounds: &Bounds, now: Nanos) -> Budgets {
        let mut of = |way| match opened.relay() {
            relay if relay.is_last_of(way) => usize::MAX,
            relay if relay.wants_to_read(way) => self.throttle.allow(key, way, bounds, now),
            _ => {
                self.throttle.stand_back(key, way, now);
                0
            }
        };
        Budgets { to_server: of(Way::ToServer), to_client: of(Way::ToClient) }
    }

    /// The relay has ended; how long its bytes were kept back.
    pub(super) fn forget(&mut self, key: usize) -> Duration {
        let waited = self.waited(key);
        self.throttle.forget(key);
        waited
    }

    pub(super) fn waited(&self, key: usize) -> Duration {
        match self.throttle.is_empty() {
            true => Duration::ZERO,
            false => Duration::from_nanos(self.throttle.waited(key, self.now())),
        }
    }

    /// When somebody's wait may be over.
    pub(super) fn next(&self) -> Option<Instant> {
        self.throttle.next().map(|at| self.began + Duration::from_nanos(at))
    }

    /// Those whose wait may be over.
    pub(super) fn wake(&mut self) -> Vec<usize> {
        match self.throttle.next() {
            Some(_) => self.throttle.wake(self.now()),
            None => Vec::new(),
        }
    }

    fn now(&self) -> Nanos {
        self.began.elapsed().as_nanos() as Nanos
    }
}
