//! One socket of a relay, and what is known of its readiness under edge-triggered epoll(7).
//!
//! The kernel tells each change once. So readiness is remembered here and forgotten only on proof that it is used up: EAGAIN, or a
//! transfer by recv(2) or send(2) that was shorter than asked. A short read proves nothing once an error or urgent data are
//! announced, for they end a read early and are not told again; and a short splice(2) never does, for it also ends when the slots
//! of the pipe are used up. After FIN is announced, a short read was the last one: what comes before a FIN is there when it is told.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use rustix::pipe::SpliceFlags;
use socket2::SockRef;

/// A connected, non-blocking TCP socket.
#[derive(Debug)]
pub(crate) struct Socket {
    descriptor: OwnedFd,
    readable: bool,
    writable: bool,
    /// The peer's FIN is announced.
    closing: bool,
    /// An error or urgent data are announced.
    breaks: bool,
    /// The peer has reset, or is not there any more.
    reset: bool,
    /// Our FIN is sent.
    finished: bool,
}

/// What a read found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Received {
    /// Nothing now.
    Nothing,
    /// So many bytes; there may be more.
    Bytes(usize),
    /// The last so many bytes; none, if the peer had finished before.
    Last(usize),
}

/// What is assumed of a socket before the kernel has said anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Writable,
    Both,
}

impl Socket {
    /// Everything that is told of a socket, once each.
    pub(crate) const INTEREST: EventFlags =
        EventFlags::IN.union(EventFlags::OUT).union(EventFlags::RDHUP).union(EventFlags::PRI).union(EventFlags::ET);

    const CLOSING: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP);

    const BREAKS: EventFlags = EventFlags::PRI.union(EventFlags::ERR);

    pub(super) fn new(descriptor: OwnedFd, readiness: Readiness) -> Self {
        let readable = readiness == Readiness::Both;
        Self { descriptor, readable, writable: true, closing: false, breaks: false, reset: false, finished: false }
    }

    /// Takes in what epoll told.
    pub(crate) fn told(&mut self, events: EventFlags) {
        self.closing |= events.intersects(Self::CLOSING);
        self.breaks |= events.intersects(Self::BREAKS);
        self.reset |= events.contains(EventFlags::ERR);
        self.readable |= events.intersects(Self::CLOSING.union(Self::BREAKS).union(EventFlags::IN));
        self.writable |= events.intersects(EventFlags::OUT | EventFlags::HUP | EventFlags::ERR);
    }

    /// True until a read has proved that there is nothing.
    pub(super) fn is_readable(&self) -> bool {
        self.readable
    }

    /// True once nothing more can come than what is here.
    pub(super) fn is_reset(&self) -> bool {
        self.reset
    }

    /// Reads into `buffer`.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Received> {
        let asked = buffer.len();
        let received = attempt(&mut self.readable, || {
            rustix::net::recv(&self.descriptor, &mut *buffer, RecvFlags::empty()).map(|(count, _)| count)
        })?;
        let Some(count) = received else { return Ok(Received::Nothing) };
        let was_drained = count < asked && !self.breaks;
        if count == 0 || was_drained && self.closing {
            return Ok(Received::Last(count));
        }
        self.readable = !was_drained;
        Ok(Received::Bytes(count))
    }

    /// Writes from `bytes`; `None` when nothing is taken now. With [`SendFlags::MORE`] a FIN must follow at once: it leaves in the same
    /// segment.
    pub(super) fn send(&mut self, bytes: &[u8], flags: SendFlags) -> io::Result<Option<usize>> {
        let flags = flags | SendFlags::NOSIGNAL;
        let sent = attempt(&mut self.writable, || rustix::net::send(&self.descriptor, bytes, flags))?;
        if sent.is_some_and(|count| count < bytes.len()) {
            self.writable = false;
        }
        Ok(sent)
    }

    /// False once urgent data or an error are announced: splice(2) stops before an urgent byte for ever, and says EAGAIN.
    pub(super) fn is_spliceable(&self) -> bool {
        !self.breaks
    }

    /// Moves up to `most` bytes into `pipe`, which must be empty: a full one is EAGAIN too, and would be taken for a socket that has
    /// nothing. `None` when there is nothing now, 0 at the end.
    pub(super) fn splice_into(&mut self, pipe: BorrowedFd<'_>, most: usize) -> io::Result<Option<usize>> {
        attempt(&mut self.readable, || {
            rustix::pipe::splice(&self.descriptor, None, pipe, None, most, SpliceFlags::NONBLOCK)
        })
    }

    /// Moves up to `most` bytes out of `pipe`, which must hold as many; `None` when nothing is taken now.
    pub(super) fn splice_from(&mut self, pipe: BorrowedFd<'_>, most: usize) -> io::Result<Option<usize>> {
        attempt(&mut self.writable, || {
            rustix::pipe::splice(pipe, None, &self.descriptor, None, most, SpliceFlags::NONBLOCK)
        })
    }

    /// Sends FIN, once.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        match SockRef::from(&self.descriptor).shutdown(Shutdown::Write) {
            // The receiver is gone already: the other direction reads why.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// One transfer, if the socket is ready for it; afterwards it is known whether it still is.
fn attempt(ready: &mut bool, mut transfer: impl FnMut() -> rustix::io::Result<usize>) -> io::Result<Option<usize>> {
    while *ready {
        match transfer() {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::AGAIN) => *ready = false,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
