//! The way to a daemon over the network: TLS to `[admin.remote] listen`, with a token, a certificate, or both.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Where remote administration listens, as a person types it: `https://192.168.0.30:9110`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteAddress {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// The port of `[admin.remote]` when nobody says otherwise.
const PORT: u16 = 9110;

/// Not the address of a daemon.
#[derive(Debug, thiserror::Error)]
#[error("write it as https://HOST or https://HOST:PORT, for example https://192.168.0.30:9110")]
pub struct RemoteAddressError;

impl FromStr for RemoteAddress {
    type Err = RemoteAddressError;

    fn from_str(text: &str) -> Result<Self, RemoteAddressError> {
        let rest = text.strip_prefix("https://").ok_or(RemoteAddressError)?.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !rest.ends_with(']') => {
                (host, port.parse().map_err(|_| RemoteAddressError)?)
            }
            _ => (rest, PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| RemoteAddressError)?;
        Ok(Self { host, port, name })
    }
}

impl fmt::Display for RemoteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, .. } = self;
        if host.contains(':') { write!(f, "https://[{host}]:{port}") } else { write!(f, "https://{host}:{port}") }
    }
}

/// What somebody shows to a daemon, and asks of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identification {
    /// Whose certificate the daemon must show, PEM.
    pub ca_file: PathBuf,
    /// A token of its `token_file`, alone or behind a name, as there.
    pub token_file: Option<PathBuf>,
    /// A certificate of its `client_ca_file` and its private key, PEM.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// A file that does not serve.
#[derive(Debug, thiserror::Error)]
pub enum IdentificationError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", .file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It holds nothing of the kind that it should.
    #[error("{} holds no {what}", .file.display())]
    Empty {
        /// Which.
        file: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// TLS cannot use it.
    #[error("{} cannot be used: {source}", .file.display())]
    Unusable {
        /// Which.
        file: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
}

/// A daemon over the network.
#[derive(Clone)]
pub struct Remote {
    address: RemoteAddress,
    tls: Arc<ClientConfig>,
    token: Option<Arc<str>>,
}

impl Remote {
    /// Reads what is shown.
    ///
    /// # Errors
    /// A file cannot be read, or holds not what it should.
    pub fn new(address: RemoteAddress, shown: &Identification) -> Result<Self, IdentificationError> {
        let token = shown.token_file.as_deref().map(token).transpose()?;
        Ok(Self { address, tls: Arc::new(tls(shown)?), token })
    }

    /// Where it is.
    pub fn address(&self) -> &RemoteAddress {
        &self.address
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub(crate) async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect((self.address.host.as_str(), self.address.port)).await?;
        TlsConnector::from(Arc::clone(&self.tls)).connect(self.address.name.clone(), stream).await
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("address", &self.address).finish_non_exhaustive()
    }
}

fn read(file: &Path) -> Result<Vec<u8>, IdentificationError> {
    fs::read(file).map_err(|source| IdentificationError::Unreadable { file: file.to_owned(), source })
}

/// The last word of the first line that says something.
fn token(file: &Path) -> Result<Arc<str>, IdentificationError> {
    let text = String::from_utf8_lossy(&read(file)?).into_owned();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let word = line.and_then(|line| line.split_whitespace().last());
    word.map(Arc::from).ok_or_else(|| IdentificationError::Empty { file: file.to_owned(), what: "token" })
}

fn tls(shown: &Identification) -> Result<ClientConfig, IdentificationError> {
    let unusable = |file: &Path| {
        let file = file.to_owned();
        move |source| IdentificationError::Unusable { file, source }
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(&shown.ca_file)? {
        roots.add(authority).map_err(unusable(&shown.ca_file))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).map_err(unusable(&shown.ca_file))?;
    let builder = builder.with_root_certificates(roots);
    let Some((certificate, key)) = &shown.certificate else { return Ok(builder.with_no_client_auth()) };
    let own = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| IdentificationError::Empty { file: key.clone(), what: "private key without a passphrase" })?;
    builder.with_client_auth_cert(certificates(certificate)?, own).map_err(unusable(certificate))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, IdentificationError> {
    let empty = || IdentificationError::Empty { file: file.to_owned(), what: "certificate in PEM" };
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_a_person_types() {
        for (typed, means) in [
            ("https://192.168.0.30", "https://192.168.0.30:9110"),
            ("https://lb1.lab:443/", "https://lb1.lab:443"),
            ("https://[fd00::30]:9110", "https://[fd00::30]:9110"),
            ("https://[fd00::30]", "https://[fd00::30]:9110"),
        ] {
            assert_eq!(typed.parse::<RemoteAddress>().unwrap().to_string(), means);
        }
        for wrong in ["http://lb1", "lb1:9110", "https://", "https://lb1:port", "https://a b"] {
            assert!(wrong.parse::<RemoteAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_token_may_stand_behind_its_name_and_is_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        for text in ["# mine\nops 0123456789abcdef0123456789abcdef\n", "0123456789abcdef0123456789abcdef"] {
            fs::write(&file, text).unwrap();
            assert_eq!(&*token(&file).unwrap(), "0123456789abcdef0123456789abcdef");
        }
        fs::write(&file, "# nothing\n").unwrap();
        assert!(token(&file).unwrap_err().to_string().ends_with("holds no token"));
    }
}
