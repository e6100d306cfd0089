//! What bytes are moved with: one buffer and a few pipes, which all relays of a loop share.

use std::sync::Arc;

use super::pipes::{PipeCounts, Pipes};

/// The most that one read takes.
pub(super) const LARGEST_READ: usize = 64 * 1024;

/// Lent to one relay for one turn. An idle relay owns nothing of it.
#[derive(Debug)]
pub(crate) struct Means {
    pub(super) buffer: Box<[u8]>,
    pub(super) pipes: Pipes,
}

impl Means {
    pub(crate) fn new(counts: Arc<PipeCounts>) -> Self {
        Self::with(Pipes::new(counts))
    }

    pub(super) fn with(pipes: Pipes) -> Self {
        Self { buffer: vec![0; LARGEST_READ].into_boxed_slice(), pipes }
    }
}
