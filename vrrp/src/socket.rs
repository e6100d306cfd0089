//! The three sockets of the keeper: adverts (raw), heartbeats (UDP) and announcements (AF_PACKET).
//! The only module that names socket2 and nix's socket functions. None of them ever blocks.

mod advert;
mod announcement;
mod filter;
mod frame;
mod heartbeat;
mod ip_header;

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{SockAddr, Socket};

pub use advert::{AdvertSocket, Received};
pub use announcement::AnnouncementSocket;
pub use heartbeat::HeartbeatSocket;

/// DSCP CS6, network control (RFC 4594 §3.1; what Keepalived sends).
const NETWORK_CONTROL: u32 = 0xc0;

/// `SO_PRIORITY` of adverts: the highest that needs no CAP_NET_ADMIN (socket(7)); the first band of every default queue.
const SOCKET_PRIORITY: u32 = 6;

/// Longest datagram we read; what is longer is cut and then refused for its length.
pub const DATAGRAM_LENGTH: usize = 1500;

/// Why a socket could not be opened. All of these are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Raw and packet sockets need a capability.
    #[error(
        "opening a raw socket on {interface}: not permitted (EPERM); the keeper needs CAP_NET_RAW (run it as root or by its unit)"
    )]
    Denied {
        /// Where it was wanted.
        interface: String,
    },
    /// The interface of the configuration is not there.
    #[error("interface {interface} does not exist; `ip link` lists those that do")]
    NoInterface {
        /// Its name.
        interface: String,
    },
    /// Another process has the port of the heartbeat.
    #[error("UDP {address} is in use: another fmc-lb runs on this node, or `[pair] port` must change on every node")]
    PortTaken {
        /// What we tried to bind.
        address: SocketAddr,
    },
    /// The node's own address is not on any interface.
    #[error("no interface holds {address}; add it, or name this node's own address in [nodes]")]
    NoAddress {
        /// What we tried to bind.
        address: IpAddr,
    },
    /// Kernel: anything else.
    #[error("{what} on {interface}: {error}")]
    Refused {
        /// The call that failed.
        what: &'static str,
        /// Where.
        interface: String,
        /// Its error.
        error: io::Error,
    },
}

impl SocketError {
    fn on_interface(interface: &str, what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| match error.raw_os_error() {
            Some(nix::libc::EPERM | nix::libc::EACCES) => Self::Denied { interface: interface.to_owned() },
            Some(nix::libc::ENODEV | nix::libc::ENXIO) => Self::NoInterface { interface: interface.to_owned() },
            _ => Self::Refused { what, interface: interface.to_owned(), error },
        }
    }

    fn on_address(address: SocketAddr, what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| match error.raw_os_error() {
            Some(nix::libc::EADDRINUSE) => Self::PortTaken { address },
            Some(nix::libc::EADDRNOTAVAIL) => Self::NoAddress { address: address.ip() },
            _ => Self::Refused { what, interface: address.to_string(), error },
        }
    }
}

fn send_whole(socket: &Socket, datagram: &[u8], to: &SockAddr) -> io::Result<()> {
    let sent = socket.send_to(datagram, to)?;
    if sent == datagram.len() { Ok(()) } else { Err(io::Error::other("the kernel took a part of the datagram")) }
}
