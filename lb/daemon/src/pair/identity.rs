//! Who is at the other end: TLS 1.3 with raw public keys (RFC 7250), one for each node and key of the pair.
//!
//! A node's key pair is derived from the pair's secret and the node's name (HKDF, RFC 5869). Whoever has the secret knows every
//! node's public key beforehand, so there are no certificates, no authorities and no dates; whoever has not can be no node. The
//! name in it keeps a node from being talked to by its own echo. The first secret is what a node shows, every one is accepted.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use fmc_config::model::name::NodeName;
use fmc_vrrp::driver::PairKeys;
use ring::hkdf;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring as provider, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};

/// Changes when what is said over the channel can no longer be understood by older nodes.
const SALT: &[u8] = b"fmc-lb pair channel 1";

/// An Ed25519 private key in PKCS #8 (RFC 8410 §7) up to its 32 octets.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// Both ends' part of the channel for one node.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    own: Arc<CertifiedKey>,
    others: Vec<Known>,
    provider: Arc<CryptoProvider>,
}

/// A public key that one of the other nodes may show.
#[derive(Debug, Clone)]
struct Known {
    node: NodeName,
    public: CertificateDer<'static>,
}

impl Identity {
    /// `None`: there is no secret, so nobody can be told from anybody.
    pub(crate) fn new(keys: &PairKeys, own: &NodeName, others: &[NodeName]) -> Result<Option<Self>> {
        let Some(first) = keys.iter().next() else { return Ok(None) };
        let mut known = Vec::new();
        for key in keys.iter() {
            for node in others {
                let public = derive(key, node)?.cert[0].clone();
                known.push(Known { node: node.clone(), public });
            }
        }
        Ok(Some(Self { own: derive(first, own)?, others: known, provider: Arc::new(provider::default_provider()) }))
    }

    /// For connections to `node`: nobody else may answer.
    pub(crate) fn client(&self, node: &NodeName) -> Result<ClientConfig> {
        let accepted = self.others.iter().filter(|known| known.node == *node).cloned().collect();
        let mut config = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(self.verifier(accepted))
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(self.own.clone())));
        config.resumption = rustls::client::Resumption::disabled();
        config.enable_sni = false;
        Ok(config)
    }

    /// For connections from any other node.
    pub(crate) fn server(&self) -> Result<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(self.verifier(self.others.clone()))
            .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(self.own.clone())));
        config.send_tls13_tickets = 0;
        Ok(config)
    }

    /// Whose key it is that was shown.
    pub(crate) fn node_of(&self, shown: Option<&[CertificateDer<'_>]>) -> Option<NodeName> {
        let shown = shown?.first()?;
        self.others.iter().find(|known| known.public == *shown).map(|known| known.node.clone())
    }

    fn verifier(&self, accepted: Vec<Known>) -> Arc<OneOfUs> {
        Arc::new(OneOfUs { accepted, algorithms: self.provider.signature_verification_algorithms })
    }
}

/// The key pair of `node`, of which everybody with the secret knows the public half.
fn derive(key: &[u8], node: &NodeName) -> Result<Arc<CertifiedKey>> {
    let info = [node.as_str().as_bytes()];
    let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(key);
    let mut seed = [0; 32];
    let expanded = secret.expand(&info, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut seed));
    expanded.map_err(|_| anyhow!("no key can be derived"))?;
    let der = [&PKCS8_HEAD[..], &seed].concat();
    let signing =
        provider::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(der)).context("the pair's key is of no use")?;
    let public = signing.public_key().context("an Ed25519 key has a public half")?.to_vec();
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(public)], signing)))
}

/// Accepts the public keys that it knows, and nothing else.
#[derive(Debug)]
struct OneOfUs {
    accepted: Vec<Known>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl OneOfUs {
    fn knows(&self, shown: &CertificateDer<'_>) -> Result<(), Error> {
        match self.accepted.iter().any(|known| known.public == *shown) {
            true => Ok(()),
            false => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    fn check(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let public = SubjectPublicKeyInfoDer::from(shown.as_ref());
        verify_tls13_signature_with_raw_key(message, &public, signature, &self.algorithms)
    }
}

fn older_tls() -> Error {
    Error::General("the nodes speak TLS 1.3 with each other".to_owned())
}

impl ServerCertVerifier for OneOfUs {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.knows(shown).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(older_tls())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for OneOfUs {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.knows(shown).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(older_tls())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
