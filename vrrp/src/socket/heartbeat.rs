//! The UDP socket of the heartbeat between the nodes.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::{DATAGRAM_LENGTH, NETWORK_CONTROL, SOCKET_PRIORITY, SocketError, send_whole};

/// About 80 heartbeats with the kernel's overhead; when it is full the kernel drops the newest, which the sequence shows.
const RECEIVE_BUFFER: usize = 64 * 1024;

/// Bound to the node's own address, so that heartbeats come from where the other nodes expect them.
#[derive(Debug)]
pub struct HeartbeatSocket {
    socket: UdpSocket,
    datagram: Box<[u8]>,
}

impl HeartbeatSocket {
    /// Binds without SO_REUSEADDR: a second instance is an error.
    pub fn open(own: SocketAddr) -> Result<Self, SocketError> {
        let fail = |what| SocketError::on_address(own, what);
        let socket =
            Socket::new(Domain::for_address(own), Type::DGRAM.nonblocking(), None).map_err(fail("UDP socket"))?;
        set_options(&socket, own).map_err(fail("socket options"))?;
        socket.bind(&SockAddr::from(own)).map_err(fail("bind"))?;
        Ok(Self { socket: socket.into(), datagram: vec![0; DATAGRAM_LENGTH].into() })
    }

    /// Sends one heartbeat. Does not allocate, never waits.
    pub fn send(&self, heartbeat: &[u8], to: SocketAddr) -> io::Result<()> {
        send_whole(&SockRef::from(&self.socket), heartbeat, &SockAddr::from(to))
    }

    /// The next datagram and its sender; `None`: nothing is left.
    pub fn receive(&mut self) -> io::Result<Option<(&[u8], SocketAddr)>> {
        match self.socket.recv_from(&mut self.datagram) {
            Ok((length, from)) => Ok(Some((&self.datagram[..length], from))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn set_options(socket: &Socket, own: SocketAddr) -> io::Result<()> {
    match own {
        SocketAddr::V4(_) => socket.set_tos_v4(NETWORK_CONTROL)?,
        SocketAddr::V6(_) => socket.set_tclass_v6(NETWORK_CONTROL)?,
    }
    socket.set_priority(SOCKET_PRIORITY)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)
}

impl AsFd for HeartbeatSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
