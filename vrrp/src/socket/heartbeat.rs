//! The UDP socket of the heartbeat between the nodes.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
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
    pub fn open(own: SocketAddrV4) -> Result<Self, SocketError> {
        let fail = |what| SocketError::on_address(own, what);
        let socket = Socket::new(Domain::IPV4, Type::DGRAM.nonblocking(), None).map_err(fail("UDP socket"))?;
        set_options(&socket).map_err(fail("socket options"))?;
        socket.bind(&SockAddr::from(own)).map_err(fail("bind"))?;
        Ok(Self { socket: socket.into(), datagram: vec![0; DATAGRAM_LENGTH].into() })
    }

    /// Sends one heartbeat. Does not allocate, never waits.
    pub fn send(&self, heartbeat: &[u8], to: SocketAddrV4) -> io::Result<()> {
        send_whole(&SockRef::from(&self.socket), heartbeat, &SockAddr::from(to))
    }

    /// The next datagram and its sender; `None`: nothing is left.
    pub fn receive(&mut self) -> io::Result<Option<(&[u8], SocketAddrV4)>> {
        loop {
            match self.socket.recv_from(&mut self.datagram) {
                Ok((length, std::net::SocketAddr::V4(from))) => return Ok(Some((&self.datagram[..length], from))),
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_tos_v4(NETWORK_CONTROL)?;
    socket.set_priority(SOCKET_PRIORITY)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)
}

impl AsFd for HeartbeatSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
