//! What clients' failures say of a server, beside its check. [core]
//!
//! Only what is the server's: a dial that it refused, reset or left unanswered, and a connection that it reset before it had said a word. Of the
//! latter one client counts once: what a client sends may earn it a reset, and nobody may put a server out alone.

use std::net::IpAddr;

use fmc_config::model::backend::Observe;

use crate::pulse::Ticks;

/// Clients that are told apart; more than this many have been reset is trouble enough.
const SOURCES: usize = 64;

/// The failures of one server in the time that is looked at.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    since: Option<Ticks>,
    failures: u32,
    reset: Vec<IpAddr>,
    told: bool,
}

impl Trouble {
    /// A dial failed by the server's fault. True once for each stretch of time: it is out.
    pub(crate) fn dial_failed(&mut self, rule: Observe, now: Ticks) -> bool {
        self.begin(rule, now);
        self.failures = self.failures.saturating_add(1);
        self.judge(rule)
    }

    /// The server reset a connection of `source` before it had said a word. True once for each stretch of time: it is out.
    pub(crate) fn reset_early(&mut self, source: IpAddr, rule: Observe, now: Ticks) -> bool {
        self.begin(rule, now);
        if self.reset.contains(&source) || self.reset.len() >= SOURCES {
            return false;
        }
        self.reset.push(source);
        self.failures = self.failures.saturating_add(1);
        self.judge(rule)
    }

    fn begin(&mut self, rule: Observe, now: Ticks) {
        if self.since.is_none_or(|since| now.since(since) > rule.within) {
            *self = Self { since: Some(now), ..Self::default() };
        }
    }

    fn judge(&mut self, rule: Observe) -> bool {
        let is_out = self.failures >= rule.failures.get() && !self.told;
        self.told |= is_out;
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
    fn so_many_failures_in_the_time_are_told_once() {
        let mut trouble = Trouble::default();
        let told: Vec<bool> = (0..6).map(|second| trouble.dial_failed(RULE, Ticks(second * 1000))).collect();
        assert_eq!(told, [false, false, true, false, false, false]);
        assert!(!trouble.dial_failed(RULE, Ticks(11_000)), "another stretch of time");
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
