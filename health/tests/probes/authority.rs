//! Certificates of test servers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fmc_config::model::health_check::ClientCertificate;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};
use tempfile::TempDir;

/// An authority with its certificate in a file, as an operator would name it.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, dir }
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Writes a file beside the authority's.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A server that is what it claims to be: 127.0.0.1.
    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        self.server_named("127.0.0.1")
    }

    pub(crate) fn server_named(&self, name: &str) -> Arc<ServerConfig> {
        server_config(Arc::new(SingleCertAndKey::from(self.named(name))))
    }

    /// A server whose certificate ended with 2020.
    pub(crate) fn expired_server(&self) -> Arc<ServerConfig> {
        server_config(Arc::new(SingleCertAndKey::from(self.expired())))
    }

    /// A server whose certificate will have expired once the test says so. It remembers sessions all the while.
    pub(crate) fn aging_server(&self) -> (Arc<ServerConfig>, Arc<Aging>) {
        let (young, old) = (self.named("127.0.0.1").into(), self.expired().into());
        let certificates = Arc::new(Aging { young, old, aged: AtomicBool::new(false) });
        (server_config(certificates.clone()), certificates)
    }

    /// A server that asks for a certificate of this authority, and refuses a client that shows another or, when `required`,
    /// none.
    pub(crate) fn asking_server(&self, required: bool) -> Arc<ServerConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), ring::default_provider().into());
        let verifier = if required { verifier } else { verifier.allow_unauthenticated() };
        let certificates = Arc::new(SingleCertAndKey::from(self.named("127.0.0.1")));
        let mut config =
            builder().with_client_cert_verifier(verifier.build().unwrap()).with_cert_resolver(certificates);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }

    /// Files of a client's certificate and key.
    pub(crate) fn client(&self) -> ClientCertificate {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["balancer".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        ClientCertificate {
            cert_file: self.file("client.crt", &certificate.pem()),
            key_file: self.file("client.key", &key.serialize_pem()),
        }
    }

    fn named(&self, name: &str) -> CertifiedKey {
        self.sign(CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    fn expired(&self) -> CertifiedKey {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 12, 31);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> CertifiedKey {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        CertifiedKey::from_der(vec![certificate.der().clone()], key, &ring::default_provider()).unwrap()
    }
}

/// Shows one certificate until it is told that the other's time has come.
#[derive(Debug)]
pub(crate) struct Aging {
    young: Arc<CertifiedKey>,
    old: Arc<CertifiedKey>,
    pub(crate) aged: AtomicBool,
}

impl ResolvesServerCert for Aging {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = if self.aged.load(Ordering::Relaxed) { &self.old } else { &self.young };
        Some(shown.clone())
    }
}

fn builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    builder.with_safe_default_protocol_versions().unwrap()
}

fn server_config(certificates: Arc<dyn ResolvesServerCert>) -> Arc<ServerConfig> {
    let mut config = builder().with_no_client_auth().with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}
