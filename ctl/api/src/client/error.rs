//! Why a call has no answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::refusal::{Refusal, RefusalKind};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No socket is there.
    #[error("nothing answers at {}: is fmc-lb running? see: systemctl status fmc-lb", .socket.display())]
    NotRunning {
        /// Where it was sought.
        socket: PathBuf,
    },
    /// The socket is there and we may not use it.
    #[error("permission denied at {}: run this as root (sudo); members of the group fmc-lb may look", .socket.display())]
    PermissionDenied {
        /// Where.
        socket: PathBuf,
    },
    /// The kernel said something else.
    #[error("cannot connect to {}: {source}", .socket.display())]
    Connect {
        /// Where.
        socket: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Nobody is there, or it is not the daemon that the authority vouches for, or it does not let us in.
    #[error("cannot reach {place}: {source}; see [admin.remote] of its configuration, and --ca")]
    Unreached {
        /// Where.
        place: String,
        /// What the kernel or TLS said.
        source: io::Error,
    },
    /// Connected, and no whole answer in time.
    #[error("no answer from {place} within {} ms: the daemon is stuck or overloaded; see: journalctl -u fmc-lb", .deadline.as_millis())]
    Deadline {
        /// Where.
        place: String,
        /// What was waited.
        deadline: Duration,
    },
    /// The connection ended inside the answer: a proxy that dies in the middle of a call.
    #[error("the connection to {place} ended before the answer was whole: {source}")]
    Interrupted {
        /// Where.
        place: String,
        /// What hyper saw.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The daemon speaks another version of the API.
    #[error(
        "this tool speaks version {ours} of the admin API and the daemon version {theirs}: install the same release of fmc-lb and fmc-lbctl"
    )]
    VersionSkew {
        /// [`API_VERSION`](crate::API_VERSION) here.
        ours: u32,
        /// What the daemon's header says.
        theirs: String,
    },
    /// Something answered, and it was not the admin API.
    #[error("the answer to {path} from {place} is not one of fmc-lb: {what}")]
    Foreign {
        /// Where.
        place: String,
        /// What was asked.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The daemon refuses, and says why.
    #[error("{0}")]
    Refused(Refusal),
}

impl ClientError {
    /// Is this the daemon's considered "no", rather than a failure?
    pub fn is_no(&self) -> bool {
        matches!(self, Self::Refused(Refusal { kind: RefusalKind::No, .. }))
    }
}
