//! Pipes for splice(2): made when bulk needs them, lent while bytes are in them, kept for the next.
//!
//! A user without privileges has 64 KiB in each of the first pipes, up to `pipe-user-pages-soft` (pipe(7), 1,024 of them); those
//! beyond get two pages and cannot be enlarged (F_SETPIPE_SZ is EPERM). Through such a pipe splicing is slower than copying. So there
//! are far fewer of ours than that, a small one is not used, and whoever gets none copies.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::pipe::{PipeFlags, fcntl_getpipe_size, pipe_with};

/// Pipes that there are at most. One serves every relay whose receiver keeps up; each receiver that does not holds one, with up to half a
/// megabyte of the kernel's in it. Beyond that number slow receivers are copied to.
pub(crate) const MOST_PIPES: usize = 128;

/// Empty ones that are kept.
const MOST_SPARE: usize = 16;

/// The size of a pipe that nobody is short of (pipe(7)).
const USUAL_SIZE: usize = 64 * 1024;

/// The pipes of a loop.
#[derive(Debug)]
pub(super) struct Pipes {
    spare: Vec<Pipe>,
    most: usize,
    smallest: usize,
    /// Each pipe holds a share of it, and so counts itself for as long as it lives.
    existing: Arc<()>,
    counts: Arc<PipeCounts>,
}

/// An empty pipe, or the only record of what is in it.
#[derive(Debug)]
pub(super) struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    _exists: Arc<()>,
}

/// What others see of the pipes.
#[derive(Debug, Default)]
pub(crate) struct PipeCounts {
    shortages: AtomicU64,
    existing: AtomicU64,
    spliced: AtomicU64,
}

impl Pipes {
    pub(super) fn new(counts: Arc<PipeCounts>) -> Self {
        Self::bounded(MOST_PIPES, USUAL_SIZE, counts)
    }

    /// At most `most` pipes, of at least `smallest` bytes.
    pub(super) fn bounded(most: usize, smallest: usize, counts: Arc<PipeCounts>) -> Self {
        Self { spare: Vec::new(), most, smallest, existing: Arc::new(()), counts }
    }

    /// `count` pipes of `size` bytes, and no others.
    #[cfg(test)]
    pub(super) fn of_size(count: usize, size: usize) -> Self {
        let mut pipes = Self::bounded(count, 4096, Arc::default());
        pipes.spare = (0..count).filter_map(|_| pipes.make()).collect();
        let resized = pipes.spare.iter().map(|pipe| rustix::pipe::fcntl_setpipe_size(&pipe.write, size));
        assert!(resized.into_iter().all(|resized| resized.is_ok()), "a pipe may always be made smaller");
        pipes
    }

    /// An empty pipe; `None`, and counted, when there are too many or the kernel gives none of the usual size.
    pub(super) fn take(&mut self) -> Option<Pipe> {
        let pipe = self.spare.pop().or_else(|| self.make());
        if pipe.is_none() {
            self.counts.shortages.fetch_add(1, Ordering::Relaxed);
        }
        pipe
    }

    /// Gives an empty pipe back.
    pub(super) fn give_back(&mut self, pipe: Pipe) {
        match self.spare.len() < MOST_SPARE {
            true => self.spare.push(pipe),
            false => drop(pipe),
        }
        self.count();
    }

    /// Notes bytes that went from socket to socket through a pipe.
    pub(super) fn spliced(&self, bytes: usize) {
        self.counts.spliced.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn make(&self) -> Option<Pipe> {
        if self.alive() >= self.most {
            return None;
        }
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        if fcntl_getpipe_size(&write).ok()? < self.smallest {
            return None;
        }
        let pipe = Pipe { read, write, _exists: Arc::clone(&self.existing) };
        self.count();
        Some(pipe)
    }

    fn alive(&self) -> usize {
        Arc::strong_count(&self.existing) - 1
    }

    fn count(&self) {
        self.counts.existing.store(self.alive() as u64, Ordering::Relaxed);
    }
}

impl Pipe {
    /// Where bytes go in.
    pub(super) fn entry(&self) -> BorrowedFd<'_> {
        self.write.as_fd()
    }

    /// Where they come out.
    pub(super) fn exit(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

impl PipeCounts {
    /// Times that bulk was copied because there was no pipe.
    pub(crate) fn shortages(&self) -> u64 {
        self.shortages.load(Ordering::Relaxed)
    }

    /// Pipes that exist.
    pub(crate) fn existing(&self) -> u64 {
        self.existing.load(Ordering::Relaxed)
    }

    /// Bytes that moved through pipes.
    pub(crate) fn spliced(&self) -> u64 {
        self.spliced.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_that_is_given_back_is_lent_again_and_one_that_is_lost_makes_room_for_another() {
        let counts = Arc::new(PipeCounts::default());
        let mut pipes = Pipes::bounded(2, 4096, Arc::clone(&counts));
        let (first, second) = (pipes.take().expect("a pipe"), pipes.take().expect("another"));
        assert!(pipes.take().is_none());
        assert_eq!((counts.shortages(), counts.existing()), (1, 2));
        pipes.give_back(first);
        let again = pipes.take();
        assert!(again.is_some() && pipes.take().is_none());
        drop(second);
        assert!(pipes.take().is_some());
        assert_eq!((counts.shortages(), counts.existing()), (2, 2));
    }

    #[test]
    fn a_pipe_smaller_than_wanted_is_not_lent() {
        let counts = Arc::new(PipeCounts::default());
        assert!(Pipes::bounded(2, 1 << 30, Arc::clone(&counts)).take().is_none());
        assert_eq!((counts.shortages(), counts.existing()), (1, 0));
    }

    #[test]
    fn no_more_empty_pipes_are_kept_than_a_few() {
        let counts = Arc::new(PipeCounts::default());
        let mut pipes = Pipes::bounded(MOST_PIPES, 4096, Arc::clone(&counts));
        let all: Vec<_> = (0..MOST_SPARE + 8).map(|_| pipes.take().expect("a pipe")).collect();
        all.into_iter().for_each(|pipe| pipes.give_back(pipe));
        assert_eq!(counts.existing(), MOST_SPARE as u64);
    }
}
