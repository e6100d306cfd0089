//! One direction of a relay: small traffic is copied through the buffer that all share, bulk is spliced through a pipe.
//!
//! A direction owns a buffer or a pipe only while bytes are in it that its receiver has not taken. Meanwhile nothing is read, so the sender
//! feels the receiver's pace.

use std::io;

use rustix::net::SendFlags;

use super::means::{LARGEST_READ, Means};
use super::pipes::Pipe;
use super::socket::{Received, Socket};

/// The first read of a direction that was quiet, and the most that a full receiver makes us keep.
const SMALLEST_READ: usize = 16 * 1024;

/// After so many bytes copied in one turn the other relays of the loop have theirs.
const COPY_TURN: usize = 64 * 1024;

/// The same by splicing, which costs far less for each byte.
const SPLICE_TURN: usize = 256 * 1024;

/// The most that one splice takes: what a stalled receiver makes the kernel keep for us.
const LARGEST_SPLICE: usize = 256 * 1024;

/// A spliced turn that found less than this is no bulk any more: one system call would have copied it.
const LEAST_BULK: usize = 16 * 1024;

/// One direction: bytes, then FIN.
#[derive(Debug)]
pub(super) struct Direction {
    state: State,
    flow: Flow,
    held: Held,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes move.
    Running,
    /// The sender has finished; what it sent may still be held.
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    /// By recv(2) and send(2), up to `reach` bytes each; it grows while the sender fills it and the receiver keeps up.
    Copy { reach: u32 },
    /// By splice(2): full reads of the largest size came one after the other.
    Splice,
}

/// Read and not yet written.
#[derive(Debug)]
enum Held {
    Nothing,
    Copied(Box<Copied>),
    InPipe(Pipe, usize),
}

#[derive(Debug)]
struct Copied {
    bytes: Box<[u8]>,
    written: usize,
}

/// How far a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// The sender has nothing, or the receiver takes nothing.
    Waiting,
    /// The turn was over before the bytes were.
    Spent,
    /// The sender has finished and every byte is written; FIN is due.
    Finished,
}

/// Which socket failed.
#[derive(Debug)]
pub(super) enum Fault {
    Reading(io::Error),
    Writing(io::Error),
}

impl Flow {
    const QUIET: Self = Self::Copy { reach: SMALLEST_READ as u32 };

    fn turn(self) -> usize {
        match self {
            Self::Copy { .. } => COPY_TURN,
            Self::Splice => SPLICE_TURN,
        }
    }

    fn reach(self) -> usize {
        match self {
            Self::Copy { reach } => reach as usize,
            Self::Splice => LARGEST_READ,
        }
    }

    /// After a read that took all that was asked for, and a receiver that took all of it.
    fn grown(self) -> Self {
        match self {
            Self::Copy { reach } if reach as usize >= LARGEST_READ => Self::Splice,
            Self::Copy { reach } => Self::Copy { reach: reach * 2 },
            Self::Splice => Self::Splice,
        }
    }
}

impl Default for Direction {
    fn default() -> Self {
        Self { state: State::Running, flow: Flow::QUIET, held: Held::Nothing }
    }
}

impl Direction {
    /// True while bytes are kept that the receiver has not taken.
    pub(super) fn is_holding(&self) -> bool {
        !matches!(self.held, Held::Nothing)
    }

    /// True until the sender has finished.
    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// Moves what can be moved now, up to the bound of a turn. `budget` is what may be read, and is lowered by what was; what is read already is
    /// written in any case. `moved` counts the bytes written, those before a fault too.
    pub(super) fn turn(
        &mut self,
        from: &mut Socket,
        to: &mut Socket,
        means: &mut Means,
        budget: &mut usize,
        moved: &mut usize,
    ) -> Result<Progress, Fault> {
        let out_of_budget = if *budget == 0 { Progress::Waiting } else { Progress::Spent };
        loop {
            if !self.deliver(to, means, moved).map_err(Fault::Writing)? {
                return Ok(Progress::Waiting);
            }
            if self.state == State::Finished {
                return Ok(Progress::Finished);
            }
            if *moved >= self.flow.turn() {
                return Ok(Progress::Spent);
            }
            if *budget == 0 {
                return Ok(out_of_budget);
            }
            if !self.fetch(from, to, means, budget, moved)? {
                return Ok(Progress::Waiting);
            }
        }
    }

    /// Writes what is held; false when the receiver did not take all of it.
    fn deliver(&mut self, to: &mut Socket, means: &mut Means, moved: &mut usize) -> io::Result<bool> {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Nothing => {}
            Held::Copied(mut rest) => {
                rest.written += send_all(to, &rest.bytes[rest.written..], SendFlags::empty(), moved)?;
                if rest.written < rest.bytes.len() {
                    self.held = Held::Copied(rest);
                }
            }
            Held::InPipe(pipe, held) => {
                let left = held - splice_all(to, &pipe, held, means, moved)?;
                if left > 0 {
                    self.held = Held::InPipe(pipe, left);
                } else {
                    means.pipes.give_back(pipe);
                }
            }
        }
        Ok(!self.is_holding())
    }

    /// Reads once, and writes what was copied; false when the sender has nothing now.
    fn fetch(
        &mut self,
        from: &mut Socket,
        to: &mut Socket,
        means: &mut Means,
        budget: &mut usize,
        moved: &mut usize,
    ) -> Result<bool, Fault> {
        let found = match self.pipe(from, means) {
            Some(pipe) => self.splice(from, pipe, *budget, means)?,
            None => self.copy(from, to, *budget, means, moved)?,
        };
        match found {
            Received::Bytes(count) | Received::Last(count) => *budget -= count,
            Received::Nothing => {}
        }
        match found {
            Received::Last(_) => self.state = State::Finished,
            Received::Nothing if *moved < LEAST_BULK => self.flow = Flow::QUIET,
            Received::Nothing | Received::Bytes(_) => {}
        }
        Ok(found != Received::Nothing)
    }

    /// An empty pipe for bulk; bulk that gets none is copied, and has to prove itself again.
    fn pipe(&mut self, from: &Socket, means: &mut Means) -> Option<Pipe> {
        if self.flow != Flow::Splice {
            return None;
        }
        let pipe = if from.is_spliceable() { means.pipes.take() } else { None };
        if pipe.is_none() {
            self.flow = Flow::QUIET;
        }
        pipe
    }

    fn copy(
        &mut self,
        from: &mut Socket,
        to: &mut Socket,
        most: usize,
        means: &mut Means,
        moved: &mut usize,
    ) -> Result<Received, Fault> {
        let reach = self.flow.reach();
        let found = from.receive(&mut means.buffer[..reach.min(most)]).map_err(Fault::Reading)?;
        // The last bytes and the FIN that follows them leave together: a packet less for each short answer.
        let (count, flags) = match found {
            Received::Nothing => return Ok(found),
            Received::Bytes(count) => (count, SendFlags::empty()),
            Received::Last(count) => (count, SendFlags::MORE),
        };
        let bytes = &means.buffer[..count];
        let written = send_all(to, bytes, flags, moved).map_err(Fault::Writing)?;
        if written < count {
            self.held = Held::Copied(Box::new(Copied { bytes: bytes[written..].into(), written: 0 }));
            self.flow = Flow::QUIET;
        } else if count == reach {
            self.flow = self.flow.grown();
        }
        Ok(found)
    }

    /// The pipe is empty, for only then EAGAIN says that the socket is (see [`Socket::splice_into`]).
    fn splice(&mut self, from: &mut Socket, pipe: Pipe, most: usize, means: &mut Means) -> Result<Received, Fault> {
        let found = from.splice_into(pipe.entry(), LARGEST_SPLICE.min(most));
        match found {
            Ok(Some(count @ 1..)) => {
                self.held = Held::InPipe(pipe, count);
                return Ok(Received::Bytes(count));
            }
            Ok(_) | Err(_) => means.pipes.give_back(pipe),
        }
        let found = found.map_err(Fault::Reading)?;
        Ok(found.map_or(Received::Nothing, Received::Last))
    }
}

/// Writes until all is written or the receiver takes no more; says how much it was.
fn send_all(to: &mut Socket, bytes: &[u8], flags: SendFlags, moved: &mut usize) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        let Some(count) = to.send(&bytes[written..], flags)? else { break };
        written += count;
        *moved += count;
    }
    Ok(written)
}

fn splice_all(to: &mut Socket, pipe: &Pipe, held: usize, means: &Means, moved: &mut usize) -> io::Result<usize> {
    let mut written = 0;
    while written < held {
        let Some(count) = to.splice_from(pipe.exit(), held - written)? else { break };
        written += count;
        *moved += count;
        means.pipes.spliced(count);
    }
    Ok(written)
}
