//! What is set on both sockets of a relay.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use fmc_config::model::frontend::{Frontend, Keepalive};
use socket2::{SockRef, TcpKeepalive};

/// TCP_NODELAY, keepalive and TCP_USER_TIMEOUT (tcp(7)), SO_OOBINLINE (socket(7)).
///
/// TCP_USER_TIMEOUT counts a closed window as silence too: a peer that lives but stops reading while bytes wait for it is cut
/// after that time. It is what finds a dead peer that owes an acknowledgement, which keepalive does not probe.
///
/// Set on a listening socket they are inherited by every connection it accepts, at no call per connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketOptions {
    keepalive: Keepalive,
    user_timeout: Duration,
}

impl SocketOptions {
    pub(crate) fn new(keepalive: Keepalive, user_timeout: Duration) -> Self {
        Self { keepalive, user_timeout }
    }

    /// Towards clients.
    pub(crate) fn of_clients(frontend: &Frontend) -> Self {
        Self::new(frontend.keepalive, frontend.client_user_timeout)
    }

    /// Towards servers.
    pub(crate) fn of_servers(frontend: &Frontend) -> Self {
        Self::new(frontend.keepalive, frontend.user_timeout)
    }

    /// # Errors
    /// A value that the kernel refuses, for example a keepalive interval over 32,767 s.
    pub(crate) fn apply(&self, socket: &impl AsFd) -> io::Result<()> {
        let socket = SockRef::from(socket);
        let Keepalive { idle, interval, count } = self.keepalive;
        // Bytes leave as they come: the ends decide what belongs together, a relay that waits for more only adds delay.
        socket.set_tcp_nodelay(true)?;
        // Otherwise the kernel takes an urgent byte out of the stream, and no read of ours would ever see it (RFC 6093 §4).
        socket.set_out_of_band_inline(true)?;
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(count))?;
        socket.set_tcp_user_timeout(Some(self.user_timeout))
    }
}

/// Makes the coming close send RST and drop what is not yet sent (SO_LINGER 0, socket(7)).
pub(crate) fn reset_on_close(socket: &impl AsFd) {
    // It fails only on a socket that is no longer one; then there is nothing left to reset.
    let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
}
