//! Which certificates a probe accepts, those of the operator's authorities or any, and which one it shows.
//!
//! Accepting any certificate is fenced into this file. It is right for a check that only asks "does TLS work there",
//! which is what the default asks, and wrong for everything that sends a secret: no token travels over such a connection
//! (`k3s_api.rs`).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fmc_config::model::health_check::ClientCertificate;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// Bytes of a PEM file that are read; a bundle of every public authority has about 250 KiB.
const MAX_PEM: u64 = 1024 * 1024;

/// Why a file of certificates or keys cannot be used. All of these are the operator's to mend.
#[derive(Debug, thiserror::Error)]
pub(super) enum TrustError {
    #[error("{key} {}: {source}", path.display())]
    Unreadable { key: &'static str, path: PathBuf, source: io::Error },
    #[error("{key} {}: not PEM: {source}", path.display())]
    NotPem { key: &'static str, path: PathBuf, source: pem::Error },
    #[error("{key} {}: holds no certificate", path.display())]
    Empty { key: &'static str, path: PathBuf },
    #[error("client_key_file {}: holds no private key", path.display())]
    NoKey { path: PathBuf },
    #[error("client_cert_file {}: does not go with client_key_file: {source}", path.display())]
    Pair { path: PathBuf, source: rustls::Error },
    #[error("ca_file {}: a certificate cannot be used as an authority: {source}", path.display())]
    Authority { path: PathBuf, source: rustls::Error },
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The client side of a probe's TLS. Reads files, so it may block.
///
/// Sessions are resumed only where nothing is verified: a resumed handshake shows no certificate, and an expired one
/// would pass until the server forgets the session.
pub(super) fn client_config(
    ca_file: Option<&Path>,
    client: Option<&ClientCertificate>,
    alpn: &[&[u8]],
) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (verifier, resumption) = match ca_file {
        Some(path) => (authorities(path, provider.clone())?, Resumption::disabled()),
        None => (AnyCertificate::with(&provider), Resumption::in_memory_sessions(1)),
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Setup(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match client {
        Some(client) => show(client, builder)?,
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.resumption = resumption;
    Ok(config)
}

type Builder = ConfigBuilder<ClientConfig, WantsClientCert>;

/// A certificate and its key for servers that ask who is there.
fn show(client: &ClientCertificate, builder: Builder) -> Result<ClientConfig, TrustError> {
    let ClientCertificate { cert_file, key_file } = client;
    let chain = certificates("client_cert_file", cert_file)?;
    let pem = read("client_key_file", key_file)?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| match error {
        pem::Error::NoItemsFound => TrustError::NoKey { path: key_file.clone() },
        source => TrustError::NotPem { key: "client_key_file", path: key_file.clone(), source },
    })?;
    builder.with_client_auth_cert(chain, key).map_err(|source| TrustError::Pair { path: cert_file.clone(), source })
}

/// The certificates of a PEM file, at least one; `key` is what the configuration calls it.
fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TrustError> {
    let pem = read(key, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|source| TrustError::NotPem { key, path: path.to_owned(), source })?;
    if found.is_empty() {
        return Err(TrustError::Empty { key, path: path.to_owned() });
    }
    Ok(found)
}

/// A regular file of sensible size: reading a pipe might never end.
fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TrustError> {
    let unreadable = |source| TrustError::Unreadable { key, path: path.to_owned(), source };
    // Before it is opened: to open a pipe without a writer might never end either.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("not a regular file")));
    }
    let mut pem = Vec::new();
    File::open(path).and_then(|file| file.take(MAX_PEM + 1).read_to_end(&mut pem)).map_err(unreadable)?;
    match pem.len() as u64 {
        0..=MAX_PEM => Ok(pem),
        _ => Err(unreadable(io::Error::other(format!("over {} KiB", MAX_PEM / 1024)))),
    }
}

/// The standard verification against the certificates of a PEM file.
fn authorities(path: &Path, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, TrustError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca_file", path)? {
        roots.add(certificate).map_err(|source| TrustError::Authority { path: path.to_owned(), source })?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        read("ca_file", path).expect_err("not to be read").to_string()
    }

    #[test]
    fn a_pipe_is_refused_without_waiting_for_its_writer() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("ca.pem");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(refusal(&pipe).contains("not a regular file"), "{}", refusal(&pipe));
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let write =
            |file: &mut tempfile::NamedTempFile, bytes| io::Write::write_all(file, &vec![b'\n'; bytes]).unwrap();
        write(&mut file, MAX_PEM as usize);
        assert_eq!(read("ca_file", file.path()).unwrap().len() as u64, MAX_PEM);
        write(&mut file, 1);
        assert!(refusal(file.path()).contains("over 1024 KiB"), "{}", refusal(file.path()));
    }
}
