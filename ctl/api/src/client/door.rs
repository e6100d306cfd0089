//! How a daemon is reached: its unix socket, or TLS from elsewhere.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep};

use super::error::ClientError;
use crate::remote::Remote;

/// When a proxy dies, the supervisor takes the socket over: for this long an absent socket may be that moment.
const HANDOVER: Duration = Duration::from_millis(300);

/// Between two attempts in that moment.
const HANDOVER_RETRY: Duration = Duration::from_millis(20);

/// How the daemon is reached.
#[derive(Debug, Clone)]
pub(super) enum Door {
    Socket(PathBuf),
    Remote(Remote),
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Remote(remote) => remote.address().fmt(f),
        }
    }
}

/// A connection to the daemon.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Door {
    /// Connects.
    pub(super) async fn connect(&self) -> Result<Box<dyn Stream>, ClientError> {
        match self {
            Self::Socket(path) => Ok(Box::new(connect(path).await?)),
            Self::Remote(remote) => match remote.connect().await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(source) => Err(ClientError::Unreached { place: self.to_string(), source }),
            },
        }
    }
}

/// Connects; a socket that is absent or dead is tried again for as long as a handover may take.
async fn connect(socket: &Path) -> Result<UnixStream, ClientError> {
    let by = Instant::now() + HANDOVER;
    loop {
        let error = match UnixStream::connect(socket).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        let absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
        if !absent || Instant::now() >= by {
            return Err(not_connected(socket, error));
        }
        sleep(HANDOVER_RETRY).await;
    }
}

pub(super) fn not_connected(socket: &Path, source: io::Error) -> ClientError {
    let socket = socket.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning { socket },
        io::ErrorKind::PermissionDenied => ClientError::PermissionDenied { socket },
        _ => ClientError::Connect { socket, source },
    }
}
