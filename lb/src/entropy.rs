//! The random numbers of the relay loop: fast, and good enough to draw servers with; nothing secret rests on them.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The odd number nearest to 2^64 / phi: it visits every state once before it repeats.
pub(crate) const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
///
/// An atomic because the loop's tasks must be able to move between threads, though they do not: one addition a draw.
#[derive(Debug)]
pub(crate) struct Entropy(AtomicU64);

impl Entropy {
    /// Seeded by the keys that std asks the kernel for, so that two nodes do not draw alike.
    pub(crate) fn from_the_system() -> Self {
        Self(AtomicU64::new(RandomState::new().build_hasher().finish()))
    }

    /// 64 uniform bits.
    pub(crate) fn draw(&self) -> u64 {
        mixed(self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
    }
}

/// What makes of a counter's steps numbers that look independent.
pub(crate) const fn mixed(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the reference implementation (Vigna, splitmix64.c) from the seed 1234567.
    #[test]
    fn the_sequence_is_that_of_the_reference() {
        let entropy = Entropy(AtomicU64::new(1_234_567));
        assert_eq!(
            [entropy.draw(), entropy.draw(), entropy.draw()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn two_processes_do_not_draw_alike() {
        assert_ne!(Entropy::from_the_system().draw(), Entropy::from_the_system().draw());
    }
}
