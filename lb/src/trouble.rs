//! What clients' failures say of a server, beside its check. [core]
//!
//! Only what is the server's: a dial that it refused, reset or left unanswered, and a connection that it reset before it had said a word. Of the
//! latter one client counts once: what a client sends may earn it a reset, and nobody may put a server out alone.

use std::net::IpAddr;

use fmc_config::model::backend::Observe;

use crate::pulse::Ticks;

/// Clients that are told apart. Once so many have been reset, it is no longer the doing of one, and every further reset counts.
const SOURCES: usize = 64;

/// The failures of one server in the time that is looked at.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    since: Option<Ticks>,
    failures: u32,
    reset: Vec<IpAddr>,
    out_since: Option<Ticks>,
}

impl Trouble {
    /// A dial failed by the server's fault. True when with this one it is out.
    pub(crate) fn dial_failed(&mut self, rule: Observe, now: Ticks) -> bool {
        self.begin(rule, now);
        self.count(rule, now)
    }

    /// The server reset a connection of `source` before it had said a word. True when with this one it is out.
    pub(crate) fn reset_early(&mut self, source: IpAddr, rule: Observe, now: Ticks) -> bool {
        self.begin(rule, now);
        if self.reset.contains(&source) {
            return false;
        }
        if self.reset.len() < SOURCES {
            self.reset.push(source);
        }
        self.count(rule, now)
    }

    fn begin(&mut self, rule: Observe, now: Ticks) {
        let is_over = |since: &Ticks| now.since(*since) > rule.within;
        let is_back = |since: &Ticks| now.since(*since) >= rule.out_for;
        if self.since.as_ref().is_none_or(is_over) || self.out_since.as_ref().is_some_and(is_back) {
            let out_since = self.out_since.filter(|since| !is_back(since));
            *self = Self { since: Some(now), out_since, ..Self::default() };
        }
    }

    /// While it is out, what fails was under way before: that says nothing new.
    fn count(&mut self, rule: Observe, now: Ticks) -> bool {
        self.failures = self.failures.saturating_add(1);
        let is_out = self.failures >= rule.failures.get() && self.out_since.is_none();
        if is_out {
            self.out_since = Some(now);
        }
        is_out
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    const RULE: Observe = Observe {
        failures: NonZeroU32::new(3).unwrap(),
        within: Duration::from_secs(10),
        out_for: Duration::from_secs(30),
    };

    #[test]
    fn so_many_failures_in_the_time_are_told_once_while_it_is_out_and_again_when_it_is_back() {
        let mut trouble = Trouble::default();
        let told: Vec<u64> = (0..60).filter(|second| trouble.dial_failed(RULE, Ticks(second * 1000))).collect();
        assert_eq!(told, [2, 34], "three failures, out for 30 s, and three more from then on");
    }

    #[test]
    fn a_server_that_is_back_before_the_time_that_is_looked_at_is_over_is_put_out_again() {
        let rule = Observe { within: Duration::from_secs(60), out_for: Duration::from_secs(5), ..RULE };
        let mut trouble = Trouble::default();
        let told: Vec<u64> = (0..12).filter(|second| trouble.dial_failed(rule, Ticks(second * 1000))).collect();
        assert_eq!(told, [2, 9]);
    }

    #[test]
    fn more_clients_than_are_told_apart_still_count() {
        let rule = Observe { failures: NonZeroU32::new(100).unwrap(), ..RULE };
        let mut trouble = Trouble::default();
        let client = |last| IpAddr::from([192, 168, 0, last]);
        assert_eq!((0..200).find(|last| trouble.reset_early(client(*last), rule, Ticks(5))), Some(99));
    }

    #[test]
    fn failures_that_are_far_apart_are_accidents() {
        let mut trouble = Trouble::default();
        assert!((0..20).all(|turn| !trouble.dial_failed(RULE, Ticks(turn * 6_000))));
    }

    #[test]
    fn one_client_that_is_reset_again_and_again_puts_nobody_out_and_three_do() {
        let mut trouble = Trouble::default();
        let client = |last| IpAddr::from([192, 168, 0, last]);
        assert!((0..100).all(|_| !trouble.reset_early(client(1), RULE, Ticks(5))));
        assert!(!trouble.reset_early(client(2), RULE, Ticks(6)));
        assert!(trouble.reset_early(client(3), RULE, Ticks(7)));
    }
}
