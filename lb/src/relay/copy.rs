//! One direction of a relay, by read and write through one buffer per thread.
//!
//! An idle relay owns no buffer. What a full socket did not take is kept in a small allocation of its own until it is
//! written; meanwhile nothing is read, so the sender feels the receiver's pace.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// The most that one read takes, and the size of the buffer that all relays of a thread share.
const LARGEST_READ: usize = 64 * 1024;

/// The most that a direction reads after its receiver was full: the bound of what a slow receiver makes us keep.
const SMALLEST_READ: usize = 16 * 1024;

/// Bytes that a direction moves in one turn; then the other relays of the loop have theirs.
const TURN: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; LARGEST_READ].into_boxed_slice());
}

/// One direction: bytes, then FIN, then nothing.
#[derive(Debug)]
pub(super) struct Direction {
    state: State,
    /// The most that the next read takes; grows while the receiver keeps up.
    reach: u32,
    /// It stopped at the end of its turn, with more to move.
    spent: bool,
    /// Read and not yet written; `None` costs nothing.
    rest: Option<Box<Rest>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Bytes move.
    Running,
    /// The sender has finished and every byte is written; FIN is due.
    ShuttingDown,
    /// FIN is sent.
    Done,
}

#[derive(Debug)]
struct Rest {
    bytes: Box<[u8]>,
    written: usize,
}

/// Which socket failed.
#[derive(Debug)]
pub(super) enum Fault {
    Reading(io::Error),
    Writing(io::Error),
}

impl Default for Direction {
    fn default() -> Self {
        Self { state: State::Running, reach: SMALLEST_READ as u32, spent: false, rest: None }
    }
}

impl Direction {
    /// Bytes were read and wait for a full socket.
    pub(super) fn is_holding(&self) -> bool {
        self.rest.is_some()
    }

    pub(super) fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// True when the last poll ended because the turn was over.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    /// True while bytes are kept that the receiver has not taken.
    pub(super) fn has_rest(&self) -> bool {
        self.rest.is_some()
    }

    /// Ready when FIN is passed on, or a socket failed. `moved` hears of every byte written.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        mut moved: impl FnMut(usize),
    ) -> Poll<Result<(), Fault>> {
        loop {
            match self.state {
                State::Running => {
                    ready!(self.poll_bytes(context, from, to, &mut moved))?;
                    self.state = State::ShuttingDown;
                }
                State::ShuttingDown => {
                    ready!(poll_fin(context, to))?;
                    self.state = State::Done;
                }
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Ready when the sender has finished and everything it sent is written.
    fn poll_bytes(
        &mut self,
        context: &mut Context<'_>,
        from: &mut TcpStream,
        to: &mut TcpStream,
        moved: &mut impl FnMut(usize),
    ) -> Poll<Result<(), Fault>> {
        let mut left = TURN;
        self.spent = false;
        BUFFER.with_borrow_mut(|buffer| {
            loop {
                ready!(self.poll_rest(context, to, moved))?;
                if left == 0 {
                    self.spent = true;
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                let reach = left.min(self.reach as usize);
                let bytes = ready!(poll_read(context, from, &mut buffer[..reach]))?;
                if bytes.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                left -= bytes.len();
                self.write(context, to, bytes, moved)?;
            }
        })
    }

    /// Writes what the receiver takes now and keeps the rest.
    fn write(
        &mut self,
        context: &mut Context<'_>,
        to: &mut TcpStream,
        bytes: &[u8],
        moved: &mut impl FnMut(usize),
    ) -> Result<(), Fault> {
        let mut written = 0;
        while written < bytes.len() {
            let Poll::Ready(count) = poll_write(context, to, &bytes[written..])? else {
                self.rest = Some(Box::new(Rest { bytes: bytes[written..].into(), written: 0 }));
                self.reach = SMALLEST_READ as u32;
                return Ok(());
            };
            moved(count);
            written += count;
        }
        if bytes.len() == self.reach as usize {
            self.reach = (self.reach * 2).min(LARGEST_READ as u32);
        }
        Ok(())
    }

    fn poll_rest(
        &mut self,
        context: &mut Context<'_>,
        to: &mut TcpStream,
        moved: &mut impl FnMut(usize),
    ) -> Poll<Result<(), Fault>> {
        while let Some(rest) = &mut self.rest {
            let count = ready!(poll_write(context, to, &rest.bytes[rest.written..]))?;
            moved(count);
            rest.written += count;
            if rest.written == rest.bytes.len() {
                self.rest = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn poll_read<'b>(
    context: &mut Context<'_>,
    from: &mut TcpStream,
    buffer: &'b mut [u8],
) -> Poll<Result<&'b [u8], Fault>> {
    let mut read = ReadBuf::new(buffer);
    ready!(Pin::new(from).poll_read(context, &mut read)).map_err(Fault::Reading)?;
    let count = read.filled().len();
    Poll::Ready(Ok(&buffer[..count]))
}

fn poll_write(context: &mut Context<'_>, to: &mut TcpStream, bytes: &[u8]) -> Poll<Result<usize, Fault>> {
    Pin::new(to).poll_write(context, bytes).map_err(Fault::Writing)
}

fn poll_fin(context: &mut Context<'_>, to: &mut TcpStream) -> Poll<Result<(), Fault>> {
    match ready!(Pin::new(to).poll_shutdown(context)) {
        // The receiver is gone already: the other direction reads why.
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
        result => Poll::Ready(result.map_err(Fault::Writing)),
    }
}
