//! What an error of accept4(2) calls for.

use std::io;

use nix::errno::Errno;

/// An accept that failed, by what it calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum AcceptError {
    /// The client was gone before it was accepted, or its network was: accept(2) says to try again at once.
    Peer,
    /// No descriptor is left, in the process (EMFILE) or in the system (ENFILE): wait for some to come back.
    Descriptors,
    /// The kernel has no memory for the socket: wait for some to come back.
    Memory,
    /// The listening socket is not one: nothing will ever be accepted on it.
    Fatal,
    /// Anything that accept(2) does not name, for example EACCES by SELinux: it may come again at once, so wait.
    Other,
}

impl AcceptError {
    /// Every variant, in order.
    pub const ALL: [Self; 5] = [Self::Peer, Self::Descriptors, Self::Memory, Self::Fatal, Self::Other];

    /// The words of the metric label.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Descriptors => "descriptors",
            Self::Memory => "memory",
            Self::Fatal => "fatal",
            Self::Other => "other",
        }
    }

    pub(super) fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE | Errno::ENFILE) => Self::Descriptors,
            Some(Errno::ENOBUFS | Errno::ENOMEM | Errno::ENOSPC) => Self::Memory,
            Some(Errno::EBADF | Errno::EINVAL | Errno::ENOTSOCK | Errno::EOPNOTSUPP | Errno::EFAULT) => Self::Fatal,
            Some(
                Errno::ECONNABORTED
                | Errno::EPROTO
                | Errno::EINTR
                | Errno::EPERM
                | Errno::ENETDOWN
                | Errno::ENOPROTOOPT
                | Errno::EHOSTDOWN
                | Errno::ENONET
                | Errno::EHOSTUNREACH
                | Errno::ENETUNREACH
                | Errno::ETIMEDOUT,
            ) => Self::Peer,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_is_none_ends_the_listener() {
        let of = |errno: Errno| AcceptError::of(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!(of(Errno::EMFILE), AcceptError::Descriptors);
        assert_eq!(of(Errno::ENOBUFS), AcceptError::Memory);
        assert_eq!(of(Errno::EBADF), AcceptError::Fatal);
        assert_eq!(of(Errno::EACCES), AcceptError::Other, "SELinux refuses before the client is taken from the queue");
        for passing in [Errno::ECONNABORTED, Errno::EPROTO, Errno::ENETDOWN, Errno::EINTR, Errno::EPERM] {
            assert_eq!(of(passing), AcceptError::Peer, "{passing}");
        }
    }
}
