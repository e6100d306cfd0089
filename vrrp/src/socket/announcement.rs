//! Sends whole Ethernet frames on one interface (packet(7)).

use std::io;
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, bind};
use socket2::{Domain, Socket, Type};

use super::{SOCKET_PRIORITY, SocketError, filter};

/// A packet socket that sends and never receives.
#[derive(Debug)]
pub struct AnnouncementSocket {
    socket: Socket,
}

impl AnnouncementSocket {
    /// Opens it on `interface`. Needs CAP_NET_RAW.
    ///
    /// Bound to protocol 0: such a socket receives nothing, and the kernel reads the EtherType from the frame. The
    /// `sockaddr_ll` of the interface comes from getifaddrs(3), which fills protocol 0 and the right index; building one
    /// would need `unsafe`.
    pub fn open(interface: &str, index: u32) -> Result<Self, SocketError> {
        let fail = |what| SocketError::on_interface(interface, what);
        let kind = Type::RAW.nonblocking();
        let socket = Socket::new(Domain::PACKET, kind, None).map_err(fail("packet socket"))?;
        socket.attach_filter(&filter::nothing()).map_err(fail("SO_ATTACH_FILTER"))?;
        socket.set_priority(SOCKET_PRIORITY).map_err(fail("SO_PRIORITY"))?;
        let address = link_address(index).map_err(fail("getifaddrs"))?;
        bind(socket.as_raw_fd(), &address).map_err(io::Error::from).map_err(fail("bind to the interface"))?;
        Ok(Self { socket })
    }

    /// Sends one frame, Ethernet header included. Never waits.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        let sent = self.socket.send(frame)?;
        if sent == frame.len() { Ok(()) } else { Err(io::Error::other("the kernel took a part of the frame")) }
    }
}

pub(super) fn link_address(index: u32) -> io::Result<LinkAddr> {
    let all = getifaddrs().map_err(io::Error::from)?;
    let found = all
        .filter_map(|entry| entry.address?.as_link_addr().copied())
        .find(|address| address.ifindex() == index as usize);
    found.ok_or_else(|| io::Error::from(nix::errno::Errno::ENODEV))
}
