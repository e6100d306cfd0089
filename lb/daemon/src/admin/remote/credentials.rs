//! What remote administration is met with: its certificate, whose certificates it wants, and whose tokens it knows.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use fmc_config::model::service::Remote;
use ring::digest;
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};

use super::tokens::Tokens;
use crate::secret_file;

/// All that a connection is met with; read again at each reload.
#[derive(Debug)]
pub(crate) struct Credentials {
    tls: Arc<ServerConfig>,
    tokens: Option<Tokens>,
}

impl Credentials {
    /// Errors: which file, what is wrong with it, and what to do.
    pub(crate) fn read(remote: &Remote) -> Result<Self> {
        let tokens = remote.token_file.as_deref().map(Tokens::read).transpose()?;
        Ok(Self { tls: Arc::new(tls(remote)?), tokens })
    }

    pub(super) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    pub(super) fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    pub(super) fn name_of(&self, token: &[u8]) -> Option<String> {
        self.tokens.as_ref()?.name_of(token).map(str::to_owned)
    }
}

/// The first half of its SHA-256: enough to find it by `openssl x509 -fingerprint -sha256`.
pub(super) fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = digest::digest(&digest::SHA256, certificate);
    digest.as_ref()[..16].iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

/// TLS 1.3 alone: nothing that speaks to it is older. No early data, which could be sent twice.
fn tls(remote: &Remote) -> Result<ServerConfig> {
    let provider = Arc::new(provider::default_provider());
    let own = certificates("admin.remote.cert_file", &remote.cert_file)?;
    let key = key(&remote.key_file)?;
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(&[&TLS13])?;
    let builder = match &remote.client_ca_file {
        Some(file) => builder.with_client_cert_verifier(verifier(file, provider)?),
        None => builder.with_no_client_auth(),
    };
    let config = builder.with_single_cert(own, key);
    config.with_context(|| {
        let (cert, key) = (remote.cert_file.display(), remote.key_file.display());
        format!("admin.remote.cert_file {cert} and key_file {key} do not belong together")
    })
}

fn verifier(file: &Path, provider: Arc<CryptoProvider>) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let field = "admin.remote.client_ca_file";
    let mut roots = RootCertStore::empty();
    for authority in certificates(field, file)? {
        roots.add(authority).with_context(|| format!("{field} {} holds no authority", file.display()))?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.with_context(|| format!("{field} {}", file.display()))
}

fn certificates(field: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let pem = secret_file::read_up_to(field, file, LONGEST_PEM)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let found = found.map_err(|error| anyhow!("{field} {}: {error}: write it as PEM", file.display()))?;
    ensure!(!found.is_empty(), "{field} {} holds no certificate: write it as PEM", file.display());
    Ok(found)
}

fn key(file: &Path) -> Result<PrivateKeyDer<'static>> {
    let field = "admin.remote.key_file";
    let pem = secret_file::read_up_to(field, file, LONGEST_PEM)?;
    // What the parser says could hold a part of the key.
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|_| anyhow!("{field} {} holds no private key without a passphrase: write it as PEM", file.display()))
}

/// Some dozen certificates.
const LONGEST_PEM: u64 = 256 * 1024;
