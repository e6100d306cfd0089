//! Jitter's source: a small generator, seeded by the operating system.

use std::hash::{BuildHasher, RandomState};

/// SplitMix64 (Steele, Lea, Flood 2014). Good enough to keep probes out of phase; not for secrets.
#[derive(Debug)]
pub(crate) struct Entropy(u64);

impl Entropy {
    /// Seeded through the standard library's hasher keys, which come from the operating system.
    pub(crate) fn from_system() -> Self {
        Self(RandomState::new().hash_one(0_u8))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
