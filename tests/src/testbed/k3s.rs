//! A K3s API server as a client without credentials meets it: TLS, `/ping` open, all else 401.

use std::io::{Error, Result};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::event;
use super::http::{Request, read_request, respond};

/// The token that opens `/readyz`.
const TOKEN: &str = "fmc-test-token";

/// TLS with the certificate and key of these files.
pub(super) fn acceptor(certificate: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let chain = CertificateDer::from_pem_file(certificate).context("the certificate")?;
    let key = PrivateKeyDer::from_pem_file(key).context("the key")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(vec![chain], key)?)))
}

/// Serves one connection; what a Go server would write to its log as an error goes to ours in the same words.
pub(super) async fn serve(stream: TcpStream, from: SocketAddr, name: &str, tls: &TlsAcceptor) -> Result<()> {
    let mut stream = tls.accept(stream).await.map_err(|error| handshake_error(from, &error))?;
    loop {
        match read_request(&mut stream).await {
            Ok(Some(request)) => {
                let (status, body) = answer(&request);
                event(&format!("request {} {status}", request.path));
                respond(&mut stream, name, status, body).await?;
                if request.closes {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => return Err(Error::other(format!("closed without close_notify: {error}"))),
        }
    }
    stream.shutdown().await
}

fn handshake_error(from: SocketAddr, error: &Error) -> Error {
    Error::other(format!("http: TLS handshake error from {from}: {error}"))
}

fn answer(request: &Request) -> (&'static str, &'static str) {
    match (request.path.as_str(), request.token.as_deref()) {
        ("/ping", _) => ("200 OK", "pong"),
        ("/readyz" | "/livez" | "/healthz", Some(TOKEN)) => ("200 OK", "ok"),
        _ => ("401 Unauthorized", "{\"kind\":\"Status\",\"status\":\"Failure\",\"code\":401}"),
    }
}
