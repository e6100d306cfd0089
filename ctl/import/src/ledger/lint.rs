//! What is doubtful in the old files, whatever became of it here.

use std::fmt;

use serde::{Serialize, Serializer};

/// One doubtful thing: where, what follows from it, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lint {
    /// Which one.
    pub code: Code,
    /// `file:line`.
    pub place: String,
    /// What follows from it in the old pair.
    pub problem: String,
    /// What is done here, or what to do.
    pub advice: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The name of a lint.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// As the report and the documentation call it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

codes! {
    /// A failed check leaves the owner's priority at or above the other's.
    WeightCannotFailOver = "weight-cannot-fail-over",
    /// Two nodes with one priority: the higher address wins each election.
    EqualPriorities = "equal-priorities",
    /// Every further attempt goes to the same dead server.
    NoRedispatch = "no-redispatch",
    /// Silence cuts `kubectl exec`, `logs -f` and watches.
    ApiIdleTimeout = "api-idle-timeout",
    /// 51 is in every guide, and so in the neighbour's pair.
    CommonVirtualRouterId = "common-virtual-router-id",
    /// `auth_type PASS`: everyone on the network reads it.
    PasswordInClear = "password-in-clear",
    /// A hello of SSLv3 that no server of today answers well.
    SslHelloCheck = "ssl-hello-check",
    /// A check that a server passes which cannot serve.
    ShallowCheck = "shallow-check",
    /// A dead server stays in use for long.
    SlowDetection = "slow-detection",
    /// The virtual address is in no network of its node.
    VipOutsideSubnets = "vip-outside-subnets",
    /// The option says something about HTTP, and the proxy is `mode tcp`.
    NoEffectInTcp = "no-effect-in-tcp",
    /// Keepalived does not know the word, and ignores what follows too.
    UnknownKeepalivedWord = "unknown-keepalived-word",
    /// Port 80 or 443 leads to the servers of the API.
    WebBackendNotWorkers = "web-backend-not-workers",
    /// Round robin for connections that live for days.
    ApiRoundRobin = "api-round-robin",
    /// Both nodes say something else of the same virtual router.
    NodesDisagree = "nodes-disagree",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
