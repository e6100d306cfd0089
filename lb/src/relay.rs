//! Moving bytes between a client and a server until both have finished or somebody ends it.

mod copy;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use nix::errno::Errno;
use tokio::net::TcpStream;

use crate::ended_by::EndedBy;
use crate::pulse::Pulse;
use crate::session::{Phase, Session};
use crate::socket_options;

use copy::{Direction, Fault};

/// Two sockets, two directions, and the record that others see. Nothing about a relay lives elsewhere.
#[derive(Debug)]
pub(crate) struct Relay {
    client: TcpStream,
    server: TcpStream,
    to_server: Direction,
    to_client: Direction,
    session: Arc<Session>,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Client,
    Server,
}

impl Relay {
    /// A relay that has moved nothing yet.
    pub(crate) fn new(client: TcpStream, server: TcpStream, session: Arc<Session>) -> Self {
        Self { client, server, to_server: Direction::default(), to_client: Direction::default(), session }
    }

    /// Moves bytes until the relay has ended, and says who ended it.
    ///
    /// FIN of one side becomes FIN to the other once every byte before it is written; the other direction stays open.
    /// Cancel safe: what was read and not yet written stays in the relay.
    pub(crate) async fn run(&mut self, pulse: &Pulse) -> EndedBy {
        poll_fn(|context| self.poll(context, pulse)).await
    }

    /// Closes both sockets, with RST when the streams were cut: also when an idle end leaves bytes that were never delivered.
    pub(crate) fn close(self, ended_by: EndedBy) {
        if ended_by.resets() || self.to_client.has_rest() || self.to_server.has_rest() {
            socket_options::reset_on_close(&self.client);
            socket_options::reset_on_close(&self.server);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>, pulse: &Pulse) -> Poll<EndedBy> {
        let polled = self.poll_sides(context, pulse);
        self.session.set_holding(self.to_server.is_holding() || self.to_client.is_holding());
        polled
    }

    fn poll_sides(&mut self, context: &mut Context<'_>, pulse: &Pulse) -> Poll<EndedBy> {
        if let Poll::Ready(reason) = self.session.poll_end(context) {
            return Poll::Ready(reason);
        }
        // The server's bytes first: those it sent before a reset still reach the client.
        let to_client = self.poll_to_client(context, pulse);
        if self.to_client.is_spent() || self.to_server.is_spent() {
            // A loop that ends turns does turn, however long the queue of relays is before the pulse's own task.
            pulse.beat();
        }
        if let Poll::Ready(Err(ended_by)) = to_client {
            return Poll::Ready(ended_by);
        }
        if let Err(ended_by) = ready!(self.poll_to_server(context, pulse)) {
            return Poll::Ready(ended_by);
        }
        ready!(to_client).ok();
        Poll::Ready(match self.session.phase() {
            Phase::ServerFinished => EndedBy::ServerClosed,
            Phase::Connecting | Phase::Open | Phase::ClientFinished => EndedBy::ClientClosed,
        })
    }

    fn poll_to_client(&mut self, context: &mut Context<'_>, pulse: &Pulse) -> Poll<Result<(), EndedBy>> {
        let Self { client, server, to_client, session, .. } = self;
        let was_running = to_client.is_running();
        let polled = to_client.poll(context, server, client, |bytes| {
            session.moved_to_client(bytes);
            session.touch(pulse.now());
        });
        if was_running && !to_client.is_running() {
            session.finished_by(Phase::ServerFinished);
            session.touch(pulse.now());
        }
        polled.map_err(|fault| fault.ended_by(Side::Server, Side::Client))
    }

    fn poll_to_server(&mut self, context: &mut Context<'_>, pulse: &Pulse) -> Poll<Result<(), EndedBy>> {
        let Self { client, server, to_server, session, .. } = self;
        let was_running = to_server.is_running();
        let polled = to_server.poll(context, client, server, |bytes| {
            session.moved_to_server(bytes);
            session.touch(pulse.now());
        });
        if was_running && !to_server.is_running() {
            session.finished_by(Phase::ClientFinished);
            session.touch(pulse.now());
        }
        polled.map_err(|fault| fault.ended_by(Side::Client, Side::Server))
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
