//! Why a dial failed, and whose fault it is.

use std::fmt;
use std::io;

use nix::errno::Errno;

/// How a dial failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Failure {
    /// The server answered RST: nothing listens there.
    Refused,
    /// No answer before the deadline: gone, silent, or its listen queue is full.
    TimedOut,
    /// The network says that there is no way to it.
    Unreachable,
    /// Dialled first, and another server that was dialled beside it accepted before it.
    Overtaken,
    /// It accepted and reset before the PROXY header was written.
    Reset,
    /// This process has no descriptor left.
    NoDescriptor,
    /// This node has no source port left towards that server.
    NoLocalPort,
    /// The kernel has no memory for another socket.
    NoMemory,
    /// A firewall or SELinux rule of this node forbids it.
    Forbidden,
}

impl Failure {
    /// Every variant, in order.
    pub const ALL: [Self; 9] = [
        Self::Refused,
        Self::TimedOut,
        Self::Unreachable,
        Self::Overtaken,
        Self::Reset,
        Self::NoDescriptor,
        Self::NoLocalPort,
        Self::NoMemory,
        Self::Forbidden,
    ];

    /// True for the server and the network to it; false for this node, which says nothing about the server.
    pub const fn is_the_servers(self) -> bool {
        match self {
            Self::Refused | Self::TimedOut | Self::Unreachable | Self::Overtaken | Self::Reset => true,
            Self::NoDescriptor | Self::NoLocalPort | Self::NoMemory | Self::Forbidden => false,
        }
    }

    /// The words of logs and metrics.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TimedOut => "timed-out",
            Self::Unreachable => "unreachable",
            Self::Overtaken => "overtaken",
            Self::Reset => "reset",
            Self::NoDescriptor => "no-descriptor",
            Self::NoLocalPort => "no-local-port",
            Self::NoMemory => "no-memory",
            Self::Forbidden => "forbidden",
        }
    }

    /// What an error of socket(2), connect(2) or the first write(2) means.
    pub(crate) fn of(error: &io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ECONNREFUSED) => Self::Refused,
            Some(Errno::ETIMEDOUT) => Self::TimedOut,
            Some(Errno::ECONNRESET | Errno::EPIPE) => Self::Reset,
            Some(Errno::EMFILE | Errno::ENFILE) => Self::NoDescriptor,
            Some(Errno::EADDRNOTAVAIL | Errno::EADDRINUSE | Errno::EAGAIN) => Self::NoLocalPort,
            Some(Errno::ENOBUFS | Errno::ENOMEM) => Self::NoMemory,
            Some(Errno::EACCES | Errno::EPERM) => Self::Forbidden,
            _ => Self::Unreachable,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_number_tells_whose_fault_it_is() {
        let of = |errno: Errno| Failure::of(&io::Error::from_raw_os_error(errno as i32));
        assert_eq!(of(Errno::ECONNREFUSED), Failure::Refused);
        assert_eq!(of(Errno::EHOSTUNREACH), Failure::Unreachable);
        assert!(of(Errno::ENETUNREACH).is_the_servers());
        for ours in [Errno::EMFILE, Errno::ENFILE, Errno::EADDRNOTAVAIL, Errno::ENOBUFS, Errno::EACCES] {
            assert!(!of(ours).is_the_servers(), "{ours}");
        }
    }

    #[test]
    fn the_order_of_all_is_that_of_the_variants() {
        assert!(Failure::ALL.iter().enumerate().all(|(i, f)| *f as usize == i));
    }
}
