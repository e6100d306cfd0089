//! One flow of UDP: the datagrams of one client's address and port, which all go to one server, and what that server answers.
//!
//! Towards the server it is a connected socket of its own. So the server's answers find their client by the port they come to, and what the
//! network says of the server (icmp(7)) comes back as an error of that flow alone. To everybody else a flow is a [`Session`] like any other:
//! listed, counted, killed, drained, ended when its address moves or nothing comes for the frontend's `flow_idle`.

use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use socket2::Socket;
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::connection::{Surroundings, flow_ended};
use crate::datagrams::{self, Datagram};
use crate::dial::{DialFailed, Failure};
use crate::ended_by::EndedBy;
use crate::frontend::Frontend;
use crate::listen::{Duty, Permit};
use crate::pool::{Health, Occasion};
use crate::server::{InFlight, Server};
use crate::session::{Reached, Session};
use crate::sessions::Registration;

/// How often a flow in use asks whether its server still serves.
const LOOK_AT_SERVER: Duration = Duration::from_millis(250);

/// What clients and servers share of a flow.
#[derive(Debug)]
pub(crate) struct Flow {
    client: SocketAddr,
    session: Arc<Session>,
    server: Arc<Server>,
    socket: UdpSocket,
    looked_at: AtomicU64,
    is_answered: AtomicBool,
}

/// What a flow holds until it ends, and gives back in this order.
pub(crate) struct Holdings {
    registration: Registration,
    _in_flight: InFlight,
    _permit: Permit,
}

/// Why a datagram began no flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoFlow {
    /// As many are alive as may be, or have begun in this second.
    AtLimit,
    /// Its client may not come.
    Refused(EndedBy),
    /// There is no server that takes it.
    NoServer,
    /// This node has no socket for it.
    LocalFault,
}

impl Flow {
    /// A flow for the first datagram of `client`, to the server that Maglev gives it.
    pub(crate) fn open(client: SocketAddr, duty: &Duty, with: &Surroundings) -> Result<(Arc<Self>, Holdings), NoFlow> {
        let Duty { frontend, route, .. } = duty;
        let of_source = frontend.admit(client.ip()).map_err(NoFlow::Refused)?;
        let permit = Permit::take(frontend, with, of_source).ok_or(NoFlow::AtLimit)?;
        frontend.take_turn().map_err(|_| NoFlow::AtLimit)?;
        let (pool, now) = (frontend.pool(), with.sessions.pulse().precise_now());
        let occasion = Occasion { entropy: with.entropy.draw(), source: client.ip(), flow: Some(client), now };
        let (_, in_flight) = pool.choose(&pool.snapshot(), &[], occasion).ok_or(NoFlow::NoServer)?;
        let server = Arc::clone(in_flight.server());
        let socket = connected(server.socket_address(*route)).map_err(|error| {
            tracing::debug!(target: "connection", %error, server = %server.name(), "no socket for a flow");
            server.failed(Failure::of(&error), now);
            NoFlow::LocalFault
        })?;
        frontend.traffic().accepted.fetch_add(1, Ordering::Relaxed);
        let registration = with.sessions.open(frontend, *route, client);
        let session = Arc::clone(registration.session());
        session.reach(Reached { server: Arc::clone(&server), attempts: 1, connect_time: Duration::ZERO }, now);
        let (looked_at, is_answered) = (AtomicU64::new(now.0), AtomicBool::new(false));
        let flow = Self { client, session, server, socket, looked_at, is_answered };
        Ok((Arc::new(flow), Holdings { registration, _in_flight: in_flight, _permit: permit }))
    }

    pub(crate) fn client(&self) -> SocketAddr {
        self.client
    }

    /// False when its server fails its check while another one passes: the client is better off there.
    pub(crate) fn is_well_placed(&self, with: &Surroundings) -> bool {
        let now = with.sessions.pulse().now();
        let last = crate::pulse::Ticks(self.looked_at.load(Ordering::Relaxed));
        if now.since(last) < LOOK_AT_SERVER {
            return true;
        }
        self.looked_at.store(now.0, Ordering::Relaxed);
        let snapshot = self.session.pool().snapshot();
        let member = snapshot.member(self.server.name().as_str());
        let fails = member.is_some_and(|member| member.believed() == Health::Unhealthy);
        !fails || snapshot.in_service().next().is_none()
    }

    /// Sends what the client sent on to the server.
    ///
    /// # Errors
    /// What the network says of the server; then the flow ends, and none of these were sent.
    pub(crate) fn send(&self, datagrams: &[Datagram<'_>], with: &Surroundings) -> io::Result<()> {
        let sent = datagrams::send(&self.socket, None, datagrams);
        let sent = sent.inspect_err(|error| _ = self.session.end(self.failed(error, with)))?;
        self.session.touch(with.sessions.pulse().now());
        self.session.moved_to_server(bytes(&datagrams[..sent]));
        self.count_lost(datagrams.len() - sent);
        Ok(())
    }

    /// Asks it to end.
    pub(crate) fn end(&self, reason: EndedBy) {
        self.session.end(reason);
    }

    /// Brings the server's answers to the client until somebody ends it. `clients` is the socket that the client knows.
    pub(crate) async fn run(&self, clients: &Socket, holdings: Holdings, with: &Surroundings) {
        let ended_by = tokio::select! {
            biased;
            ended_by = poll_fn(|context| self.session.poll_end(context)) => ended_by,
            error = self.answer(clients, with) => self.failed(&error, with),
        };
        flow_ended(&self.session, ended_by);
        holdings.registration.close(ended_by);
    }

    async fn answer(&self, clients: &Socket, with: &Surroundings) -> io::Error {
        loop {
            if let Err(error) = self.socket.readable().await {
                return error;
            }
            let received = self.socket.try_io(Interest::READABLE, || {
                datagrams::receive(&self.socket, |batch| self.bring(batch, clients, with))
            });
            match received {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return error,
                _ => {}
            }
        }
    }

    /// From the address that the client knows, for the socket is bound to it.
    fn bring(&self, answers: &[Datagram<'_>], clients: &Socket, with: &Surroundings) {
        let sent = datagrams::send(&clients, Some(self.client), answers).unwrap_or(0);
        if !self.is_answered.swap(true, Ordering::Relaxed) {
            self.server.accepted(self.session.started().elapsed());
        }
        self.session.touch(with.sessions.pulse().now());
        self.session.moved_to_client(bytes(&answers[..sent]));
        self.count_lost(answers.len() - sent);
    }

    fn count_lost(&self, datagrams: usize) {
        let traffic = self.session.frontend().traffic();
        (0..datagrams).for_each(|_| traffic.count_lost(Lost::NoRoom));
    }

    /// Tells the checker what a client has learned of its server.
    fn failed(&self, error: &io::Error, with: &Surroundings) -> EndedBy {
        let (failure, now) = (Failure::of(error), with.sessions.pulse().precise_now());
        self.server.failed(failure, now);
        if !failure.is_the_servers() {
            return EndedBy::LocalFault;
        }
        let (pool, server) = (self.session.pool(), &self.server);
        let (backend, address) = (pool.name(), server.socket_address(self.session.route()));
        let rule = pool.snapshot().policy.observe;
        let is_out = rule.is_some_and(|rule| server.in_trouble(|trouble| trouble.dial_failed(rule, now)));
        (with.on_dial_failed)(&DialFailed { backend, server: server.name(), address, failure, is_out });
        EndedBy::ServerGone
    }
}

/// Why a datagram went nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Lost {
    /// A limit on flows was reached.
    AtLimit,
    /// Its client may not come, or has as many flows as it may.
    Refused,
    /// No server takes it.
    NoServer,
    /// A socket's buffer was full.
    NoRoom,
    /// This node had no socket for it.
    LocalFault,
}

impl Lost {
    /// Every variant, in order.
    pub const ALL: [Self; 5] = [Self::AtLimit, Self::Refused, Self::NoServer, Self::NoRoom, Self::LocalFault];

    /// The words of the metric.
    pub const fn words(self) -> &'static str {
        match self {
            Self::AtLimit => "at-limit",
            Self::Refused => "refused",
            Self::NoServer => "no-server",
            Self::NoRoom => "no-room",
            Self::LocalFault => "local-fault",
        }
    }
}

impl NoFlow {
    /// Counts it on the frontend whose client it was.
    pub(crate) fn count(self, frontend: &Frontend) {
        let traffic = frontend.traffic();
        traffic.count_lost(match self {
            Self::AtLimit => Lost::AtLimit,
            Self::Refused(ended_by) => {
                traffic.count_end(ended_by);
                Lost::Refused
            }
            Self::NoServer => Lost::NoServer,
            Self::LocalFault => Lost::LocalFault,
        });
    }
}

fn bytes(datagrams: &[Datagram<'_>]) -> usize {
    datagrams.iter().map(|datagram| datagram.bytes.len()).sum()
}

fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = std::net::UdpSocket::bind(any)?;
    socket.connect(server)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}
