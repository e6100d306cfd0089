//! The raw socket of one interface: sends adverts, hears those for our VRIDs.

use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};

use crate::packet::{IP_PROTOCOL, IpMeta, MAX_LEN, MULTICAST_GROUP};

use super::{DATAGRAM_LENGTH, NETWORK_CONTROL, SOCKET_PRIORITY, SocketError, filter, ipv4_header, send_whole};

/// The most that needs no privilege (`net.core.rmem_max`): about 500 adverts with the kernel's overhead, 50 ms of a flood of
/// 10,000 in a second. When it is full the kernel drops the newest, and [`AdvertSocket::overflowed`] counts them.
const RECEIVE_BUFFER: usize = 212_992;

/// A raw IPv4 socket for protocol 112, bound to one interface. Adverts that came by unicast reach it too, to be counted.
#[derive(Debug)]
pub struct AdvertSocket {
    socket: Socket,
    source: Ipv4Addr,
    datagram: Box<[u8]>,
    control: Vec<u8>,
    overflowed: u32,
}

/// One packet from the wire, not yet believed.
#[derive(Debug)]
pub enum Received<'a> {
    /// A whole IPv4 packet: its header, and the VRRP message without padding.
    Packet(IpMeta, &'a [u8]),
    /// So many bytes, which the lengths of the IP header do not fit.
    Torn(usize),
}

impl AdvertSocket {
    /// Opens it on `interface`; adverts carry `source`, whatever the routing table says. Needs CAP_NET_RAW.
    pub fn open(interface: &str, index: u32, source: Ipv4Addr, vrids: &[u8]) -> Result<Self, SocketError> {
        let fail = |what| SocketError::on_interface(interface, what);
        let kind = Type::RAW.nonblocking();
        let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::from(i32::from(IP_PROTOCOL))))
            .map_err(fail("raw socket"))?;
        socket.attach_filter(&filter::only(vrids)).map_err(fail("SO_ATTACH_FILTER"))?;
        socket.bind_device(Some(interface.as_bytes())).map_err(fail("SO_BINDTODEVICE"))?;
        set_options(&socket).map_err(fail("socket options"))?;
        let on = InterfaceIndexOrAddress::Index(index);
        socket.join_multicast_v4_n(&MULTICAST_GROUP, &on).map_err(fail("IP_ADD_MEMBERSHIP"))?;
        let mut opened = Self::around(socket, source);
        opened.discard_early();
        Ok(opened)
    }

    /// Takes adverts of these VRIDs from now on.
    ///
    /// # Errors
    /// What the kernel says; the filter before stays.
    pub fn listen_for(&self, vrids: &[u8]) -> io::Result<()> {
        self.socket.attach_filter(&filter::only(vrids))
    }

    fn around(socket: Socket, source: Ipv4Addr) -> Self {
        Self {
            socket,
            source,
            datagram: vec![0; DATAGRAM_LENGTH].into(),
            control: nix::cmsg_space!(u32),
            overflowed: 0,
        }
    }

    /// What came between `socket` and `bind` may be from another interface.
    fn discard_early(&mut self) {
        while matches!(self.receive(), Ok(Some(_))) {}
    }

    /// The source address of our adverts.
    pub fn source(&self) -> Ipv4Addr {
        self.source
    }

    /// Sends one VRRP message to 224.0.0.18, or to one host. Does not allocate, never in fragments. Errors are the kernel's
    /// (`ENETDOWN`, `ENOBUFS`, `EPERM`, `EMSGSIZE`).
    pub fn send(&self, message: &[u8], to: Ipv4Addr) -> io::Result<()> {
        let mut packet = arrayvec::ArrayVec::<u8, { ipv4_header::LENGTH + MAX_LEN }>::new();
        packet.extend(ipv4_header::build(self.source, to, NETWORK_CONTROL as u8));
        packet.try_extend_from_slice(message).map_err(|_| io::Error::from(Errno::EMSGSIZE))?;
        send_whole(&self.socket, &packet, &SockAddr::from(SocketAddrV4::new(to, 0)))
    }

    /// The next packet; `None`: nothing is left. Does not allocate.
    pub fn receive(&mut self) -> io::Result<Option<Received<'_>>> {
        let mut room = [IoSliceMut::new(&mut self.datagram)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let answer = match recvmsg::<()>(self.socket.as_raw_fd(), &mut room, Some(&mut self.control), flags) {
            Ok(answer) => answer,
            Err(Errno::EAGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        if let Some(ControlMessageOwned::RxqOvfl(dropped)) = answer.cmsgs()?.next() {
            self.overflowed = dropped;
        }
        let length = answer.bytes;
        Ok(Some(received(&self.datagram[..length])))
    }

    /// Packets dropped by the kernel because the receive buffer was full, since the socket was opened.
    pub fn overflowed(&self) -> u32 {
        self.overflowed
    }
}

fn received(datagram: &[u8]) -> Received<'_> {
    match ipv4_header::parse(datagram) {
        Some((ip, message)) => Received::Packet(ip, message),
        None => Received::Torn(datagram.len()),
    }
}

fn set_options(socket: &Socket) -> io::Result<()> {
    socket.set_header_included_v4(true)?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_all_v4(false)?;
    socket.set_tos_v4(NETWORK_CONTROL)?;
    socket.set_priority(SOCKET_PRIORITY)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    setsockopt(socket, sockopt::RxqOvfl, &1)?;
    Ok(())
}

impl AsFd for AdvertSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
