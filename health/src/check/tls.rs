//! A completed TLS handshake, closed properly: a Go server then logs no `TLS handshake error ... EOF`.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use fmc_config::model::health_check::{ClientCertificate, TlsProbe};
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, InvalidMessage};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::attempt::{Answer, Attempt, Open};
use super::error::{Awaited, ProbeError};
use super::tcp;
use super::trust;

/// No application protocol is offered: the check speaks none.
pub(super) const NO_ALPN: &[&[u8]] = &[];

/// HTTP/1.1, and not what else the server might prefer.
pub(super) const HTTP_1_1: &[&[u8]] = &[b"http/1.1"];

/// TLS to one server. Its configuration is built at the first probe and kept; when that fails, the next probe tries again.
/// With a client certificate it is built for each probe, so that a rotated one needs no restart.
#[derive(Debug)]
pub(super) struct Tls {
    ca_file: Option<PathBuf>,
    client_certificate: Option<ClientCertificate>,
    server_name: Result<ServerName<'static>, String>,
    alpn: &'static [&'static [u8]],
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub(super) fn new(probe: &TlsProbe, address: IpAddr, alpn: &'static [&'static [u8]]) -> Self {
        let TlsProbe { server_name, ca_file, client_certificate } = probe;
        let server_name = match server_name {
            Some(name) => ServerName::try_from(name.clone()).map_err(|_| name.clone()),
            // RFC 6066 §3 allows no literal address as SNI: rustls sends none and verifies the address.
            None => Ok(ServerName::IpAddress(address.into())),
        };
        let (ca_file, client_certificate) = (ca_file.clone(), client_certificate.clone());
        Self { ca_file, client_certificate, server_name, alpn, config: OnceCell::new() }
    }

    /// Whether a completed handshake proves who answered.
    pub(super) fn verifies(&self) -> bool {
        self.ca_file.is_some()
    }

    /// The `tls` check.
    pub(super) async fn ask(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        let stream = self.connect(address, attempt).await?;
        let answer = attempt.answer("TLS handshake completed".to_owned(), None);
        attempt.leave(Open::Tls(Box::new(stream)));
        Ok(answer)
    }

    /// A TLS handshake within the attempt's deadline. A connection whose handshake failed is left to the attempt, so that
    /// our alert is not overtaken by a reset.
    pub(super) async fn connect(
        &self,
        address: SocketAddr,
        attempt: &mut Attempt,
    ) -> Result<TlsStream<TcpStream>, ProbeError> {
        let config = self.config(attempt).await?;
        let name = self.server_name.clone().map_err(ProbeError::ServerName)?;
        let stream = tcp::connect(address, attempt).await?;
        let handshake = TlsConnector::from(config).connect(name, stream).into_fallible();
        let stream = attempt.within(Awaited::TlsHandshake, handshake).await?.map_err(|(error, stream)| {
            attempt.leave(Open::Tcp(stream));
            of_stream(&error, "the TLS handshake was complete")
        })?;
        attempt.step(|| self.describe(&stream));
        Ok(stream)
    }

    fn describe(&self, stream: &TlsStream<TcpStream>) -> String {
        let version = stream.get_ref().1.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
        let trust = match &self.ca_file {
            Some(path) => format!("certificate verified by {}", path.display()),
            None => "any certificate passes, for there is no ca_file".to_owned(),
        };
        let shown = if self.client_certificate.is_some() { ", ours was there to be asked for" } else { "" };
        format!("{} handshake completed: {trust}{shown}", version.replace("TLSv", "TLS ").replace('_', "."))
    }

    async fn config(&self, attempt: &Attempt) -> Result<Arc<ClientConfig>, ProbeError> {
        if let Some(ClientCertificate { cert_file, .. }) = &self.client_certificate {
            return attempt.within(Awaited::File(cert_file), self.build()).await?;
        }
        let built = self.config.get_or_try_init(|| self.build());
        let config = match &self.ca_file {
            Some(path) => attempt.within(Awaited::File(path), built).await??,
            None => built.await?,
        };
        Ok(config.clone())
    }

    /// Off the runtime's thread: a file system may block for as long as it likes.
    async fn build(&self) -> Result<Arc<ClientConfig>, ProbeError> {
        let (ca_file, client, alpn) = (self.ca_file.clone(), self.client_certificate.clone(), self.alpn);
        let building =
            tokio::task::spawn_blocking(move || trust::client_config(ca_file.as_deref(), client.as_ref(), alpn));
        let config = building.await.map_err(|_panicked| ProbeError::Defect)??;
        Ok(Arc::new(config))
    }
}

/// What an error of a stream means, in or after the handshake; `before` is what the server still owed.
pub(super) fn of_stream(error: &io::Error, before: &'static str) -> ProbeError {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return ProbeError::Tls(describe(tls));
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ProbeError::Reset("after it had accepted"),
        io::ErrorKind::UnexpectedEof => ProbeError::Tls(format!("connection closed by the server before {before}")),
        // The kernel's word, TLS or not: the way to the server, or this node.
        _ => match error.raw_os_error() {
            Some(errno) => ProbeError::of_connect(io::Error::from_raw_os_error(errno)),
            None => ProbeError::Tls(error.to_string()),
        },
    }
}

/// The usual errors in an operator's words; the rest in rustls's.
fn describe(error: &rustls::Error) -> String {
    use CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(fault) => match fault {
            Certificate::Expired | Certificate::ExpiredContext { .. } => "certificate has expired".to_owned(),
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                "certificate is not valid yet (is this node's clock right?)".to_owned()
            }
            // A bad signature: an authority of that name with another key, as after a cluster was built anew.
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                "certificate is not signed by an authority of ca_file".to_owned()
            }
            Certificate::NotValidForNameContext { expected, presented } => {
                format!("certificate is for {}, not for {}", presented.join(", "), expected.to_str())
            }
            fault => format!("certificate: {fault}"),
        },
        rustls::Error::AlertReceived(alert) => format!("refused by the server: alert {alert:?}"),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => "the server does not speak TLS".to_owned(),
        other => other.to_string(),
    }
}
