//! Certificates: whether one is of the cluster's CA, and how long one is still good.

use std::io::{Error, Result};
use std::net::{IpAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fmc_provision::verify::{Lifetime, Seen};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Means;

/// Whom the cluster's kubeconfig trusts.
pub(crate) struct Authority(Arc<RootCertStore>);

impl Authority {
    /// From PEM.
    ///
    /// # Errors
    /// There is no certificate in it, or one that is none.
    pub(crate) fn from_pem(pem: &[u8]) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate?)?;
        }
        anyhow::ensure!(!roots.is_empty(), "there is no certificate in it");
        Ok(Self(Arc::new(roots)))
    }
}

/// Whether the certificate is good for the address, and the kubeconfig for it too.
pub(super) async fn trusted(at: SocketAddrV4, means: &Means) -> Seen {
    let Some(Authority(roots)) = &means.authority else { return Seen::Unasked("no CA".to_owned()) };
    if let Some(other) = means.api.as_ref().filter(|api| api.trim_end_matches('/') != format!("https://{at}")) {
        return Seen::Failed(format!("the kubeconfig names {other}, not https://{at}"));
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), Arc::clone(&provider)).build();
    let question = async { handshake(at, None, provider, verifier.map_err(Error::other)?).await };
    match super::within(means.patience, question).await {
        Ok(_) => Seen::Trusted,
        Err(why) => Seen::Failed(why),
    }
}

/// How long whatever is shown is good, whoever signed it.
pub(super) async fn lifetime(at: SocketAddrV4, name: Option<&str>, patience: Duration) -> Seen {
    let provider = Arc::new(ring::default_provider());
    let reader = Arc::new(Reader { provider: Arc::clone(&provider) });
    match super::within(patience, handshake(at, name, provider, reader)).await {
        Ok(stream) => shown(&stream),
        Err(why) => Seen::Failed(why),
    }
}

async fn handshake(
    at: SocketAddrV4,
    name: Option<&str>,
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<TlsStream<TcpStream>> {
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(Error::other)?;
    let config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let name = match name {
        Some(name) => ServerName::try_from(name.to_owned()).map_err(Error::other)?,
        None => ServerName::from(IpAddr::from(*at.ip())),
    };
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(at).await?).await
}

fn shown(stream: &TlsStream<TcpStream>) -> Seen {
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let Some(certificate) = certificates.first() else { return Seen::Failed("it shows no certificate".to_owned()) };
    match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, certificate)) => {
            let validity = certificate.validity();
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed();
            let between = |from: i64, to: i64| u64::try_from(to - from).ok().map(Duration::from_secs);
            let (from, until) = (validity.not_before.timestamp(), validity.not_after.timestamp());
            Seen::Lifetime(Lifetime { age: between(from, now), left: between(now, until) })
        }
        Err(error) => Seen::Failed(format!("it shows a certificate that cannot be read: {error}")),
    }
}

/// Takes every certificate, for its dates are all that is asked and no secret is told; that its key is the server's is still proven.
#[derive(Debug)]
struct Reader {
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Reader {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
