//! The certificate authority of the test masters.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::directory::Directory;
use crate::lab::Lab;

/// An authority made for one lab, as K3s makes one for each cluster.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// Files of a server's certificate and key.
#[derive(Debug)]
pub struct Certificate {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

impl Authority {
    /// Makes a new one.
    ///
    /// # Panics
    /// Never in practice: the parameters are constants.
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new([]).expect("no names to be wrong");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // OpenSSL takes a certificate for self-signed whose subject is its issuer, and every name is the same by default.
        parameters.distinguished_name.push(DnType::CommonName, "authority of a test");
        let key = KeyPair::generate().expect("a key");
        Self { issuer: CertifiedIssuer::self_signed(parameters, key).expect("a self-signed authority") }
    }

    /// Its certificate, PEM.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Signs a certificate for `names` (host names or addresses) and writes it to the lab's directory.
    ///
    /// # Panics
    /// When a name is not one, or the disk refuses.
    pub fn sign(&self, lab: &Lab, server: &str, names: &[String]) -> Certificate {
        self.sign_as(|name, text| lab.write(name, text), server, parameters(names))
    }

    /// The same, into a directory.
    pub(crate) fn sign_into(&self, directory: &Directory, server: &str, names: &[String]) -> Certificate {
        self.sign_as(|name, text| directory.write(name, text), server, parameters(names))
    }

    /// The same, of a year that is over.
    ///
    /// # Panics
    /// When a name is not one, or the disk refuses.
    pub fn sign_expired(&self, lab: &Lab, server: &str, names: &[String]) -> Certificate {
        let mut parameters = parameters(names);
        (parameters.not_before, parameters.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign_as(|name, text| lab.write(name, text), server, parameters)
    }

    fn sign_as(
        &self,
        write: impl Fn(&str, &str) -> PathBuf,
        server: &str,
        parameters: CertificateParams,
    ) -> Certificate {
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.issuer).expect("a signature");
        Certificate {
            certificate: write(&format!("{server}.crt"), &certificate.pem()),
            key: write(&format!("{server}.key"), &key.serialize_pem()),
        }
    }

    /// A client's TLS configuration that trusts this authority alone.
    ///
    /// # Panics
    /// Never in practice: the authority is our own.
    pub fn client(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        let authority = CertificateDer::from_pem_slice(self.pem().as_bytes()).expect("our own PEM");
        roots.add(authority).expect("our own authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().expect("versions of the provider");
        Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
    }
}

fn parameters(names: &[String]) -> CertificateParams {
    CertificateParams::new(names).expect("names of a certificate")
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}
