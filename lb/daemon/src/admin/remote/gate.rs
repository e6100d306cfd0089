//! Guessing takes too long: an address that sends wrong tokens is shut out for a while.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Wrong tokens in [`WINDOW`] that shut an address out for the rest of it: a person mistypes twice, a guesser would need 2^128 tries.
const MOST_WRONG: u32 = 10;

const WINDOW: Duration = Duration::from_secs(60);

/// Addresses remembered; when as many guess at once, others wait with them.
const MOST_SOURCES: usize = 1024;

/// Who has guessed.
#[derive(Debug, Default)]
pub(super) struct Gate {
    guesses: HashMap<IpAddr, Guesses>,
}

#[derive(Debug)]
struct Guesses {
    since: Instant,
    wrong: u32,
}

impl Gate {
    /// False while `source` is shut out.
    pub(super) fn is_open(&mut self, source: IpAddr, now: Instant) -> bool {
        self.guesses.retain(|_, guesses| now.duration_since(guesses.since) < WINDOW);
        match self.guesses.get(&source) {
            Some(guesses) => guesses.wrong < MOST_WRONG,
            None => self.guesses.len() < MOST_SOURCES,
        }
    }

    /// Notes a wrong token; true when this one shut the address out.
    pub(super) fn wrong(&mut self, source: IpAddr, now: Instant) -> bool {
        let guesses = self.guesses.entry(source).or_insert(Guesses { since: now, wrong: 0 });
        guesses.wrong += 1;
        guesses.wrong == MOST_WRONG
    }

    /// Whoever knows a token has mistyped before.
    pub(super) fn right(&mut self, source: IpAddr) {
        self.guesses.remove(&source);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn a_guesser_is_shut_out_for_a_minute_and_nobody_with_it() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        let shut: Vec<bool> = (0..MOST_WRONG).map(|_| gate.wrong(source(1), now)).collect();
        assert_eq!(shut.iter().filter(|shut| **shut).count(), 1, "said once");
        assert!(!gate.is_open(source(1), now) && gate.is_open(source(2), now));
        assert!(!gate.is_open(source(1), now + WINDOW - Duration::from_millis(1)));
        assert!(gate.is_open(source(1), now + WINDOW));
    }

    #[test]
    fn a_right_token_forgives_the_typing_errors_before_it() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for _ in 0..3 {
            (1..MOST_WRONG).for_each(|_| assert!(!gate.wrong(source(1), now)));
            assert!(gate.is_open(source(1), now));
            gate.right(source(1));
        }
    }

    #[test]
    fn a_crowd_of_guessers_takes_no_more_memory_than_this() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        for number in 0..u32::try_from(MOST_SOURCES).unwrap() {
            gate.wrong(IpAddr::from(number.to_be_bytes()), now);
        }
        assert!(!gate.is_open(source(1), now), "it waits with them");
        assert!(gate.is_open(source(1), now + WINDOW));
    }
}
