//! What the kernel knows of the way to a peer (TCP_INFO, tcp(7)).

use std::os::fd::AsFd;
use std::time::Duration;

use nix::libc;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::GetStruct;

/// The option, of which the kernel fills in as many fields as there is room for.
#[derive(Debug, Clone, Copy)]
struct Info;

nix::getsockopt_impl!(Info, libc::IPPROTO_TCP, libc::TCP_INFO, libc::tcp_info, GetStruct<libc::tcp_info>);

/// How one socket saw the way to its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TcpInfo {
    /// The smoothed round trip (RFC 6298 §2); of a peer that has acknowledged nothing, zero.
    pub(crate) round_trip: Duration,
    /// Segments sent once more, in its whole life.
    pub(crate) retransmits: u32,
}

impl TcpInfo {
    /// `None`: the kernel tells nothing of it.
    pub(crate) fn of(socket: &impl AsFd) -> Option<Self> {
        let info = getsockopt(socket, Info).ok()?;
        let round_trip = Duration::from_micros(info.tcpi_rtt.into());
        Some(Self { round_trip, retransmits: info.tcpi_total_retrans })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connected_socket_has_a_round_trip_and_anything_else_none() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = TcpInfo::of(&client).unwrap();
        assert!(info.round_trip > Duration::ZERO && info.round_trip < Duration::from_secs(1), "{info:?}");
        assert_eq!(info.retransmits, 0);
        assert_eq!(TcpInfo::of(&std::net::UdpSocket::bind("127.0.0.1:0").unwrap()), None);
    }
}
