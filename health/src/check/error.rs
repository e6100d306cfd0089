//! Why a probe did not pass, sorted by whose fault it is.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

use super::trust::TrustError;
use crate::outcome::{Failure, Finding, Rung};

/// Why a probe did not pass.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    // The server's, or the way to it.
    #[error("connection refused")]
    Refused,
    #[error("unreachable: {0}")]
    Unreachable(String),
    #[error("no {awaited} within {timeout:?}")]
    Silent { awaited: String, timeout: Duration },
    #[error("connection reset by the server {0}")]
    Reset(&'static str),
    #[error("TLS handshake: {0}")]
    Tls(String),
    #[error("connection closed by the server before {0}")]
    Closed(String),
    #[error("HTTP answer with a header over {} KiB", super::MAX_HEADER / 1024)]
    HeaderTooLarge,
    #[error("the answer is not HTTP/1.1: {0}")]
    NotHttp(String),
    #[error("an answer without what is awaited{}: {heard:?}", if *.whole { "" } else { " in its first 16 KiB" })]
    Unexpected { heard: String, whole: bool },
    #[error("the program {ended}{}", after_colon(&Some(.said.clone()).filter(|said| !said.is_empty())))]
    Program { ended: String, said: String },
    #[error("HTTP {status} from {path}{}", after_colon(.because))]
    Status { status: u16, path: String, because: Option<String>, rung: Option<Rung> },

    // The operator's: these say nothing about the server.
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("{0:?} is neither a host name nor an address to verify the server by")]
    ServerName(String),
    #[error("{0:?} cannot be asked for: {1}")]
    Path(String, String),

    // This node's: neither do these.
    #[error("not asked: {0} on this node")]
    Node(io::Error),
    #[error("not judged: this node was paused for {0:?}")]
    Paused(Duration),
    #[error("not judged: the probe stopped by a defect of its own; please report it")]
    Defect,
}

/// What a probe waits for, in the words of its timeout.
#[derive(Debug, Clone, Copy)]
pub(super) enum Awaited<'a> {
    /// SYN sent.
    Connection,
    /// ClientHello sent: a stopped process still completes TCP handshakes, so this is where it shows.
    TlsHandshake,
    /// Request sent.
    Http(&'a str),
    /// Question sent, or the server is to speak first.
    Reply,
    /// The end of a program that asks in our stead.
    Program(&'a PathBuf),
    /// One of the programs that run to end, so that this one may start.
    Turn,
    /// Something of this node.
    File(&'a PathBuf),
}

impl ProbeError {
    pub(super) fn silent(awaited: Awaited<'_>, timeout: Duration) -> Self {
        match awaited {
            Awaited::File(path) => Self::Node(io::Error::other(format!("{} was not read in time", path.display()))),
            Awaited::Turn => Self::Node(io::Error::other("too many programs of checks run already")),
            Awaited::Connection | Awaited::TlsHandshake | Awaited::Http(_) | Awaited::Reply | Awaited::Program(_) => {
                Self::Silent { awaited: awaited.to_string(), timeout }
            }
        }
    }

    /// Why `connect` failed (connect(2), and icmp(7) for what routers report).
    pub(super) fn of_connect(error: io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ECONNREFUSED) => Self::Refused,
            Some(Errno::ECONNRESET) => Self::Reset("during the TCP handshake"),
            Some(Errno::EACCES | Errno::EPERM) => {
                Self::Unreachable("forbidden on this node, by its firewall or SELinux".to_owned())
            }
            Some(
                Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM | Errno::ENOBUFS | Errno::EADDRNOTAVAIL | Errno::EAGAIN,
            ) => Self::Node(error),
            Some(Errno::EHOSTUNREACH) => Self::Unreachable("no route to host".to_owned()),
            Some(errno) => Self::Unreachable(errno.desc().to_lowercase()),
            None => Self::Unreachable(error.to_string()),
        }
    }

    /// What counts for the verdict.
    pub(super) fn finding(&self) -> Finding {
        match self {
            Self::Refused => Finding::Fail(Failure::Refused),
            Self::Unreachable(_) => Finding::Fail(Failure::Unreachable),
            Self::Silent { .. } => Finding::Fail(Failure::Timeout),
            Self::Reset(_) => Finding::Fail(Failure::Reset),
            Self::Tls(_) => Finding::Fail(Failure::Tls),
            Self::Unexpected { .. } | Self::Program { .. } => Finding::Fail(Failure::Reply),
            Self::Closed(_) | Self::HeaderTooLarge | Self::NotHttp(_) | Self::Status { .. } => {
                Finding::Fail(Failure::Http)
            }
            Self::Trust(_) | Self::ServerName(_) | Self::Path(..) | Self::Node(_) | Self::Paused(_) | Self::Defect => {
                Finding::Inconclusive
            }
        }
    }

    /// The server's host itself refused. That it cannot be reached is another thing: this node sees that of every server when
    /// its own link, or the switch behind it, is dead (the kernel says EHOSTUNREACH when no neighbour answers its ARP).
    pub(super) fn nobody_there(&self) -> bool {
        matches!(self, Self::Refused)
    }

    /// Whether the same question without credentials may be answered: a file of theirs cannot be read, or the server ended
    /// the handshake over them.
    pub(super) fn may_be_the_credentials(&self) -> bool {
        matches!(self, Self::Trust(_) | Self::Tls(_))
    }

    /// The rung of the ladder that said no.
    pub(super) fn rung(&self) -> Option<Rung> {
        match self {
            Self::Status { rung, .. } => *rung,
            _ => None,
        }
    }
}

impl fmt::Display for Awaited<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection => f.write_str("answer"),
            Self::TlsHandshake => f.write_str("TLS handshake"),
            Self::Reply => f.write_str("reply that is awaited"),
            Self::Http(path) => write!(f, "HTTP answer from {path}"),
            Self::Program(path) => write!(f, "end of {}", path.display()),
            Self::Turn => f.write_str("turn"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

fn after_colon(words: &Option<String>) -> String {
    words.as_ref().map_or_else(String::new, |words| format!(": {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(errno: Errno) -> ProbeError {
        ProbeError::of_connect(io::Error::from_raw_os_error(errno as i32))
    }

    #[test]
    fn a_node_without_descriptors_or_ports_blames_no_server() {
        for errno in [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM, Errno::EADDRNOTAVAIL] {
            assert_eq!(of(errno).finding(), Finding::Inconclusive, "{errno}");
        }
    }

    #[test]
    fn what_a_router_reports_is_unreachable_in_its_words() {
        for errno in [Errno::EHOSTUNREACH, Errno::ENETUNREACH, Errno::EHOSTDOWN, Errno::ENONET, Errno::EACCES] {
            assert_eq!(of(errno).finding(), Finding::Fail(Failure::Unreachable), "{errno}");
        }
        assert_eq!(of(Errno::EHOSTUNREACH).to_string(), "unreachable: no route to host");
        assert_eq!(of(Errno::ECONNREFUSED).to_string(), "connection refused");
    }

    #[test]
    fn only_a_host_that_refuses_has_nobody_there() {
        assert!(of(Errno::ECONNREFUSED).nobody_there());
        for errno in
            [Errno::EHOSTUNREACH, Errno::EHOSTDOWN, Errno::ENETUNREACH, Errno::EACCES, Errno::ECONNRESET, Errno::EMFILE]
        {
            assert!(!of(errno).nobody_there(), "{errno}");
        }
        assert!(!ProbeError::silent(Awaited::Connection, Duration::from_secs(1)).nobody_there());
    }

    #[test]
    fn a_timeout_says_what_it_waited_for() {
        let second = Duration::from_secs(1);
        assert_eq!(ProbeError::silent(Awaited::Connection, second).to_string(), "no answer within 1s");
        assert_eq!(
            ProbeError::silent(Awaited::Http("/ping"), second).to_string(),
            "no HTTP answer from /ping within 1s"
        );
    }
}
