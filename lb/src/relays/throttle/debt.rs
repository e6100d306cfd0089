//! Bytes that were read ahead of their time.

use super::{Nanos, Rate};

const SECOND: Nanos = 1_000_000_000;

/// What a quiet direction has saved up, as the time that it takes to read it: a short exchange never waits, and a clock that is late costs
/// nothing.
const SAVED: Nanos = 50_000_000;

/// No debt is deeper than this; the rest is forgiven. One turn never gets there, but a lower rate may stand over an old one.
const DEEPEST: Nanos = SECOND;

/// A turn is so much of a second.
const TURNS: u64 = 20;

/// At the slowest rate that is one second.
const SMALLEST_TURN: u64 = 1024;

/// What a turn of bulk takes anyway.
const LARGEST_TURN: u64 = 256 * 1024;

/// The moment at which everything that was read would have been read evenly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Debt {
    paid_at: Nanos,
}

impl Debt {
    pub(super) fn add(&mut self, bytes: usize, rate: Rate, now: Nanos) {
        let cost = u128::from(SECOND) * bytes as u128 / u128::from(rate.get());
        let cost = Nanos::try_from(cost).unwrap_or(DEEPEST);
        let from = self.paid_at.max(now.saturating_sub(SAVED));
        self.paid_at = from.saturating_add(cost).min(now + DEEPEST);
    }

    /// When it is paid; `None`: it is.
    pub(super) fn paid_at(&self, now: Nanos) -> Option<Nanos> {
        (self.paid_at > now).then_some(self.paid_at)
    }
}

/// What one turn may read of it.
pub(super) fn turn(rate: Rate) -> usize {
    (rate.get() / TURNS).clamp(SMALLEST_TURN, LARGEST_TURN) as usize
}
