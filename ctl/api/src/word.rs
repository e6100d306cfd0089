//! The words of the API: every choice, spelled in kebab-case.

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $type {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $type {
            /// Every word, in the order declared.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word, as it stands in JSON.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words!(
    /// Which sessions come first.
    SessionOrder {
        /// The oldest.
        Age = "age",
        /// The one without a byte for longest.
        Idle = "idle",
        /// The one with the most bytes, both ways together.
        Bytes = "bytes",
        /// By the client's address and port.
        Client = "client",
        /// By backend and server.
        Server = "server",
    }
);

impl std::str::FromStr for SessionOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = || Self::ALL.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|word| word.as_str() == text);
        found.copied().ok_or_else(|| format!("use one of {}", words()))
    }
}

words!(
    /// What this balancer would have made of something that happened to others.
    Comparison {
        /// It would have served clients sooner, or longer.
        Better = "better",
        /// It would have made no difference.
        Same = "same",
        /// It would have served clients later.
        Worse = "worse",
        /// It depends on what cannot be seen from here.
        Unclear = "unclear",
    }
);

words!(
    /// Which process answered.
    Answerer {
        /// The normal case: the whole API is there.
        Proxy = "proxy",
        /// The proxy is dead: only `status` and `failover` are answered, to root.
        Supervisor = "supervisor",
    }
);

words!(
    /// State of a virtual router (RFC 9568 §6.3).
    Role {
        /// Not taking part: starting, no link, or observing only.
        Initialize = "initialize",
        /// Another node serves, or should.
        Backup = "backup",
        /// This node serves the VIP.
        Active = "active",
    }
);

words!(
    /// How well a node could serve a VIP; a better tier always takes it.
    Tier {
        /// Nothing, or nearly nothing, would be served.
        Unfit = "unfit",
        /// Serves, but with under half of the servers or little room left.
        Degraded = "degraded",
        /// Serves.
        Fit = "fit",
    }
);

words!(
    /// What the last probes say about a server.
    Health {
        /// Not enough answers yet.
        Unknown = "unknown",
        /// Passes its check.
        Healthy = "healthy",
        /// Fails its check.
        Unhealthy = "unhealthy",
    }
);

words!(
    /// What was seen of a server for a while, from the best to the worst.
    Seen {
        /// It passed its check, and took new connections.
        Healthy = "healthy",
        /// It passed its check, and an operator let it take no new connections.
        Drain = "drain",
        /// An operator had it out of service.
        Maint = "maint",
        /// Not enough answers yet.
        Unknown = "unknown",
        /// It failed its check.
        Unhealthy = "unhealthy",
    }
);

impl Seen {
    /// The worse of two.
    pub fn worse(self, other: Self) -> Self {
        if other as u8 > self as u8 { other } else { self }
    }
}

words!(
    /// What an operator has asked of a server or a node; kept apart from what is configured and from what is observed.
    AdminState {
        /// In service.
        Ready = "ready",
        /// Gets nothing new; what is open goes on to its end.
        Drain = "drain",
        /// Out of service: gets nothing new, what was open has been ended; a server is not probed.
        Maint = "maint",
    }
);

words!(
    /// Life of one of the three processes.
    ProcessState {
        /// Started, not ready yet.
        Starting = "starting",
        /// Ready and heard from.
        Running = "running",
        /// Ended; the supervisor waits before the next start.
        Restarting = "restarting",
        /// Ended, and nobody will start it.
        Dead = "dead",
    }
);

words!(
    /// Where a connection is in its life.
    SessionState {
        /// Accepted; the client's first bytes are awaited.
        Preface = "preface",
        /// A server is being connected to.
        Dialing = "dialing",
        /// Both directions flow.
        Relaying = "relaying",
        /// One side has closed, the other still sends.
        HalfClosed = "half-closed",
    }
);

words!(
    /// What a new connection would find in a server.
    Prospect {
        /// It gets it, or it is one of equals that get it in turn.
        Next = "next",
        /// It may get it: by weight, by chance or by the client's address.
        Candidate = "candidate",
        /// Only if all of those cannot be connected to.
        LastResort = "last-resort",
        /// It does not get it.
        Never = "never",
    }
);

words!(
    /// Which half of a VIP's move a node has measured.
    Half {
        /// The VIP came to it.
        Came = "came",
        /// The VIP left it.
        Left = "left",
    }
);

words!(
    /// How soon a person should look.
    Severity {
        /// Worth knowing tomorrow.
        Info = "info",
        /// Look today.
        Warning = "warning",
        /// Look now.
        Error = "error",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_the_same_in_json_and_on_a_terminal() {
        for state in SessionState::ALL {
            assert_eq!(serde_json::to_string(state).unwrap(), format!("\"{state}\""));
        }
    }

    #[test]
    fn tiers_are_declared_from_worst_to_best() {
        assert_eq!(Tier::ALL, [Tier::Unfit, Tier::Degraded, Tier::Fit]);
    }
}
