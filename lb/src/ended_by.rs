//! Who ended a connection, and why.

use std::fmt;

/// The end of a connection in words: the `ended_by` of its log line, of `sessions` and of the metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EndedBy {
    /// The client sent FIN first, and the server finished too.
    ClientClosed,
    /// The server sent FIN first, and the client finished too.
    ServerClosed,
    /// The client sent RST.
    ClientReset,
    /// The server sent RST.
    ServerReset,
    /// The client answers no more: keepalive or TCP_USER_TIMEOUT ran out (ETIMEDOUT), or no route leads to it.
    ClientLost,
    /// The server answers no more: keepalive or TCP_USER_TIMEOUT ran out (ETIMEDOUT), or no route leads to it.
    ServerLost,
    /// No byte in either direction for the frontend's idle timeout.
    IdleTimeout,
    /// One side had closed, and nothing moved for the frontend's half-close timeout.
    HalfCloseTimeout,
    /// Every server that was tried refused, was silent or unreachable, or none may take new connections.
    NoServerAccepts,
    /// Every server that works has its `max_connections`, and the queue was full or the wait too long.
    ServersFull,
    /// The client's address is not in the frontend's allow list.
    RefusedByAllowList,
    /// The client's address has as many connections of the frontend as it may, or opens them too fast.
    RefusedBySourceLimit,
    /// It began with a PROXY header, and came from none of the frontend's trusted proxies.
    RefusedProxyHeader,
    /// It came from a trusted proxy, and did not begin with a PROXY header, or with one that breaks a rule.
    BadProxyHeader,
    /// What it has to begin with was not there in time.
    PrefaceTimeout,
    /// This node ran out of descriptors, ports or memory for the connection to a server.
    LocalFault,
    /// `fmc-lbctl kill`.
    KilledByOperator,
    /// The VIP was handed to another node on purpose.
    VipMoved,
    /// The VIP left this node unplanned and did not come back in time.
    VipLost,
    /// The operator drained the server and its time was up.
    ServerDrained,
    /// The server is gone: what is still open to it can only time out.
    ServerGone,
    /// `fmc-lbctl rebalance`: it was idle, and its server had more than its share.
    Rebalanced,
    /// It was older than the frontend's `max_age`, and had a second without a byte.
    MaxAge,
    /// Memory was short, and its receiver had not taken what was sent for a while.
    MemoryShort,
    /// The data plane stopped.
    Shutdown,
    /// A defect of ours ended the task; the panic message says which.
    InternalError,
}

impl EndedBy {
    /// Every variant, in the order of their codes.
    pub const ALL: [Self; 26] = [
        Self::ClientClosed,
        Self::ServerClosed,
        Self::ClientReset,
        Self::ServerReset,
        Self::ClientLost,
        Self::ServerLost,
        Self::IdleTimeout,
        Self::HalfCloseTimeout,
        Self::NoServerAccepts,
        Self::ServersFull,
        Self::RefusedByAllowList,
        Self::RefusedBySourceLimit,
        Self::RefusedProxyHeader,
        Self::BadProxyHeader,
        Self::PrefaceTimeout,
        Self::LocalFault,
        Self::KilledByOperator,
        Self::VipMoved,
        Self::VipLost,
        Self::ServerDrained,
        Self::ServerGone,
        Self::Rebalanced,
        Self::MaxAge,
        Self::MemoryShort,
        Self::Shutdown,
        Self::InternalError,
    ];

    /// The words of logs, metrics and `fmc-lbctl`.
    pub const fn words(self) -> &'static str {
        match self {
            Self::ClientClosed => "client-closed",
            Self::ServerClosed => "server-closed",
            Self::ClientReset => "client-reset",
            Self::ServerReset => "server-reset",
            Self::ClientLost => "client-lost",
            Self::ServerLost => "server-lost",
            Self::IdleTimeout => "idle-timeout",
            Self::HalfCloseTimeout => "half-close-timeout",
            Self::NoServerAccepts => "no-server-accepts",
            Self::ServersFull => "servers-full",
            Self::RefusedByAllowList => "refused-by-allow-list",
            Self::RefusedBySourceLimit => "refused-by-source-limit",
            Self::RefusedProxyHeader => "refused-proxy-header",
            Self::BadProxyHeader => "bad-proxy-header",
            Self::PrefaceTimeout => "preface-timeout",
            Self::LocalFault => "local-fault",
            Self::KilledByOperator => "killed-by-operator",
            Self::VipMoved => "vip-moved",
            Self::VipLost => "vip-lost",
            Self::ServerDrained => "server-drained",
            Self::ServerGone => "server-gone",
            Self::Rebalanced => "rebalanced",
            Self::MaxAge => "max-age",
            Self::MemoryShort => "memory-short",
            Self::Shutdown => "shutdown",
            Self::InternalError => "internal-error",
        }
    }

    /// True when both sides finished on their own: they are closed with FIN.
    pub const fn is_clean(self) -> bool {
        matches!(self, Self::ClientClosed | Self::ServerClosed)
    }

    /// True when the sides still open get RST: a stream that was cut must not look like one that is complete.
    ///
    /// An idle relay is the exception: nothing was under way, and FIN is what its ends expect of an idle close.
    pub const fn resets(self) -> bool {
        !self.is_clean() && !matches!(self, Self::IdleTimeout | Self::Rebalanced | Self::MaxAge)
    }

    pub(crate) const fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

impl fmt::Display for EndedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_code_leads_back_to_its_variant() {
        for ended_by in EndedBy::ALL {
            assert_eq!(EndedBy::from_code(ended_by.code()), Some(ended_by));
        }
        assert_eq!(EndedBy::from_code(u8::MAX), None);
    }

    #[test]
    fn no_two_ends_share_their_words() {
        let words: HashSet<_> = EndedBy::ALL.iter().map(|e| e.words()).collect();
        assert_eq!(words.len(), EndedBy::ALL.len());
    }
}
