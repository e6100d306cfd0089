//! Opening the connection to a server: every attempt on another one, at once, each with its own deadline.

mod failure;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fmc_config::model::backend::{Balance, ProxyProtocol};
use fmc_config::model::frontend::PortRoute;
use fmc_config::model::name::{BackendName, ServerName};
use rustix::net::RecvFlags;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::entropy::Entropy;
use crate::pool::{Occasion, Policy, Pool, Snapshot};
use crate::proxy_protocol::{self, Tlvs, Told};
use crate::pulse::{Pulse, Ticks};
use crate::server::{InFlight, Server};
use crate::socket_options::SocketOptions;

pub use failure::Failure;

/// Between looks for a free descriptor while the process has none.
const DESCRIPTOR_PAUSE: Duration = Duration::from_millis(10);

/// A client that a server has failed, by a dial that it did not accept or a reset before it had said a word: the reason to check it at once.
#[derive(Debug)]
pub struct DialFailed<'a> {
    /// The backend it was chosen from.
    pub backend: &'a BackendName,
    /// The server that did not accept.
    pub server: &'a ServerName,
    /// What was dialled.
    pub address: SocketAddr,
    /// How it failed; never a fault of this node.
    pub failure: Failure,
    /// By the rule of the backend so many clients have failed that it is out, whatever its check says.
    pub is_out: bool,
}

/// Told of every [`DialFailed`] on the relay loop: it must not block, a full channel drops.
pub type OnDialFailed = Arc<dyn Fn(&DialFailed<'_>) + Send + Sync>;

/// What one connection asks of a server.
pub(crate) struct Dial<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) route: PortRoute,
    pub(crate) options: SocketOptions,
    /// The client's end: one that has gone waits for nobody.
    pub(crate) stream: &'a TcpStream,
    /// The client's address, for a choice by source.
    pub(crate) source: IpAddr,
    pub(crate) opening: Opening<'a>,
    pub(crate) pulse: &'a Pulse,
    pub(crate) entropy: &'a Entropy,
    pub(crate) on_failed: &'a OnDialFailed,
}

/// What is written to a server before anything is relayed.
pub(crate) struct Opening<'a> {
    /// For a server that wants to know whose connection it is.
    pub(crate) told: Told,
    pub(crate) tlvs: &'a Tlvs,
    /// What the client has said already.
    pub(crate) said: &'a [u8],
}

/// An open connection to a server.
pub(crate) struct Dialed {
    pub(crate) stream: TcpStream,
    pub(crate) in_flight: InFlight,
    /// Of the attempt that succeeded.
    pub(crate) took: Duration,
    /// Those that did not, in order.
    pub(crate) failed: Vec<Attempt>,
}

/// No connection to a server.
#[derive(Debug)]
pub(crate) struct NotDialed {
    pub(crate) why: Why,
    /// The attempts that failed, in order.
    pub(crate) failed: Vec<Attempt>,
}

/// Why there was no further attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// No server is left that may take new connections, or as many were tried as may be.
    NoServer,
    /// Those that are left are full, and waiting was in vain.
    NoRoom,
    /// The client has gone while it waited.
    ClientGone,
}

/// One attempt that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) server: ServerName,
    pub(crate) failure: Failure,
}

/// When no other server is left to try, an attempt lasts at least this long: past the first retransmission of a lost SYN, which
/// comes after one second (RFC 6298 §2).
const LAST_HOPE: Duration = Duration::from_millis(1_300);

impl Dial<'_> {
    /// Tries servers until one accepts, the policy's attempts are used up or none is left; never one twice.
    pub(crate) async fn connect(&self) -> Result<Dialed, NotDialed> {
        let mut past = Past::default();
        loop {
            let chosen = match self.choose(&past.tried).await {
                Ok(chosen) => chosen,
                Err(why) => return Err(NotDialed { why, failed: past.failed }),
            };
            if let Some(Open { stream, in_flight, took }) = self.race(chosen, &mut past).await {
                return Ok(Dialed { stream, in_flight, took, failed: past.failed });
            }
        }
    }

    /// One attempt, and another one beside it when it lasts: whichever is accepted first. `None`: what was tried has failed.
    async fn race(&self, chosen: Chosen, past: &mut Past) -> Option<Open> {
        let (server, policy) = (Arc::clone(chosen.in_flight.server()), chosen.snapshot.policy);
        let mut first = pin!(self.begin(chosen, past));
        let other = tokio::select! {
            biased;
            ended = &mut first => return past.settle(ended),
            other = self.another(policy, &past.tried) => other,
        };
        let mut second = pin!(self.begin(other, past));
        tokio::select! {
            biased;
            ended = &mut first => match past.settle(ended) {
                None => past.settle(second.await),
                open => open,
            },
            ended = &mut second => match past.settle(ended) {
                None => past.settle(first.await),
                open => {
                    past.failed.push(self.note_failure(&server, Failure::Overtaken));
                    open
                }
            },
        }
    }

    /// A second server once the first one has been silent for long; for ever silent itself where there is none. A server that fails its
    /// check is none: it may well accept before one that is late, and serve nobody. Nor is there one by source hash, where a client has
    /// one server as long as that works.
    async fn another(&self, policy: Policy, tried: &[Arc<Server>]) -> Chosen {
        let may = tried.len() < usize::from(policy.attempts) && policy.balance != Balance::SourceHash;
        if let Some(after) = policy.hedge_after.filter(|_| may) {
            tokio::time::sleep(after).await;
            let is_nobody_waiting = self.pool.queue().waiting() == 0;
            if let Some(other) = self.choose_now(tried).filter(|other| is_nobody_waiting && other.is_in_service()) {
                return other;
            }
        }
        std::future::pending().await
    }

    /// A server that was not tried yet; waits for one while those that work are full, behind those who wait already.
    async fn choose(&self, tried: &[Arc<Server>]) -> Result<Chosen, Why> {
        let policy = self.pool.snapshot().policy;
        if tried.len() >= usize::from(policy.attempts) {
            return Err(Why::NoServer);
        }
        let queue = self.pool.queue();
        let chosen = if queue.waiting() == 0 { self.choose_now(tried) } else { None };
        if let Some(chosen) = chosen {
            return Ok(chosen);
        }
        let is_full = |snapshot: &Snapshot| snapshot.is_full(&positions_of(snapshot, tried));
        if queue.waiting() == 0 && !is_full(&self.pool.snapshot()) {
            return Err(Why::NoServer);
        }
        // Whoever comes to the front of the line and finds nobody full but nobody at all waits for nothing.
        let look = || match self.choose_now(tried) {
            Some(chosen) => Some(Ok(chosen)),
            None if is_full(&self.pool.snapshot()) => None,
            None => Some(Err(Why::NoServer)),
        };
        tokio::select! {
            found = queue.wait(policy.queue, look) => found.unwrap_or(Err(Why::NoRoom)),
            () = until_gone(self.stream, !self.opening.said.is_empty()) => Err(Why::ClientGone),
        }
    }

    /// A snapshot an attempt: an operator may have drained a server meanwhile.
    fn choose_now(&self, tried: &[Arc<Server>]) -> Option<Chosen> {
        let (snapshot, occasion) = (Arc::clone(&self.pool.snapshot()), self.occasion());
        let (_, in_flight) = self.pool.choose(&snapshot, &positions_of(&snapshot, tried), occasion)?;
        Some(Chosen { snapshot, in_flight, now: occasion.now })
    }

    fn occasion(&self) -> Occasion {
        Occasion { entropy: self.entropy.draw(), source: self.source, flow: None, now: self.pulse.precise_now() }
    }

    /// Its patience depends on who is left after it.
    fn begin(&self, chosen: Chosen, past: &mut Past) -> impl Future<Output = Result<Open, Attempt>> + use<'_> {
        past.tried.push(Arc::clone(chosen.in_flight.server()));
        let Chosen { snapshot, in_flight, now, .. } = chosen;
        let Policy { connect_timeout, .. } = snapshot.policy;
        let patience = match snapshot.has_other(&positions_of(&snapshot, &past.tried), now) {
            true => connect_timeout,
            false => connect_timeout.max(LAST_HOPE),
        };
        self.attempt(in_flight, snapshot.policy, patience)
    }

    async fn attempt(&self, in_flight: InFlight, policy: Policy, deadline: Duration) -> Result<Open, Attempt> {
        match self.reach(in_flight.server(), policy, deadline).await {
            Ok((stream, took)) => Ok(Open { stream, in_flight, took }),
            Err(failure) => Err(self.note_failure(in_flight.server(), failure)),
        }
    }

    async fn reach(
        &self,
        server: &Server,
        policy: Policy,
        deadline: Duration,
    ) -> Result<(TcpStream, Duration), Failure> {
        let address = server.socket_address(self.route);
        let socket = unconnected(address, Instant::now() + deadline).await.map_err(|e| Failure::of(&e))?;
        let started = Instant::now();
        let stream =
            timeout(deadline, self.open(socket, address, policy)).await.map_err(|_elapsed| Failure::TimedOut)?;
        let stream = stream.map_err(|e| Failure::of(&e))?;
        let took = started.elapsed();
        server.accepted(took);
        Ok((stream, took))
    }

    /// The opening belongs to the attempt: a server that resets on it has not accepted, and no byte of the client is lost.
    ///
    /// It is a few kilobytes at most, which a new socket takes in one write: when that fails, the server has seen nothing of it.
    async fn open(&self, socket: TcpSocket, server: SocketAddr, policy: Policy) -> io::Result<TcpStream> {
        self.options.apply(&socket)?;
        let mut stream = socket.connect(server).await?;
        let first = self.opening.bytes(policy);
        if !first.is_empty() {
            stream.write_all(&first).await?;
        }
        Ok(stream)
    }

    fn note_failure(&self, server: &Server, failure: Failure) -> Attempt {
        let now = self.pulse.precise_now();
        server.failed(failure, now);
        if failure.is_the_servers() {
            let (backend, address) = (self.pool.name(), server.socket_address(self.route));
            let rule = self.pool.snapshot().policy.observe;
            let is_out = rule.is_some_and(|rule| server.in_trouble(|trouble| trouble.dial_failed(rule, now)));
            (self.on_failed)(&DialFailed { backend, server: server.name(), address, failure, is_out });
        }
        Attempt { server: server.name().clone(), failure }
    }
}

impl Opening<'_> {
    fn bytes(&self, policy: Policy) -> Vec<u8> {
        let mut bytes = match policy.proxy_protocol {
            Some(ProxyProtocol::V2) => proxy_protocol::encode_v2(self.told, self.tlvs),
            None => Vec::new(),
        };
        bytes.extend_from_slice(self.said);
        bytes
    }
}

/// A server for one attempt, and what it was chosen from.
struct Chosen {
    snapshot: Arc<Snapshot>,
    in_flight: InFlight,
    now: Ticks,
}

impl Chosen {
    fn is_in_service(&self) -> bool {
        self.snapshot.in_service().any(|member| Arc::ptr_eq(&member.server, self.in_flight.server()))
    }
}

/// An attempt that was accepted.
struct Open {
    stream: TcpStream,
    in_flight: InFlight,
    took: Duration,
}

/// What one client's dial has been through.
#[derive(Default)]
struct Past {
    /// Everyone it was at, those that are not through yet too.
    tried: Vec<Arc<Server>>,
    failed: Vec<Attempt>,
}

impl Past {
    fn settle(&mut self, ended: Result<Open, Attempt>) -> Option<Open> {
        ended.map_err(|attempt| self.failed.push(attempt)).ok()
    }
}

/// Between looks at a client that waits.
const GONE_LOOK: Duration = Duration::from_millis(100);

/// Ends when the client has reset, or closed without having said a word. One that has sent its request and closed its half waits for
/// an answer.
async fn until_gone(client: &TcpStream, has_spoken: bool) {
    loop {
        tokio::time::sleep(GONE_LOOK).await;
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        match rustix::net::recv(client, &mut [0; 1], flags) {
            Ok((_, 0)) if !has_spoken => return,
            Ok(_) | Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

fn positions_of(snapshot: &Snapshot, servers: &[Arc<Server>]) -> Vec<usize> {
    let members = snapshot.members.iter().enumerate();
    let tried = members.filter(|(_, member)| servers.iter().any(|server| Arc::ptr_eq(server, &member.server)));
    tried.map(|(position, _)| position).collect()
}

/// A new socket of the family of `to`. Without a free descriptor it waits until `deadline` for one: the accept loop pauses meanwhile, relays end,
/// and a client that waits a moment is better off than one that is reset.
async fn unconnected(to: SocketAddr, deadline: Instant) -> io::Result<TcpSocket> {
    loop {
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        match socket {
            Err(e) if Failure::of(&e) == Failure::NoDescriptor && Instant::now() < deadline => {
                tokio::time::sleep(DESCRIPTOR_PAUSE).await;
            }
            socket => return socket,
        }
    }
}
