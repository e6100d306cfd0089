//! One request over a connection of its own, as a client makes it, with its times.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::certificate::Authority;
use crate::namespace::Namespace;

/// A client's patience for one whole exchange: over the 3 s at which the kernel has sent two more SYNs.
const PATIENCE: Duration = Duration::from_secs(4);

/// What is asked, and where.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    tls: Option<Arc<rustls::ClientConfig>>,
    patience: Duration,
}

impl Target {
    /// Plain HTTP.
    ///
    /// # Panics
    /// When `address` is not `ADDRESS:PORT`.
    pub fn http(address: &str) -> Self {
        let address = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        Self { address, tls: None, patience: PATIENCE }
    }

    /// HTTP over TLS that trusts `authority` alone.
    pub fn https(address: &str, authority: &Authority) -> Self {
        Self { tls: Some(authority.client()), ..Self::http(address) }
    }

    /// The same, given up after `patience`.
    pub fn within(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        write!(f, "{scheme}://{}/", self.address)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One connection that a client made.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// When the client called connect.
    pub started: Instant,
    /// When the handshake was complete; `None`: it never was.
    pub connected: Option<Instant>,
    /// When it had the whole answer, or gave up.
    pub finished: Instant,
    /// Who served it, or what went wrong in words.
    pub outcome: Result<String, String>,
}

impl Attempt {
    /// How long the client waited.
    pub fn latency(&self) -> Duration {
        self.finished - self.started
    }
}

/// Makes one exchange from `machine`.
///
/// # Panics
/// When the kernel gives this process no sockets.
pub fn fetch(machine: &Namespace, target: &Target) -> Attempt {
    machine.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(attempt(target))
    })
}

/// Makes one exchange where the calling thread is.
pub(crate) async fn attempt(target: &Target) -> Attempt {
    let (started, mut connected) = (Instant::now(), None);
    let outcome = match tokio::time::timeout(target.patience, exchange(target, &mut connected)).await {
        Ok(Ok(server)) => Ok(server),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err(format!("no answer in {:?}", target.patience)),
    };
    Attempt { started, connected, finished: Instant::now(), outcome }
}

async fn exchange(target: &Target, connected: &mut Option<Instant>) -> std::io::Result<String> {
    let stream = TcpStream::connect(target.address).await?;
    *connected = Some(Instant::now());
    stream.set_nodelay(true)?;
    match &target.tls {
        None => ask(stream).await,
        Some(tls) => {
            let name = ServerName::IpAddress(target.address.ip().into());
            ask(TlsConnector::from(Arc::clone(tls)).connect(name, stream).await?).await
        }
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<String> {
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n").await?;
    stream.flush().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let named = answer.lines().find_map(|line| line.strip_prefix("X-Served-By: "));
    let complete = answer.contains("\r\n\r\n");
    named
        .filter(|_| complete)
        .map(str::to_owned)
        .ok_or_else(|| std::io::Error::other(format!("no answer but {answer:?}")))
}
