//! Moving bytes between a client and a server until both have finished or somebody ends it.

mod direction;
mod means;
mod pipes;
mod socket;

use std::io;
use std::os::fd::OwnedFd;

use nix::errno::Errno;

use crate::ended_by::EndedBy;
use crate::pulse::Ticks;
use crate::relays::Way;
use crate::session::{Phase, Session};
use crate::socket_options;

use direction::{Direction, Fault, Progress};
pub(crate) use means::Means;
pub(crate) use pipes::{MOST_PIPES, PipeCounts};
pub(crate) use socket::{Readiness, Socket};

/// Two sockets and two directions: a plain record. Who it belongs to is in its [`Session`].
#[derive(Debug)]
pub(crate) struct Relay {
    client: Socket,
    server: Socket,
    to_server: Direction,
    to_client: Direction,
    is_due: bool,
}

/// One of the two ends of a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// How a turn of a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Until one of its sockets is ready again, there is nothing to do.
    Waiting,
    /// There is more to move; others have their turn first.
    Spent,
    /// It is over.
    Ended(EndedBy),
}

/// What each direction may still read in this turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budgets {
    pub(crate) to_server: usize,
    pub(crate) to_client: usize,
}

impl Budgets {
    /// As much as goes.
    pub(crate) const UNBOUNDED: Self = Self { to_server: usize::MAX, to_client: usize::MAX };

    pub(crate) fn get(self, way: Way) -> usize {
        match way {
            Way::ToServer => self.to_server,
            Way::ToClient => self.to_client,
        }
    }
}

impl Relay {
    /// A relay that has moved nothing yet. Both sockets must be non-blocking.
    pub(crate) fn new(client: OwnedFd, server: OwnedFd) -> Self {
        Self {
            // By the time the server has accepted, the client has spoken in most protocols: worth a look without being told.
            client: Socket::new(client, Readiness::Both),
            server: Socket::new(server, Readiness::Writable),
            to_server: Direction::default(),
            to_client: Direction::default(),
            is_due: false,
        }
    }

    /// Each of its sockets.
    pub(crate) fn socket(&self, side: Side) -> &Socket {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Each of its sockets, to be told that it is ready.
    pub(crate) fn socket_mut(&mut self, side: Side) -> &mut Socket {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Notes that its turn will come; false when that is noted already.
    pub(crate) fn make_due(&mut self) -> bool {
        !std::mem::replace(&mut self.is_due, true)
    }

    /// True when its sender may have something to read.
    pub(crate) fn wants_to_read(&self, way: Way) -> bool {
        let (direction, from) = self.from(way);
        direction.is_running() && from.is_readable()
    }

    /// True when its sender is gone, and what is left is what it sent before: a buffer full at most.
    pub(crate) fn is_last_of(&self, way: Way) -> bool {
        self.from(way).1.is_reset()
    }

    fn from(&self, way: Way) -> (&Direction, &Socket) {
        match way {
            Way::ToServer => (&self.to_server, &self.client),
            Way::ToClient => (&self.to_client, &self.server),
        }
    }

    /// Moves what can be moved now, up to a bound in each direction; `budgets` says what it may read, and afterwards what is left of that.
    ///
    /// FIN of one side becomes FIN to the other once every byte before it is written; the other direction stays open.
    pub(crate) fn turn(&mut self, session: &Session, means: &mut Means, budgets: &mut Budgets, now: Ticks) -> Turn {
        self.is_due = false;
        self.turn_both(session, means, budgets, now).unwrap_or_else(Turn::Ended)
    }

    /// Closes both sockets, with RST when the streams were cut: also when an idle end leaves bytes that were never delivered.
    pub(crate) fn close(self, ended_by: EndedBy) {
        if ended_by.resets() || self.is_holding() {
            socket_options::reset_on_close(&self.client);
            socket_options::reset_on_close(&self.server);
        }
    }

    /// Bytes were read that their receiver has not taken.
    fn is_holding(&self) -> bool {
        self.to_client.is_holding() || self.to_server.is_holding()
    }

    fn turn_both(
        &mut self,
        session: &Session,
        means: &mut Means,
        budgets: &mut Budgets,
        now: Ticks,
    ) -> Result<Turn, EndedBy> {
        // The server's bytes first: those it sent before a reset still reach the client.
        let to_client = self.turn_to_client(session, means, &mut budgets.to_client, now)?;
        let to_server = self.turn_to_server(session, means, &mut budgets.to_server, now)?;
        match (to_client, to_server) {
            // Closing sends whichever FIN is still due.
            (Progress::Finished, Progress::Finished) => return Ok(Turn::Ended(self.finished_by(session))),
            (Progress::Finished, _) => self.client.finish().map_err(|e| blame(Side::Client, &e))?,
            (_, Progress::Finished) => self.server.finish().map_err(|e| blame(Side::Server, &e))?,
            _ => {}
        }
        let is_spent = [to_client, to_server].contains(&Progress::Spent);
        Ok(if is_spent { Turn::Spent } else { Turn::Waiting })
    }

    fn turn_to_client(
        &mut self,
        session: &Session,
        means: &mut Means,
        budget: &mut usize,
        now: Ticks,
    ) -> Result<Progress, EndedBy> {
        let (was_running, mut moved) = (self.to_client.is_running(), 0);
        let progress = self.to_client.turn(&mut self.server, &mut self.client, means, budget, &mut moved);
        session.left_for_client(self.to_client.is_holding(), moved, now);
        if moved > 0 {
            // In this order: whoever sees the bytes sees that the relay is not quiet.
            session.touch(now);
            session.moved_to_client(moved);
        }
        if was_running && !self.to_client.is_running() {
            session.finished_by(Phase::ServerFinished);
            session.touch(now);
        }
        progress.map_err(|fault| fault.ended_by(Side::Server, Side::Client))
    }

    fn turn_to_server(
        &mut self,
        session: &Session,
        means: &mut Means,
        budget: &mut usize,
        now: Ticks,
    ) -> Result<Progress, EndedBy> {
        let (was_running, mut moved) = (self.to_server.is_running(), 0);
        let progress = self.to_server.turn(&mut self.client, &mut self.server, means, budget, &mut moved);
        session.left_for_server(self.to_server.is_holding(), moved, now);
        if moved > 0 {
            session.touch(now);
            session.moved_to_server(moved);
        }
        if was_running && !self.to_server.is_running() {
            session.finished_by(Phase::ClientFinished);
            session.touch(now);
        }
        progress.map_err(|fault| fault.ended_by(Side::Client, Side::Server))
    }

    fn finished_by(&self, session: &Session) -> EndedBy {
        match session.phase() {
            Phase::ServerFinished => EndedBy::ServerClosed,
            Phase::Connecting | Phase::Open | Phase::ClientFinished => EndedBy::ClientClosed,
        }
    }
}

impl Fault {
    fn ended_by(&self, from: Side, to: Side) -> EndedBy {
        match self {
            Self::Reading(error) => blame(from, error),
            Self::Writing(error) => blame(to, error),
        }
    }
}

/// RST, or EPIPE when the RST was seen before the write; everything else is a peer that is no longer there.
fn blame(side: Side, error: &io::Error) -> EndedBy {
    let reset = [Errno::ECONNRESET, Errno::EPIPE, Errno::ECONNABORTED];
    let was_reset = error.raw_os_error().is_some_and(|raw| reset.contains(&Errno::from_raw(raw)));
    match (side, was_reset) {
        (Side::Client, true) => EndedBy::ClientReset,
        (Side::Client, false) => EndedBy::ClientLost,
        (Side::Server, true) => EndedBy::ServerReset,
        (Side::Server, false) => EndedBy::ServerLost,
    }
}

#[cfg(test)]
mod tests;
