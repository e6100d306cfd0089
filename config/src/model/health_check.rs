//! How a server is probed, and how many answers change the verdict.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use super::name::BackendName;

/// A probe and its rhythm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The backend whose servers are asked instead: each server here has the verdict of its namesake there, and everything
    /// below is that backend's. Never one that tracks another.
    pub track: Option<BackendName>,
    /// What is asked.
    pub probe: Probe,
    /// The port to ask; `None`: every port that clients are sent to, all of which must pass.
    pub port: Option<NonZeroU16>,
    /// Between probes of a settled server.
    pub interval: Duration,
    /// Between probes while the verdict is changing or unknown.
    pub fast_interval: Duration,
    /// A probe without an answer by then has failed.
    pub timeout: Duration,
    /// Passes in a row that make a server healthy.
    pub rise: u8,
    /// Failures in a row that make it unhealthy.
    pub fall: u8,
}

impl HealthCheck {
    /// The longest a dead server is believed alive: one interval, then `fall` probes that all time out. Intervals are
    /// taken a tenth longer, because that is how far probes are jittered.
    pub fn detection_time(&self) -> Duration {
        let fall = u32::from(self.fall);
        let waits = self.interval + self.fast_interval * fall.saturating_sub(1);
        waits * 11 / 10 + self.timeout * fall
    }
}

/// What is asked of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A completed TCP handshake, and no immediate reset.
    Tcp,
    /// A completed TLS handshake, closed properly.
    Tls(TlsProbe),
    /// One request in the clear, answered with an expected status.
    Http(HttpProbe),
    /// One request over TLS, answered with an expected status.
    Https(HttpsProbe),
    /// Some bytes in the clear, answered by bytes that hold some others.
    SendExpect(SendExpectProbe),
    /// A program of the operator's, which passes by ending with 0.
    Command(CommandProbe),
    /// The ladder for a K3s API server: credentialed `/readyz`, else `/ping`, else TLS and any HTTP status.
    K3sApi(K3sApiProbe),
}

/// How a TLS handshake is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsProbe {
    /// SNI, and the name verified; `None`: the server's address.
    pub server_name: Option<String>,
    /// PEM file of the authorities that must have signed the server's certificate; `None`: any certificate passes.
    pub ca_file: Option<PathBuf>,
    /// Shown to a server that asks who is there.
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate and its key, read again at each probe so that rotation needs no restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file: the certificate, then those that lead to an authority the server knows.
    pub cert_file: PathBuf,
    /// PEM file of the private key.
    pub key_file: PathBuf,
}

/// One HTTP request without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    /// The `Host` of the request; `None`: the server's address.
    pub host: Option<String>,
    /// Origin-form request target, for example `/ping`.
    pub path: String,
    /// Passing statuses, inclusive.
    pub expect: (u16, u16),
}

/// One HTTP request over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsProbe {
    /// The handshake below it.
    pub tls: TlsProbe,
    /// Origin-form request target, for example `/readyz`.
    pub path: String,
    /// Passing statuses, inclusive.
    pub expect: (u16, u16),
}

/// A question and its answer in any protocol without TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendExpectProbe {
    /// What is sent once connected; empty: the server speaks first.
    pub send: Vec<u8>,
    /// What the answer must hold somewhere; never empty.
    pub reply: Vec<u8>,
}

/// A program and its arguments, started without a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandProbe {
    /// The program, from the root.
    pub program: PathBuf,
    /// Its arguments, as they are.
    pub arguments: Vec<String>,
}

/// The K3s ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct K3sApiProbe {
    /// The handshake below it; a client certificate opens the first rung.
    pub tls: TlsProbe,
    /// Opens the first rung too: a bearer token, read again at each probe so that rotation needs no reload.
    pub token_file: Option<PathBuf>,
}
