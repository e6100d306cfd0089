//! The raw socket of one interface: sends adverts, hears those for our VRIDs.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use fmc_config::model::family::Family;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, bind, recvmsg, setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};

use crate::arp::HardwareAddress;
use crate::packet::{IP_PROTOCOL, IpMeta, MAX_LEN, multicast_group};

use super::announcement::{AnnouncementSocket, link_address};
use super::{DATAGRAM_LENGTH, NETWORK_CONTROL, SOCKET_PRIORITY, SocketError, filter, frame, ip_header, send_whole};

/// The most that needs no privilege (`net.core.rmem_max`): about 500 adverts with the kernel's overhead, 50 ms of a flood of
/// 10,000 in a second. When it is full the kernel drops the newest, and [`AdvertSocket::overflowed`] counts them.
const RECEIVE_BUFFER: usize = 212_992;

/// `linux/if_ether.h`.
const ETH_P_ALL: u16 = 0x0003;

/// A raw socket for protocol 112 over the family of its source address, bound to one interface. Adverts that came by unicast reach it too,
/// to be counted.
#[derive(Debug)]
pub struct AdvertSocket {
    socket: Socket,
    source: IpAddr,
    index: u32,
    /// What is received begins with its IP header. A raw socket of IPv6 shows the message alone, and the rest beside it.
    shows_header: bool,
    datagram: Box<[u8]>,
    control: Vec<u8>,
    /// What leaves from a virtual MAC address; an observer sends nothing.
    frames: Option<AnnouncementSocket>,
    overflowed: u32,
}

/// One packet from the wire, not yet believed.
#[derive(Debug)]
pub enum Received<'a> {
    /// A whole packet: its IP header, and the VRRP message without padding.
    Packet(IpMeta, &'a [u8]),
    /// So many bytes, which the lengths of the IP header do not fit.
    Torn(usize),
}

impl AdvertSocket {
    /// Opens it on `interface`; adverts carry `source`, whatever the routing table says. Needs CAP_NET_RAW.
    pub fn open(interface: &str, index: u32, source: IpAddr, vrids: &[u8]) -> Result<Self, SocketError> {
        let fail = |what| SocketError::on_interface(interface, what);
        let (family, kind) = (Family::of(source), Type::RAW.nonblocking());
        let domain = if source.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
        let protocol = Protocol::from(i32::from(IP_PROTOCOL));
        let socket = Socket::new(domain, kind, Some(protocol)).map_err(fail("raw socket"))?;
        socket.attach_filter(&filter::only(family, vrids)).map_err(fail("SO_ATTACH_FILTER"))?;
        socket.bind_device(Some(interface.as_bytes())).map_err(fail("SO_BINDTODEVICE"))?;
        set_options(&socket, family).map_err(fail("socket options"))?;
        join(&socket, family, index).map_err(fail("joining the group of VRRP"))?;
        let mut opened = Self::around(socket, source, index, source.is_ipv4());
        opened.frames = Some(AnnouncementSocket::open(interface, index)?);
        opened.discard_early();
        Ok(opened)
    }

    /// Hears every VRRP packet on `interface`, whoever sends it: one of this machine too, which no raw socket would show. Sends nothing.
    /// Needs CAP_NET_RAW.
    pub fn overhear(interface: &str, index: u32, source: IpAddr) -> Result<Self, SocketError> {
        let fail = |what| SocketError::on_interface(interface, what);
        // What leaves is shown to those alone who want every protocol (packet(7)).
        let every = Protocol::from(i32::from(ETH_P_ALL.to_be()));
        let socket =
            Socket::new(Domain::PACKET, Type::DGRAM.nonblocking(), Some(every)).map_err(fail("packet socket"))?;
        socket.attach_filter(&filter::any_advert(Family::of(source))).map_err(fail("SO_ATTACH_FILTER"))?;
        let address = link_address(index).map_err(fail("getifaddrs"))?;
        bind(socket.as_raw_fd(), &address).map_err(io::Error::from).map_err(fail("bind to the interface"))?;
        let mut opened = Self::around(socket, source, index, true);
        opened.discard_early();
        Ok(opened)
    }

    /// Takes adverts of these VRIDs from now on.
    ///
    /// # Errors
    /// What the kernel says; the filter before stays.
    pub fn listen_for(&self, vrids: &[u8]) -> io::Result<()> {
        self.socket.attach_filter(&filter::only(Family::of(self.source), vrids))
    }

    fn around(socket: Socket, source: IpAddr, index: u32, shows_header: bool) -> Self {
        Self {
            socket,
            source,
            index,
            shows_header,
            datagram: vec![0; DATAGRAM_LENGTH].into(),
            control: nix::cmsg_space!(u32, i32, nix::libc::in6_pktinfo),
            frames: None,
            overflowed: 0,
        }
    }

    /// What came between `socket` and `bind` may be from another interface.
    fn discard_early(&mut self) {
        while matches!(self.receive(), Ok(Some(_))) {}
    }

    /// The source address of our adverts.
    pub fn source(&self) -> IpAddr {
        self.source
    }

    /// Sends one VRRP message to the group, or to one host of the same family. Does not allocate, never in fragments. Errors are the
    /// kernel's (`ENETDOWN`, `ENOBUFS`, `EPERM`, `EMSGSIZE`).
    pub fn send(&self, message: &[u8], to: IpAddr) -> io::Result<()> {
        let mut packet = arrayvec::ArrayVec::<u8, { ip_header::LONGEST + MAX_LEN }>::new();
        packet.extend(ip_header::build(self.source, to, NETWORK_CONTROL as u8, message.len()));
        packet.try_extend_from_slice(message).map_err(|_| io::Error::from(Errno::EMSGSIZE))?;
        send_whole(&self.socket, &packet, &SockAddr::from(self.on_this_link(to)))
    }

    /// The same to the group, in a frame that comes from `hardware`: the virtual router's own MAC address (RFC 9568 §7.2). Does not allocate.
    pub fn send_from(&self, hardware: HardwareAddress, message: &[u8], group: IpAddr) -> io::Result<()> {
        let mut frame = arrayvec::ArrayVec::<u8, { frame::HEADER_LENGTH + ip_header::LONGEST + MAX_LEN }>::new();
        frame.extend(frame::header(hardware, group).ok_or(Errno::EDESTADDRREQ)?);
        let mut header = ip_header::build(self.source, group, NETWORK_CONTROL as u8, message.len());
        ip_header::complete(&mut header, message.len());
        frame.extend(header);
        frame.try_extend_from_slice(message).map_err(|_| io::Error::from(Errno::EMSGSIZE))?;
        self.frames.as_ref().ok_or(Errno::EBADF)?.send(&frame)
    }

    /// A link-local address, and a group, is one of this link.
    fn on_this_link(&self, to: IpAddr) -> SocketAddr {
        match to {
            IpAddr::V4(_) => SocketAddr::new(to, 0),
            IpAddr::V6(to) => SocketAddrV6::new(to, 0, 0, self.index).into(),
        }
    }

    /// The next packet; `None`: nothing is left. Does not allocate.
    pub fn receive(&mut self) -> io::Result<Option<Received<'_>>> {
        let mut room = [IoSliceMut::new(&mut self.datagram)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let answer =
            match recvmsg::<SockaddrStorage>(self.socket.as_raw_fd(), &mut room, Some(&mut self.control), flags) {
                Ok(answer) => answer,
                Err(Errno::EAGAIN) => return Ok(None),
                Err(errno) => return Err(errno.into()),
            };
        let sender = answer.address.as_ref().and_then(SockaddrStorage::as_sockaddr_in6).map(|sender| sender.ip());
        let (mut hop_limit, mut destination) = (None, None);
        for said in answer.cmsgs()? {
            match said {
                ControlMessageOwned::RxqOvfl(dropped) => self.overflowed = dropped,
                ControlMessageOwned::Ipv6HopLimit(hops) => hop_limit = u8::try_from(hops).ok(),
                ControlMessageOwned::Ipv6PacketInfo(info) => destination = Some(info.ipi6_addr.s6_addr),
                _ => {}
            }
        }
        let length = answer.bytes;
        let datagram = &self.datagram[..length];
        if self.shows_header {
            return Ok(Some(received(datagram)));
        }
        let (Some(source), Some(ttl), Some(destination)) = (sender, hop_limit, destination) else {
            return Ok(Some(Received::Torn(datagram.len())));
        };
        let ip = IpMeta { ttl, source: source.into(), destination: destination.into() };
        Ok(Some(Received::Packet(ip, datagram)))
    }

    /// Packets dropped by the kernel because the receive buffer was full, since the socket was opened.
    pub fn overflowed(&self) -> u32 {
        self.overflowed
    }
}

fn received(datagram: &[u8]) -> Received<'_> {
    match ip_header::parse(datagram) {
        Some((ip, message)) => Received::Packet(ip, message),
        None => Received::Torn(datagram.len()),
    }
}

fn set_options(socket: &Socket, family: Family) -> io::Result<()> {
    match family {
        Family::V4 => {
            socket.set_header_included_v4(true)?;
            socket.set_multicast_loop_v4(false)?;
            socket.set_multicast_all_v4(false)?;
            socket.set_tos_v4(NETWORK_CONTROL)?;
        }
        Family::V6 => {
            socket.set_header_included_v6(true)?;
            socket.set_multicast_loop_v6(false)?;
            socket.set_multicast_all_v6(false)?;
            socket.set_recv_hoplimit_v6(true)?;
            setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
    }
    socket.set_priority(SOCKET_PRIORITY)?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    setsockopt(socket, sockopt::RxqOvfl, &1)?;
    Ok(())
}

fn join(socket: &Socket, family: Family, index: u32) -> io::Result<()> {
    match multicast_group(family) {
        IpAddr::V4(group) => socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(index)),
        IpAddr::V6(group) => socket.join_multicast_v6(&group, index),
    }
}

impl AsFd for AdvertSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
