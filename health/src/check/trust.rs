//! Which certificates a probe accepts: those of the operator's authorities, or any.
//!
//! Accepting any certificate is fenced into this file. It is right for a check that only asks "does TLS work there",
//! which is what the default asks, and wrong for everything that sends a secret: no token travels over such a connection
//! (`k3s_api.rs`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Why `ca_file` cannot be used. All of these are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    #[error("ca_file {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("ca_file {}: not PEM: {source}", path.display())]
    NotPem { path: PathBuf, source: pem::Error },
    #[error("ca_file {}: holds no certificate", path.display())]
    Empty { path: PathBuf },
    #[error("ca_file {}: a certificate cannot be used as an authority: {source}", path.display())]
    Authority { path: PathBuf, source: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The client side of a probe's TLS. Reads `ca_file`, so it may block.
///
/// Sessions are resumed only where nothing is verified: a resumed handshake shows no certificate, and an expired one
/// would pass until the server forgets the session.
pub(super) fn client_config(ca_file: Option<&Path>, alpn: &[&[u8]]) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (verifier, resumption) = match ca_file {
        Some(path) => (authorities(path, provider.clone())?, Resumption::disabled()),
        None => (AnyCertificate::with(&provider), Resumption::in_memory_sessions(1)),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.resumption = resumption;
    Ok(config)
}

/// The standard verification against the certificates of a PEM file.
fn authorities(path: &Path, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
    let owned = || path.to_owned();
    let pem = std::fs::read(path).map_err(|source| TrustError::Unreadable { path: owned(), source })?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|source| TrustError::NotPem { path: owned(), source })?;
        roots.add(certificate).map_err(|source| TrustError::Authority { path: owned(), source })?;
    }
    if roots.is_empty() {
        return Err(TrustError::Empty { path: owned() });
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(verifier.map_err(|error| TrustError::Setup(error.to_string()))?)
}

/// Accepts every certificate, expired, self-signed and foreign ones included: proves that TLS works, not who answers.
#[derive(Debug)]
struct AnyCertificate {
    schemes: Vec<SignatureScheme>,
}

impl AnyCertificate {
    fn with(provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
        Arc::new(Self { schemes: provider.signature_verification_algorithms.supported_schemes() })
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    /// Not checked: it would prove possession of a key that nobody vouches for, and refuse old X.509 v1 certificates.
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    /// Not checked, as above.
    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
