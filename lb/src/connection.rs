//! The life of one connection, from accept to its log line.

mod log_line;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::dial::{Attempt, Dial, DialFailed, Dialed, Failure, NotDialed, OnDialFailed, Opening, Why};
use crate::ended_by::EndedBy;
use crate::entropy::Entropy;
use crate::frontend::OfSource;
use crate::listen::Permit;
use crate::pool::Administrative;
use crate::preface::{Fault, Preface};
use crate::proxy_protocol::{Endpoints, Tlvs, Told};
use crate::pulse::Ticks;
use crate::quota::Quota;
use crate::relay::{Budgets, Means, Relay, Turn};
use crate::relays::Relays;
use crate::route::{self, Destination};
use crate::server::InFlight;
use crate::session::{Reached, Session};
use crate::sessions::{Registration, Sessions};
use crate::socket_options::{self, SocketOptions};

use fmc_config::model::frontend::WhenNoServer;
use log_line::Held;

/// What every connection of the process shares.
pub(crate) struct Surroundings {
    pub(crate) sessions: Arc<Sessions>,
    /// Connections that may still be open in the whole process.
    pub(crate) quota: Arc<Quota>,
    pub(crate) on_dial_failed: OnDialFailed,
    pub(crate) entropy: Entropy,
    pub(crate) relays: Relays,
}

/// An accepted client and everything that is counted for it.
pub(crate) struct Connection {
    client: TcpStream,
    registration: Registration,
    permit: Permit,
    surroundings: Arc<Surroundings>,
}

/// A connection that has a server.
struct Arrived {
    dialed: Dialed,
    /// Of a client that a trusted proxy named; others were counted when they were accepted.
    of_source: Option<OfSource>,
    /// Bytes of the client that the server has already.
    said: usize,
}

/// Why there is no relay, and what was tried.
struct Missed {
    ended_by: EndedBy,
    failed: Vec<Attempt>,
}

impl From<EndedBy> for Missed {
    fn from(ended_by: EndedBy) -> Self {
        Self { ended_by, failed: Vec::new() }
    }
}

impl From<NotDialed> for Missed {
    fn from(missed: NotDialed) -> Self {
        Self { ended_by: missed.ended_by(), failed: missed.failed }
    }
}

/// A connection whose two sides are open; what it owns is given back when it is dropped, in this order.
pub(crate) struct Opened {
    relay: Relay,
    _in_flight: InFlight,
    registration: Registration,
    _permit: Permit,
}

impl Connection {
    pub(crate) fn new(
        client: TcpStream,
        registration: Registration,
        permit: Permit,
        surroundings: Arc<Surroundings>,
    ) -> Self {
        Self { client, registration, permit, surroundings }
    }

    /// Finds a server and hands the open relay over to those that serve it; or says in its log line why there is none.
    pub(crate) async fn run(self) {
        let surroundings = Arc::clone(&self.surroundings);
        if let Some(opened) = self.open().await {
            surroundings.relays.adopt(opened, &surroundings);
        }
    }

    /// The open relay; `None` when the connection has ended, with its log line, before there was one.
    async fn open(self) -> Option<Opened> {
        let arrived = tokio::select! {
            biased;
            ended_by = std::future::poll_fn(|context| self.session().poll_end(context)) => Err(ended_by.into()),
            arrived = self.arrive() => arrived,
        };
        match arrived {
            Ok(arrived) => self.relay(arrived),
            Err(Missed { ended_by, failed }) => {
                self.give_up(ended_by, &failed);
                None
            }
        }
    }

    /// What it begins with, whether its client may come, and a server for it.
    async fn arrive(&self) -> Result<Arrived, Missed> {
        let mut preface = self.preface().await?;
        let of_source = self.meet(&preface)?;
        self.route(&mut preface).await?;
        let dialed = self.dial(&preface).await?;
        Ok(Arrived { dialed, of_source, said: preface.said.len() })
    }

    async fn preface(&self) -> Result<Preface, EndedBy> {
        let (session, settings) = (self.session(), self.session().frontend().settings());
        let manner = session.frontend().manner(session.peer().ip());
        let preface = Preface::read(&self.client, manner, settings.preface_timeout).await;
        preface.map_err(|fault| self.ended_by(fault))
    }

    fn ended_by(&self, fault: Fault) -> EndedBy {
        log_line::bad_preface(self.session(), fault);
        fault.ended_by()
    }

    /// Admits the client that a trusted proxy has named. A connection of the proxy's own, a check, is let in because it is trusted:
    /// version 2 says LOCAL then, and version 1, which has no word for it, the proxy's own address.
    fn meet(&self, preface: &Preface) -> Result<Option<OfSource>, EndedBy> {
        let session = self.session();
        match preface.header.as_ref().map(|header| header.told) {
            Some(Told::Client(Endpoints { source, .. })) if source.ip() == session.peer().ip() => Ok(None),
            Some(Told::Client(Endpoints { source, .. })) => {
                session.is_for(source);
                session.frontend().admit(source.ip())
            }
            Some(Told::Nobody) => session.frontend().admit(session.peer().ip()),
            Some(Told::Local) | None => Ok(None),
        }
    }

    /// Finds the first route that fits; what the client says is waited for only where it decides.
    async fn route(&self, preface: &mut Preface) -> Result<(), EndedBy> {
        let (session, source) = (self.session(), self.session().client().ip());
        let routes = &session.frontend().settings().routes;
        let by_address = route::choose(routes, source, None);
        self.take(by_address);
        if by_address == Destination::NeedsHello {
            let (kind, hello) = preface.hello(&self.client).await.map_err(|fault| self.ended_by(fault))?;
            session.frontend().traffic().count_hello(kind);
            self.take(route::choose(routes, source, Some(&hello)));
            log_line::routed(session, &hello);
        }
        Ok(())
    }

    fn take(&self, destination: Destination) {
        match destination {
            Destination::Route(place) => self.session().take_route(place),
            Destination::Default | Destination::NeedsHello => {}
        }
    }

    async fn dial(&self, preface: &Preface) -> Result<Dialed, NotDialed> {
        let session = self.session();
        let own = Told::Client(Endpoints { source: session.peer(), destination: session.vip() });
        let (told, tlvs) = match &preface.header {
            Some(header) if header.told != Told::Nobody => (header.told, header.tlvs.clone()),
            Some(header) => (own, header.tlvs.clone()),
            None => (own, Tlvs::default()),
        };
        let dial = Dial {
            pool: session.pool(),
            route: session.route(),
            options: SocketOptions::of_servers(session.frontend().settings()),
            stream: &self.client,
            source: session.client().ip(),
            opening: Opening { told, tlvs: &tlvs, said: &preface.said },
            pulse: self.registration.pulse(),
            entropy: &self.surroundings.entropy,
            on_failed: &self.surroundings.on_dial_failed,
        };
        dial.connect().await
    }

    fn relay(self, arrived: Arrived) -> Option<Opened> {
        let Arrived { dialed: Dialed { stream, in_flight, took, failed }, of_source, said } = arrived;
        let Self { client, registration, mut permit, surroundings: _ } = self;
        if let Some(source) = of_source {
            permit.count_on(source);
        }
        let session = registration.session();
        let attempts = failed.len() as u8 + 1;
        session.reach(
            Reached { server: Arc::clone(in_flight.server()), attempts, connect_time: took },
            registration.pulse().now(),
        );
        session.moved_to_server(said);
        log_line::failed_attempts(session, &failed);
        end_in_maintenance(session);
        match (descriptor_of(client), descriptor_of(stream)) {
            (Ok(client), Ok(server)) => {
                let relay = Relay::new(client, server);
                Some(Opened { relay, _in_flight: in_flight, registration, _permit: permit })
            }
            (Err(error), _) | (_, Err(error)) => {
                tracing::error!(%error, "cannot take a socket from the runtime");
                log_line::ended(session, None, EndedBy::LocalFault);
                registration.close(EndedBy::LocalFault);
                None
            }
        }
    }

    fn give_up(self, ended_by: EndedBy, failed: &[Attempt]) {
        log_line::failed_attempts(self.session(), failed);
        if self.session().frontend().settings().when_no_server == WhenNoServer::Reset
            || !matches!(ended_by, EndedBy::NoServerAccepts | EndedBy::ServersFull)
        {
            socket_options::reset_on_close(&self.client);
        }
        drop(self.client);
        log_line::ended(self.registration.session(), None, ended_by);
        self.registration.close(ended_by);
    }

    fn session(&self) -> &Session {
        self.registration.session()
    }
}

/// The log line of a flow of datagrams.
pub(crate) fn flow_ended(session: &Session, ended_by: EndedBy) {
    log_line::ended(session, None, ended_by);
}

impl Opened {
    pub(crate) fn session(&self) -> &Session {
        self.registration.session()
    }

    pub(crate) fn relay(&self) -> &Relay {
        &self.relay
    }

    pub(crate) fn relay_mut(&mut self) -> &mut Relay {
        &mut self.relay
    }

    pub(crate) fn turn(&mut self, means: &mut Means, budgets: &mut Budgets, now: Ticks) -> Turn {
        self.relay.turn(self.registration.session(), means, budgets, now)
    }

    /// A line of its own for a connection whose hour has come since the look before this one, `since` ago.
    pub(crate) fn record(&self, throttled: Duration, now: Instant, since: Duration) {
        if self.session().is_due_for_a_record(now, since) {
            log_line::lasts(self.session(), Held { relay: &self.relay, throttled });
        }
    }

    /// `throttled`: how long bandwidth limits have kept its bytes back.
    pub(crate) fn close(self, ended_by: EndedBy, throttled: Duration, surroundings: &Surroundings) {
        if ended_by == EndedBy::ServerReset {
            self.note_early_reset(&surroundings.on_dial_failed);
        }
        let held = Held { relay: &self.relay, throttled };
        log_line::ended(self.registration.session(), Some(held), ended_by);
        self.relay.close(ended_by);
        self.registration.close(ended_by);
    }

    /// A server that resets before it has said a word has not served, although it has accepted.
    fn note_early_reset(&self, tell: &OnDialFailed) {
        let session = self.session();
        let (pool, now) = (session.pool(), self.registration.pulse().precise_now());
        let (Some(rule), Some(reached)) = (pool.snapshot().policy.observe, session.reached()) else { return };
        if session.to_client() > 0 {
            return;
        }
        let (server, source) = (&reached.server, session.client().ip());
        let is_out = server.in_trouble(|trouble| trouble.reset_early(source, rule, now));
        let (backend, address) = (pool.name(), server.socket_address(session.route()));
        tell(&DialFailed { backend, server: server.name(), address, failure: Failure::Reset, is_out });
    }
}

/// The socket alone, still non-blocking: from here on the relays watch it.
fn descriptor_of(stream: TcpStream) -> std::io::Result<OwnedFd> {
    stream.into_std().map(OwnedFd::from)
}

/// Maintenance that began during the dial did not find this connection among those that go to the server.
fn end_in_maintenance(session: &Session) {
    let Some(reached) = session.reached() else { return };
    let snapshot = session.pool().snapshot();
    let member = snapshot.member(reached.server.name().as_str());
    if member.is_some_and(|member| member.administrative == Administrative::Maint) {
        session.end(EndedBy::ServerDrained);
    }
}

impl NotDialed {
    /// Only when every failure was this node's own is the end put down to it.
    fn ended_by(&self) -> EndedBy {
        let ours = !self.failed.is_empty() && self.failed.iter().all(|attempt| !attempt.failure.is_the_servers());
        match self.why {
            Why::NoServer if ours => EndedBy::LocalFault,
            Why::NoServer => EndedBy::NoServerAccepts,
            Why::NoRoom => EndedBy::ServersFull,
            Why::ClientGone => EndedBy::ClientClosed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a relay holds for its whole life, beside its entry among the live sessions.
    #[test]
    fn the_records_of_a_relay_stay_small() {
        assert!(size_of::<Opened>() <= 184, "{}", size_of::<Opened>());
        assert!(size_of::<Session>() <= 184, "{}", size_of::<Session>());
    }
}
