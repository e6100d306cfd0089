//! Datagrams by the batch: as many as wait, with one system call (recvmmsg(2), sendmmsg(2)).

use std::cell::RefCell;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny};

/// Of one call. More would only keep other tasks waiting.
const BATCH: usize = 32;

/// No datagram is longer. Of a buffer, only what was ever written to takes memory.
const LARGEST: usize = 64 * 1024;

/// One datagram, in the buffer that all sockets of the loop share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Datagram<'a> {
    /// Who sent it; the socket's own peer, if it has one.
    pub(crate) from: SocketAddr,
    pub(crate) bytes: &'a [u8],
}

thread_local! {
    /// Made for the first datagram: who serves no UDP has none.
    static BUFFERS: RefCell<Vec<Vec<u8>>> = RefCell::new(vec![vec![0; LARGEST]; BATCH]);
}

/// Hands over what waits on a socket that does not block, in the order in which it came. `with` must not receive.
///
/// # Errors
/// `WouldBlock`: nothing waits. What the kernel has heard of datagrams that were sent before, on a connected socket: ECONNREFUSED and the
/// other errors of icmp(7).
pub(crate) fn receive(socket: &impl AsFd, with: impl FnOnce(&[Datagram<'_>])) -> io::Result<()> {
    BUFFERS.with_borrow_mut(|buffers| {
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(BATCH, None);
        let mut slices: Vec<_> = buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        let descriptor = socket.as_fd().as_raw_fd();
        let received = recvmmsg(descriptor, &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let datagrams: Vec<_> = received
            .filter_map(|message| {
                let from = message.address.as_ref().and_then(address)?;
                Some(Datagram { from, bytes: message.iovs().next().unwrap_or_default() })
            })
            .collect();
        with(&datagrams);
        Ok(())
    })
}

/// Sends them to `to`, or to the peer of a connected socket; says how many it was: the rest found no room, and is lost as in any full queue.
///
/// # Errors
/// The first could not be sent. On a connected socket that may be what the kernel has heard of earlier ones.
pub(crate) fn send(socket: &impl AsFd, to: Option<SocketAddr>, datagrams: &[Datagram<'_>]) -> io::Result<usize> {
    let to = to.map(SocketAddrAny::from);
    let slices: Vec<_> = datagrams.iter().map(|datagram| [IoSlice::new(datagram.bytes)]).collect();
    let mut nothing_beside: Vec<_> = slices.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut messages: Vec<_> = slices
        .iter()
        .zip(&mut nothing_beside)
        .map(|(slice, beside)| match &to {
            Some(to) => MMsgHdr::new_with_addr(to, slice, beside),
            None => MMsgHdr::new(slice, beside),
        })
        .collect();
    match rustix::net::sendmmsg(socket, &mut messages, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Err(rustix::io::Errno::AGAIN) => Ok(0),
        sent => Ok(sent?),
    }
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let of_4 = storage.as_sockaddr_in().map(|address| SocketAddr::from((address.ip(), address.port())));
    of_4.or_else(|| storage.as_sockaddr_in6().map(|address| SocketAddr::from((address.ip(), address.port()))))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_is_sent_in_one_call_comes_in_one_call_whole_and_in_order() {
        let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        let (from, to) = (theirs.local_addr().unwrap(), ours.local_addr().unwrap());
        let contents = [vec![1; 1], Vec::new(), vec![2; 1472], vec![3; 60_000]];
        let datagrams = contents.each_ref().map(|bytes| Datagram { from, bytes });
        assert_eq!(send(&theirs, Some(to), &datagrams).unwrap(), 4);
        let mut came = Vec::new();
        receive(&ours, |batch| came.extend(batch.iter().map(|datagram| (datagram.from, datagram.bytes.to_vec()))))
            .unwrap();
        assert!(came == contents.map(|bytes| (from, bytes)));
        assert_eq!(receive(&ours, |_| ()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
