//! Typed messages between our own processes: SOCK_SEQPACKET, one message a packet, descriptors beside it.
//!
//! A send never blocks. When the other side does not read, its queue (the socket's send buffer) fills and further
//! messages are refused with [`SendError::Full`]: the caller counts them. Everything that must survive a full queue
//! is level-triggered, that is, sent again with the next heartbeat.

use std::io::{IoSlice, IoSliceMut};
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest message: settings or a snapshot with 64 VIPs. On the stack of whoever sends or receives, so that the election
/// thread allocates nothing and uses no more stack than it has locked.
const MAX_MESSAGE: usize = 16 * 1024;

/// One end of a conversation: sends `S`, receives `R`.
#[derive(Debug)]
pub(crate) struct Channel<S, R> {
    socket: OwnedFd,
    words: PhantomData<fn(S) -> R>,
}

/// Why a message did not leave.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The other side does not read.
    #[error("the other process does not read its messages")]
    Full,
    /// The other side is gone.
    #[error("the other process is gone")]
    Closed,
    /// A message over 16 KiB, or one that cannot be encoded: our own bug.
    #[error("a message cannot be encoded: {0}")]
    Encode(postcard::Error),
    /// Anything else the kernel says.
    #[error("cannot send to the other process: {0}")]
    Kernel(Errno),
}

/// What a non-blocking receive found.
#[derive(Debug)]
pub(crate) enum Received<R> {
    /// A message and, when one came with it, a descriptor.
    Message(R, Option<OwnedFd>),
    /// Nothing at the moment.
    Empty,
    /// The other side is gone, or speaks another language (a binary replaced under a running service).
    Closed,
}

/// A connected pair of sockets, both close-on-exec.
pub(crate) fn pair() -> std::io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

impl<S: Serialize, R: DeserializeOwned> Channel<S, R> {
    /// Speaks over one end of a [`pair`].
    pub(crate) fn over(socket: OwnedFd) -> Self {
        Self { socket, words: PhantomData }
    }

    /// Sends one message without blocking.
    pub(crate) fn send(&self, message: &S) -> Result<(), SendError> {
        self.transmit(message, &[])
    }

    /// Sends one message and a descriptor; the other side receives a duplicate.
    pub(crate) fn send_with(&self, message: &S, descriptor: BorrowedFd<'_>) -> Result<(), SendError> {
        self.transmit(message, &[descriptor])
    }

    fn transmit(&self, message: &S, descriptors: &[BorrowedFd<'_>]) -> Result<(), SendError> {
        let mut buffer = [0_u8; MAX_MESSAGE];
        let bytes = postcard::to_slice(message, &mut buffer).map_err(SendError::Encode)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut ancillary, flags) {
            Ok(_) => Ok(()),
            Err(Errno::AGAIN | Errno::NOBUFS) => Err(SendError::Full),
            Err(Errno::PIPE | Errno::CONNRESET | Errno::NOTCONN) => Err(SendError::Closed),
            Err(errno) => Err(SendError::Kernel(errno)),
        }
    }

    /// Takes the next message, if one is there.
    pub(crate) fn receive(&self) -> Received<R> {
        let mut bytes = [0_u8; MAX_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let length = match recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags) {
            Ok(message) if message.bytes > 0 => message.bytes,
            Err(Errno::AGAIN | Errno::INTR) => return Received::Empty,
            Ok(_) | Err(_) => return Received::Closed,
        };
        match postcard::from_bytes(&bytes[..length]) {
            Ok(message) => Received::Message(message, first_descriptor(&mut ancillary)),
            Err(_) => Received::Closed,
        }
    }
}

impl<S, R> AsFd for Channel<S, R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn first_descriptor(ancillary: &mut RecvAncillaryBuffer<'_>) -> Option<OwnedFd> {
    ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type End = Channel<String, String>;

    fn ends() -> (End, End) {
        let (here, there) = pair().expect("a socketpair");
        (Channel::over(here), Channel::over(there))
    }

    #[test]
    fn a_message_arrives_whole_with_its_descriptor() {
        let (here, there) = ends();
        let file = std::fs::File::open("/dev/null").expect("/dev/null");
        here.send_with(&"take this".to_owned(), file.as_fd()).expect("sent");
        let Received::Message(text, Some(_)) = there.receive() else { panic!("no message with a descriptor") };
        assert_eq!(text, "take this");
        assert!(matches!(there.receive(), Received::Empty));
    }

    #[test]
    fn a_dead_partner_is_seen_at_once() {
        let (here, there) = ends();
        drop(there);
        assert!(matches!(here.receive(), Received::Closed));
        assert!(matches!(here.send(&String::new()), Err(SendError::Closed)));
    }

    #[test]
    fn a_partner_that_does_not_read_never_blocks_us() {
        let (here, _there) = ends();
        let message = "x".repeat(4096);
        let refused = (0..10_000).find_map(|_| here.send(&message).err());
        assert!(matches!(refused, Some(SendError::Full)), "{refused:?}");
    }
}
