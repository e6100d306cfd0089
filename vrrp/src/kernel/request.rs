//! Requests to the kernel, each waiting for its answer.

use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::message::{self, NLMSG_DONE, NLMSG_ERROR, RTM_NEWADDR, RTM_NEWLINK};
use super::{Address, Interface, KernelError, Request};

/// How long an answer may take once the request is taken. The kernel works a request off while it takes it, so this is rarely
/// waited for; what takes long is the taking, while somebody else holds the rtnl lock.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// One datagram of a dump; the kernel makes them at most 32 KiB (`netlink_dump`, net/netlink/af_netlink.c).
const DATAGRAM_LENGTH: usize = 32 * 1024;

/// An address that the kernel removes by itself unless it is renewed.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Where it goes.
    pub interface: Interface,
    /// The address; always with a prefix of one address, so that no other is its secondary.
    pub address: IpAddr,
    /// `IFA_LABEL`, at most 15 bytes.
    pub label: Option<String>,
    /// `valid_lft` and `preferred_lft`; the kernel rounds up to the next second or more.
    pub lifetime_seconds: u32,
}

/// A socket for requests; each waits for its answer.
#[derive(Debug)]
pub struct Kernel {
    socket: Socket,
    sequence: u32,
    datagram: Vec<u8>,
}

impl Kernel {
    /// Opens a socket in the network namespace of the calling thread.
    pub fn open() -> Result<Self, KernelError> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket, sequence: 0, datagram: vec![0; DATAGRAM_LENGTH] })
    }

    /// The interface with this name.
    pub fn interface_by_name(&mut self, name: &str) -> Result<Interface, KernelError> {
        let what = || Request::ShowInterface(name.to_owned());
        let mut found = None;
        self.ask(message::show_link(name), 0, what, |kind, payload| {
            found = found.take().or_else(|| interface(kind, payload));
        })?;
        found.ok_or_else(|| KernelError::NoInterface { name: name.to_owned() })
    }

    /// The interface that holds this address.
    pub fn interface_holding(&mut self, address: IpAddr) -> Result<Interface, KernelError> {
        let holder = self.addresses()?.into_iter().find(|held| held.address == address);
        let index = holder.ok_or(KernelError::NoHolder { address })?.index;
        self.interfaces()?
            .into_iter()
            .find(|interface| interface.index == index)
            .ok_or(KernelError::NoHolder { address })
    }

    /// Every interface.
    pub fn interfaces(&mut self) -> Result<Vec<Interface>, KernelError> {
        let mut all = Vec::new();
        self.ask(
            message::list_links(),
            NLM_F_DUMP,
            || Request::ListInterfaces,
            |kind, payload| {
                all.extend(interface(kind, payload));
            },
        )?;
        Ok(all)
    }

    /// Every address of either family.
    pub fn addresses(&mut self) -> Result<Vec<Address>, KernelError> {
        let mut all = Vec::new();
        self.ask(
            message::list_addresses(),
            NLM_F_DUMP,
            || Request::ListAddresses,
            |kind, payload| {
                all.extend(address(kind, payload));
            },
        )?;
        Ok(all)
    }

    /// Adds the address; [`KernelError::Exists`] when anybody has added it before.
    pub fn add_address(&mut self, grant: &Grant) -> Result<(), KernelError> {
        let what = || Request::Add(grant.address, grant.interface.name.clone());
        self.command(message::new_address(grant), NLM_F_CREATE | NLM_F_EXCL, what)
    }

    /// Starts the lifetime anew. The kernel adds the address again when it has expired: call it only well before that.
    pub fn renew_address(&mut self, grant: &Grant) -> Result<(), KernelError> {
        let what = || Request::Renew(grant.address, grant.interface.name.clone());
        self.command(message::new_address(grant), NLM_F_REPLACE, what)
    }

    /// Deletes an address; [`KernelError::Absent`] when it is not there.
    pub fn delete_address(&mut self, held: &Address, interface: &str) -> Result<(), KernelError> {
        let what = || Request::Delete(held.address, interface.to_owned());
        self.command(message::delete_address(held.index, held.address, held.prefix_length), 0, what)
    }

    pub(super) fn command(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        what: impl Fn() -> Request,
    ) -> Result<(), KernelError> {
        self.ask(message, flags | NLM_F_ACK, what, |_, _| {})
    }

    /// Sends one request and reads until its end; answers of earlier requests that came too late are skipped by number.
    fn ask(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        what: impl Fn() -> Request,
        mut each: impl FnMut(u16, &[u8]),
    ) -> Result<(), KernelError> {
        self.sequence = self.sequence.wrapping_add(1);
        let flags = if flags & NLM_F_DUMP == 0 { flags | NLM_F_ACK } else { flags };
        self.socket.send(&message::encode(message, NLM_F_REQUEST | flags, self.sequence), 0)?;
        let until = Instant::now() + ANSWER_WITHIN;
        loop {
            self.wait(until, &what)?;
            let length = self.receive()?;
            let ours = message::frames(&self.datagram[..length]).filter(|frame| frame.sequence == self.sequence);
            for frame in ours {
                match frame.kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => return acknowledged(message::errno(frame.payload), &what),
                    kind => each(kind, frame.payload),
                }
            }
        }
    }

    fn wait(&self, until: Instant, what: &impl Fn() -> Request) -> Result<(), KernelError> {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left.as_millis()).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => Err(KernelError::Silent { request: what(), limit: ANSWER_WITHIN }),
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(what().refused(errno)),
        }
    }

    fn receive(&mut self) -> Result<usize, io::Error> {
        match self.socket.recv(&mut &mut self.datagram[..], 0) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            answer => answer,
        }
    }
}

fn acknowledged(errno: i32, what: &impl Fn() -> Request) -> Result<(), KernelError> {
    match errno {
        0 => Ok(()),
        errno => Err(what().refused(Errno::from_raw(errno))),
    }
}

fn interface(kind: u16, payload: &[u8]) -> Option<Interface> {
    let message::LinkView { index, name, mac, up } = message::link(payload).filter(|_| kind == RTM_NEWLINK)?;
    Some(Interface { index, name: name.to_owned(), mac, up })
}

fn address(kind: u16, payload: &[u8]) -> Option<Address> {
    let view = message::address(payload).filter(|_| kind == RTM_NEWADDR)?;
    let message::AddressView { index, address, prefix_length, label, permanent, secondary, usable } = view;
    Some(Address { index, address, prefix_length, label: label.to_owned(), permanent, secondary, usable })
}
