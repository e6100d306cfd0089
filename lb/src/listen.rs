//! Listening sockets: bound whether or not the node owns the VIP, and the loop that accepts on them.

mod accept_error;
mod bind_error;
mod holder;
mod state;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fmc_config::model::frontend::PortRoute;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SocketFlags;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connection::{Connection, Surroundings};
use crate::frontend::Frontend;
use crate::socket_options::{self, SocketOptions};

pub use accept_error::AcceptError;
pub use bind_error::BindError;
pub use holder::Holder;
pub(crate) use state::ListenerRecord;
pub use state::{ListenerState, ListenerStatus};

/// Clients that may wait to be accepted; the kernel lowers it to net.core.somaxconn. When it is full, SYNs are dropped and
/// clients send them again.
const BACKLOG: i32 = 4096;

/// The pause after an accept that failed for want of descriptors or memory; doubled at each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause: a client waits no longer than this after resources are back.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One bound port of a frontend.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Socket,
    frontend: Arc<Frontend>,
    route: PortRoute,
    record: Arc<ListenerRecord>,
}

/// The right to one more connection, of the frontend and of the process; returned when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _frontend: OwnedSemaphorePermit,
    _process: OwnedSemaphorePermit,
}

impl Listener {
    /// Binds one port of a frontend and listens; clients wait in the queue until [`Listener::run`].
    ///
    /// IP_FREEBIND (ip(7)): a Backup must be ready before the VIP is its own. SO_REUSEADDR for restarts beside TIME_WAIT.
    /// Not SO_REUSEPORT: it would hide that another process of the same user serves the port.
    ///
    /// # Errors
    /// One sentence for the operator: who holds the port, which capability is missing, what the kernel said.
    pub(crate) fn bind(frontend: Arc<Frontend>, route: PortRoute) -> Result<Self, BindError> {
        let settings = frontend.settings();
        let socket = listening_socket(settings.address, route.listen, SocketOptions::of_clients(settings))?;
        let record = Arc::new(ListenerRecord::new(settings.name.clone(), frontend.vip(route)));
        Ok(Self { socket, frontend, route, record })
    }

    pub(crate) fn record(&self) -> &Arc<ListenerRecord> {
        &self.record
    }

    /// Accepts until the frontend stops accepting; then the socket closes and those in its queue are reset.
    ///
    /// The one task of this listener. It spawns one task per connection and ends none of them. Dropping it is a death that
    /// [`ListenerStatus`] tells.
    pub(crate) async fn run(self, surroundings: Arc<Surroundings>) {
        let running = self.record.run();
        let mut stop = pin!(self.frontend.until_it_stops_accepting());
        tokio::select! {
            biased;
            () = &mut stop => running.closed(),
            error = self.accept_all(&surroundings) => {
                tracing::error!(vip = %self.record.address(), %error, "listener is dead");
            }
        }
    }

    /// Accepts for ever; ends only when the socket itself is unusable.
    async fn accept_all(&self, surroundings: &Arc<Surroundings>) -> std::io::Error {
        let socket = match watch(self.socket.as_fd()) {
            Ok(socket) => socket,
            Err(error) => return error,
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let mut ready = match socket.readable().await {
                Ok(ready) => ready,
                Err(error) => return error,
            };
            if self.is_at_limit(&surroundings.permits) && !client_waits(&self.socket) {
                ready.clear_ready();
                continue;
            }
            // The permit comes first, but only once a client waits: an idle listener holds none of the process's.
            let permit = self.permit(&surroundings.permits).await;
            match ready.try_io(|socket| accept(socket.get_ref())) {
                Err(_nobody_waits) => {}
                Ok(Ok((stream, client))) => {
                    pause = FIRST_PAUSE;
                    self.spawn(stream, client, permit, surroundings);
                }
                Ok(Err(error)) => match AcceptError::of(&error) {
                    AcceptError::Fatal => return error,
                    kind => self.recover(kind, &error, &mut pause).await,
                },
            }
        }
    }

    /// Waits for room under both limits; clients wait in the listen queue meanwhile.
    async fn permit(&self, process: &Arc<Semaphore>) -> Permit {
        let frontend = &self.frontend.permits;
        if self.is_at_limit(process) {
            self.record.at_limit(&self.frontend);
        }
        let permits = (Arc::clone(frontend).acquire_owned().await, Arc::clone(process).acquire_owned().await);
        self.record.accepting();
        match permits {
            (Ok(_frontend), Ok(_process)) => Permit { _frontend, _process },
            // Nobody closes these semaphores; should that change, a listener without permits waits for its end.
            _ => std::future::pending().await,
        }
    }

    fn is_at_limit(&self, process: &Semaphore) -> bool {
        self.frontend.permits.available_permits() == 0 || process.available_permits() == 0
    }

    fn spawn(&self, stream: OwnedFd, client: SocketAddrV4, permit: Permit, surroundings: &Arc<Surroundings>) {
        let traffic = self.frontend.traffic();
        traffic.accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if !self.frontend.allows(*client.ip()) {
            return self.refuse(stream, client);
        }
        let stream = match TcpStream::from_std(std::net::TcpStream::from(stream)) {
            Ok(stream) => stream,
            Err(error) => {
                traffic.count_end(crate::EndedBy::LocalFault);
                return self.record.count(AcceptError::of(&error));
            }
        };
        let registration = surroundings.sessions.open(&self.frontend, self.route, client);
        tokio::spawn(Connection::new(stream, registration, permit, Arc::clone(surroundings)).run());
    }

    fn refuse(&self, stream: OwnedFd, client: SocketAddrV4) {
        let ended_by = crate::EndedBy::RefusedByAllowList;
        socket_options::reset_on_close(&stream);
        self.frontend.traffic().count_end(ended_by);
        let (frontend, vip) = (&self.frontend.settings().name, self.record.address());
        tracing::debug!(target: "connection", %frontend, %client, %vip, %ended_by, "connection ended");
    }

    async fn recover(&self, kind: AcceptError, error: &std::io::Error, pause: &mut Duration) {
        self.record.count(kind);
        if kind == AcceptError::Peer {
            return;
        }
        if *pause == FIRST_PAUSE {
            tracing::warn!(vip = %self.record.address(), %error, "cannot accept, clients wait: when descriptors are short, raise LimitNOFILE of the unit or lower max_connections");
        }
        self.record.paused();
        tokio::time::sleep(*pause).await;
        self.record.accepting();
        *pause = (*pause * 2).min(LONGEST_PAUSE);
    }
}

/// The listening socket's readiness. tokio's own listener tells it only by accepting, which comes before the permit.
fn watch(socket: BorrowedFd<'_>) -> std::io::Result<AsyncFd<BorrowedFd<'_>>> {
    #[expect(deprecated, reason = "its fault concerns types whose descriptor may change; a borrowed one cannot")]
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// True when the queue holds a client. Readiness may be left over from one that is accepted already.
fn client_waits(socket: &Socket) -> bool {
    let mut readable = [PollFd::new(socket, PollFlags::IN)];
    rustix::event::poll(&mut readable, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// accept4(2) with what a relay needs already set, in one call.
fn accept(socket: impl AsFd) -> std::io::Result<(OwnedFd, SocketAddrV4)> {
    let (stream, client) = rustix::net::acceptfrom_with(socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let client = client.and_then(|client| SocketAddrV4::try_from(client).ok());
    Ok((stream, client.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0))))
}

fn listening_socket(address: Ipv4Addr, port: NonZeroU16, options: SocketOptions) -> Result<Socket, BindError> {
    let at = SocketAddrV4::new(address, port.get());
    let kernel = |call| move |source| BindError::of(at, call, source);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).map_err(kernel("socket"))?;
    socket.set_nonblocking(true).map_err(kernel("fcntl"))?;
    socket.set_reuse_address(true).map_err(kernel("setsockopt SO_REUSEADDR"))?;
    socket.set_freebind_v4(true).map_err(kernel("setsockopt IP_FREEBIND"))?;
    options.apply(&socket).map_err(kernel("setsockopt"))?;
    socket.bind(&at.into()).map_err(kernel("bind"))?;
    socket.listen(BACKLOG).map_err(kernel("listen"))?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
