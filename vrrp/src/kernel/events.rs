//! What the kernel tells about links and addresses while the election runs.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use arrayvec::ArrayString;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;

use super::KernelError;
use super::message::{self, Frame, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK};

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR` (linux/rtnetlink.h).
const GROUPS: [u32; 3] = [1, 5, 9];

/// Room for events while the thread does other things; each renewal of a lease is one of about 100 bytes (700 with the
/// kernel's overhead). When it is full the kernel drops events and says so: [`KernelEvent::Overrun`].
const RECEIVE_BUFFER: usize = 256 * 1024;

/// The kernel sends each event as a datagram of its own, links with all attributes up to some kilobytes.
const DATAGRAM_LENGTH: usize = 16 * 1024;

/// A change that somebody, perhaps ourselves, made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KernelEvent {
    /// The interface exists, is up and has carrier.
    LinkUp {
        /// The kernel's number for it.
        index: u32,
        /// Its name; a recreated interface has an old name and a new index.
        name: ArrayString<16>,
    },
    /// The interface is down, without carrier, or gone.
    LinkDown {
        /// The kernel's number for it.
        index: u32,
    },
    /// An address was added, or its lifetime renewed.
    AddressAdded {
        /// On which interface.
        index: u32,
        /// Which one.
        address: IpAddr,
    },
    /// An address was deleted or has expired, or the kernel may not use it (yet): see [`super::Address::usable`].
    AddressRemoved {
        /// From which interface.
        index: u32,
        /// Which one.
        address: IpAddr,
    },
    /// Events were lost: what is known of links and addresses may be wrong until it is read anew.
    Overrun,
}

/// A socket that hears every change of links and addresses.
#[derive(Debug)]
pub struct Events {
    socket: Socket,
    datagram: Box<[u8]>,
}

impl Events {
    /// Subscribes in the network namespace of the calling thread.
    pub fn open() -> Result<Self, KernelError> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_rx_buf_sz(RECEIVE_BUFFER as i32)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        socket.set_non_blocking(true)?;
        Ok(Self { socket, datagram: vec![0; DATAGRAM_LENGTH].into() })
    }

    /// Reads one datagram and hands its events over, oldest first. `false`: nothing is left. Does not allocate.
    pub fn read(&mut self, mut each: impl FnMut(KernelEvent)) -> bool {
        let length = match self.socket.recv(&mut &mut self.datagram[..], 0) {
            Ok(length) => length.min(self.datagram.len()),
            Err(error) => return unread(&error, each),
        };
        message::frames(&self.datagram[..length]).filter_map(|frame| event(&frame)).for_each(&mut each);
        true
    }
}

/// An error of the socket other than "empty" means that something was not heard.
fn unread(error: &io::Error, mut each: impl FnMut(KernelEvent)) -> bool {
    match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
        Errno::EAGAIN => false,
        Errno::EINTR => true,
        _ => {
            each(KernelEvent::Overrun);
            true
        }
    }
}

fn event(frame: &Frame<'_>) -> Option<KernelEvent> {
    match frame.kind {
        RTM_NEWLINK | RTM_DELLINK => {
            let link = message::link(frame.payload)?;
            let name = ArrayString::from(link.name).unwrap_or_default();
            let up = link.up && frame.kind == RTM_NEWLINK;
            Some(if up {
                KernelEvent::LinkUp { index: link.index, name }
            } else {
                KernelEvent::LinkDown { index: link.index }
            })
        }
        RTM_NEWADDR | RTM_DELADDR => {
            let message::AddressView { index, address, usable, .. } = message::address(frame.payload)?;
            Some(if usable && frame.kind == RTM_NEWADDR {
                KernelEvent::AddressAdded { index, address }
            } else {
                KernelEvent::AddressRemoved { index, address }
            })
        }
        _ => None,
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
