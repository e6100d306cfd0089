//! Listening sockets: bound whether or not the node owns the VIP, and the loop that accepts on them.

mod accept_error;
mod bind_error;
mod holder;
mod state;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fmc_config::model::frontend::{PortRoute, Protocol};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SocketFlags;
use socket2::{Domain, Protocol as Transport, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::connection::{Connection, Surroundings};
use crate::ended_by::EndedBy;
use crate::flows::Flows;
use crate::frontend::{Frontend, OfSource};
use crate::preface::Manner;
use crate::quota::Seat;
use crate::socket_options::{self, SocketOptions};

pub use accept_error::AcceptError;
pub use bind_error::BindError;
pub use holder::Holder;
pub(crate) use state::Duty;
pub(crate) use state::ListenerRecord;
pub use state::{ListenerState, ListenerStatus};

/// Clients that may wait to be accepted; the kernel lowers it to net.core.somaxconn. When it is full, SYNs are dropped and
/// clients send them again.
const BACKLOG: i32 = 4096;

/// Datagrams of all clients of a port wait here while the loop does something else.
const DATAGRAM_BUFFER: usize = 4 << 20;

/// The pause after an accept that failed for want of descriptors or memory; doubled at each further failure.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// The longest pause: a client waits no longer than this after resources are back.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// One bound port.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: Arc<Socket>,
    record: Arc<ListenerRecord>,
}

/// The right to one more connection, of the frontend and of the process; returned when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _frontend: Seat,
    _process: Seat,
    of_source: Option<Box<OfSource>>,
}

impl Permit {
    /// One that nobody has to wait for; `None`: there is none.
    pub(crate) fn take(frontend: &Frontend, with: &Surroundings, of_source: Option<OfSource>) -> Option<Self> {
        let (_frontend, _process) = (frontend.quota().try_seat()?, with.quota.try_seat()?);
        Some(Self { _frontend, _process, of_source: of_source.map(Box::new) })
    }

    /// Counts it on who was found out to be its client.
    pub(crate) fn count_on(&mut self, source: OfSource) {
        self.of_source = Some(Box::new(source));
    }
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
        let at = frontend.vip(route);
        let socket = match settings.protocol {
            Protocol::Tcp => listening_socket(at, SocketOptions::of_clients(settings))?,
            Protocol::Udp => datagram_socket(at)?,
        };
        let record = Arc::new(ListenerRecord::new(Duty { frontend, route, accepts: true }));
        Ok(Self { socket: Arc::new(socket), record })
    }

    pub(crate) fn record(&self) -> &Arc<ListenerRecord> {
        &self.record
    }

    /// Accepts until the frontend stops accepting, or a reload has no more use for it; then the socket closes and those in its
    /// queue are reset.
    ///
    /// The one task of this listener. It spawns one task per connection and ends none of them. Dropping it is a death that
    /// [`ListenerStatus`] tells.
    pub(crate) async fn run(self, surroundings: Arc<Surroundings>) {
        let running = self.record.run();
        let (mut duties, flows) = (self.record.duty(), Arc::<Flows>::default());
        loop {
            let duty = duties.borrow_and_update().clone();
            if !duty.accepts {
                // Connections go on without their listener; flows cannot.
                flows.end_all(EndedBy::Shutdown);
                return running.closed();
            }
            let stop = pin!(duty.frontend.until_it_stops_accepting());
            tokio::select! {
                biased;
                () = stop => return running.closed(),
                // The record lives as long as this, and its sender in it.
                _ = duties.changed() => self.retune(&duties),
                error = self.serve(&duty, &flows, &surroundings) => {
                    tracing::error!(vip = %self.record.address(), %error, "listener is dead");
                    return;
                }
            }
        }
    }

    async fn serve(&self, duty: &Duty, flows: &Arc<Flows>, surroundings: &Arc<Surroundings>) -> std::io::Error {
        match self.record.protocol() {
            Protocol::Tcp => self.accept_all(duty, surroundings).await,
            Protocol::Udp => self.receive_all(duty, flows, surroundings).await,
        }
    }

    /// Takes in datagrams for ever; ends only when the socket itself is unusable.
    async fn receive_all(&self, duty: &Duty, flows: &Arc<Flows>, surroundings: &Arc<Surroundings>) -> std::io::Error {
        let socket = match watch_readiness(self.socket.as_fd()) {
            Ok(socket) => socket,
            Err(error) => return error,
        };
        loop {
            let mut ready = match socket.readable().await {
                Ok(ready) => ready,
                Err(error) => return error,
            };
            if let Ok(Err(error)) = ready.try_io(|_| flows.take_in(&self.socket, duty, surroundings)) {
                match AcceptError::of(&error) {
                    AcceptError::Fatal => return error,
                    kind => self.record.count(kind),
                }
            }
        }
    }

    /// Those who are accepted from now on inherit the options of the new duty.
    fn retune(&self, duties: &watch::Receiver<Duty>) {
        if self.record.protocol() == Protocol::Udp {
            return;
        }
        let options = SocketOptions::of_clients(duties.borrow().frontend.settings());
        if let Err(error) = options.apply(&self.socket) {
            tracing::error!(vip = %self.record.address(), %error, "new connections keep the old keepalive and user timeout");
        }
    }

    /// Accepts for ever; ends only when the socket itself is unusable.
    async fn accept_all(&self, duty: &Duty, surroundings: &Arc<Surroundings>) -> std::io::Error {
        let socket = match watch_readiness(self.socket.as_fd()) {
            Ok(socket) => socket,
            Err(error) => return error,
        };
        let mut pause = FIRST_PAUSE;
        loop {
            let mut ready = match socket.readable().await {
                Ok(ready) => ready,
                Err(error) => return error,
            };
            if is_at_limit(duty, surroundings) && !client_waits(&self.socket) {
                ready.clear_ready();
                continue;
            }
            // The permit comes first, but only once a client waits: an idle listener holds none of the process's.
            let permit = self.permit(duty, surroundings).await;
            match ready.try_io(|socket| accept(socket.get_ref())) {
                Err(_nobody_waits) => {}
                Ok(Ok((stream, client))) => {
                    pause = FIRST_PAUSE;
                    self.spawn(stream, client, permit, duty, surroundings);
                }
                Ok(Err(error)) => match AcceptError::of(&error) {
                    AcceptError::Fatal => return error,
                    kind => self.recover(kind, &error, &mut pause).await,
                },
            }
        }
    }

    /// Waits for room under both limits; clients wait in the listen queue meanwhile.
    async fn permit(&self, duty: &Duty, surroundings: &Surroundings) -> Permit {
        if is_at_limit(duty, surroundings) {
            self.record.at_limit(&duty.frontend);
        }
        let (frontend, process) = (duty.frontend.quota().seat().await, surroundings.quota.seat().await);
        self.turn(&duty.frontend).await;
        self.record.accepting();
        Permit { _frontend: frontend, _process: process, of_source: None }
    }

    /// Waits until one more connection of this second may come in.
    async fn turn(&self, frontend: &Frontend) {
        let mut is_first = true;
        while let Err(wait) = frontend.take_turn() {
            if std::mem::take(&mut is_first) {
                self.record.at_limit(frontend);
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn spawn(
        &self,
        stream: OwnedFd,
        client: SocketAddr,
        mut permit: Permit,
        duty: &Duty,
        surroundings: &Arc<Surroundings>,
    ) {
        let traffic = duty.frontend.traffic();
        traffic.accepted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        // Who comes through a trusted proxy is known only once its header is read.
        if duty.frontend.manner(client.ip()) != Manner::Required {
            match duty.frontend.admit(client.ip()) {
                Ok(counted) => permit.of_source = counted.map(Box::new),
                Err(ended_by) => return self.refuse(stream, client, &duty.frontend, ended_by),
            }
        }
        let stream = match TcpStream::from_std(std::net::TcpStream::from(stream)) {
            Ok(stream) => stream,
            Err(error) => {
                traffic.count_end(EndedBy::LocalFault);
                return self.record.count(AcceptError::of(&error));
            }
        };
        let registration = surroundings.sessions.open(&duty.frontend, duty.route, client);
        tokio::spawn(Connection::new(stream, registration, permit, Arc::clone(surroundings)).run());
    }

    fn refuse(&self, stream: OwnedFd, client: SocketAddr, frontend: &Frontend, ended_by: EndedBy) {
        socket_options::reset_on_close(&stream);
        frontend.traffic().count_end(ended_by);
        let (frontend, vip) = (&frontend.settings().name, self.record.address());
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

fn is_at_limit(duty: &Duty, surroundings: &Surroundings) -> bool {
    duty.frontend.quota().is_full() || surroundings.quota.is_full()
}

/// The listening socket's readiness. tokio's own listener tells it only by accepting, which comes before the permit.
fn watch_readiness(socket: BorrowedFd<'_>) -> std::io::Result<AsyncFd<BorrowedFd<'_>>> {
    #[expect(deprecated, reason = "its fault concerns types whose descriptor may change; a borrowed one cannot")]
    AsyncFd::with_interest(socket, Interest::READABLE)
}

/// True when the queue holds a client. Readiness may be left over from one that is accepted already.
fn client_waits(socket: &Socket) -> bool {
    let mut readable = [PollFd::new(socket, PollFlags::IN)];
    rustix::event::poll(&mut readable, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
}

/// accept4(2) with what a relay needs already set, in one call.
fn accept(socket: impl AsFd) -> std::io::Result<(OwnedFd, SocketAddr)> {
    let (stream, client) = rustix::net::acceptfrom_with(socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let client = client.and_then(|client| SocketAddr::try_from(client).ok());
    Ok((stream, client.unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0))))
}

/// Its answers leave from the address that it is bound to, the one that clients know.
fn datagram_socket(at: SocketAddr) -> Result<Socket, BindError> {
    let kernel = |call| move |source| BindError::of(at, call, source);
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Transport::UDP)).map_err(kernel("socket"))?;
    socket.set_nonblocking(true).map_err(kernel("fcntl"))?;
    free(&socket, at).map_err(kernel("setsockopt IP_FREEBIND"))?;
    // The kernel lowers them to net.core.rmem_max and wmem_max; what it leaves is enough for most.
    let _ = (socket.set_recv_buffer_size(DATAGRAM_BUFFER), socket.set_send_buffer_size(DATAGRAM_BUFFER));
    socket.bind(&at.into()).map_err(kernel("bind"))?;
    Ok(socket)
}

fn listening_socket(at: SocketAddr, options: SocketOptions) -> Result<Socket, BindError> {
    let kernel = |call| move |source| BindError::of(at, call, source);
    let socket = Socket::new(Domain::for_address(at), Type::STREAM, Some(Transport::TCP)).map_err(kernel("socket"))?;
    socket.set_nonblocking(true).map_err(kernel("fcntl"))?;
    socket.set_reuse_address(true).map_err(kernel("setsockopt SO_REUSEADDR"))?;
    free(&socket, at).map_err(kernel("setsockopt IP_FREEBIND"))?;
    options.apply(&socket).map_err(kernel("setsockopt"))?;
    socket.bind(&at.into()).map_err(kernel("bind"))?;
    socket.listen(BACKLOG).map_err(kernel("listen"))?;
    Ok(socket)
}

/// For an address that the other node may have now. One of IPv6 is for IPv6 alone, whatever net.ipv6.bindv6only says.
fn free(socket: &Socket, at: SocketAddr) -> std::io::Result<()> {
    match at {
        SocketAddr::V4(_) => socket.set_freebind_v4(true),
        SocketAddr::V6(_) => socket.set_only_v6(true).and_then(|()| socket.set_freebind_v6(true)),
    }
}

#[cfg(test)]
mod tests;
