//! The ladder for a K3s API server.
//!
//! K3s answers 401 to `/readyz`, `/livez` and `/healthz` without credentials, so a plain check of them calls every healthy
//! master dead. Here each rung proves a little less than the one above:
//!
//! ```text
//!  token or certificate?  ──── GET /readyz with it ──┬─ 200 ─────────▶ pass  (the API server says it is ready)
//!          │ no                                      ├─ 5xx ─────────▶ FAIL  (it says it is not: no lower rung may overrule)
//!          │                                         └─ 401, 403, other: said in words, go on
//!          ▼                                                         ▼
//!         GET /ping ─────────────────────────────────┬─ 200 ─────────▶ pass  (K3s answers)
//!                                                    └─ any status ──▶ pass  (TLS and HTTP are alive)
//!  no TCP, no TLS or no HTTP on any rung ────────────────────────────▶ FAIL
//! ```
//!
//! Credentials are read at each probe, so that they can be rotated. The token is sent only where `ca_file` proves who
//! receives it. Credentials that cannot be read or are refused take nothing down: the lower rungs are asked without them.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use fmc_config::model::health_check::{K3sApiProbe, TlsProbe};

use super::attempt::{Answer, Attempt};
use super::error::{Awaited, ProbeError};
use super::http::{self, Bearer};
use super::tls::{self, Tls};
use crate::outcome::Rung;

/// A service account token is about 1 KiB; what is longer than this is another file.
const MAX_TOKEN: u64 = 16 * 1024;

/// Characters of the reason that are repeated from a body.
const MAX_REASON: usize = 120;

/// The `k3s-api` check of one server.
#[derive(Debug)]
pub(super) struct K3sApi {
    /// With the client certificate, if there is one.
    credentialed: Tls,
    /// Without.
    open: Tls,
    shows_certificate: bool,
    token_file: Option<PathBuf>,
    host: String,
}

/// Why a rung was left, in words; nothing when it was not to be tried.
type Descent = Option<String>;

impl K3sApi {
    pub(super) fn new(probe: &K3sApiProbe, address: IpAddr) -> Self {
        let K3sApiProbe { tls, token_file } = probe;
        let host = tls.server_name.clone().unwrap_or_else(|| http::host_of(address));
        let without = TlsProbe { client_certificate: None, ..tls.clone() };
        Self {
            credentialed: Tls::new(tls, address, tls::HTTP_1_1),
            open: Tls::new(&without, address, tls::HTTP_1_1),
            shows_certificate: tls.client_certificate.is_some(),
            token_file: token_file.clone(),
            host,
        }
    }

    pub(super) async fn ask(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        match self.readyz(address, attempt).await? {
            Ok(answer) => Ok(answer),
            Err(descent) => {
                attempt.step(|| {
                    descent.clone().unwrap_or_else(|| "no credentials for /readyz".to_owned()) + ": one rung down"
                });
                self.ping(address, descent, attempt).await
            }
        }
    }

    /// The first rung; the inner error is the way down.
    async fn readyz(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Result<Answer, Descent>, ProbeError> {
        const PATH: &str = "/readyz";
        let bearer = match self.bearer(attempt).await? {
            Ok(bearer) => Some(bearer),
            Err(_no_token) if self.shows_certificate => None,
            Err(descent) => return Ok(Err(descent)),
        };
        let reply = match http::get(&self.credentialed, address, PATH, &self.host, bearer, attempt).await {
            Err(error) if self.shows_certificate && error.may_be_the_credentials() => {
                return Ok(Err(Some(error.to_string())));
            }
            reply => reply?,
        };
        match reply.status {
            200 => Ok(Ok(attempt.answer(format!("HTTP 200 from {PATH}"), Some(Rung::Readyz)))),
            status @ 500..=599 => {
                let because = failed_checks(&reply.body);
                Err(ProbeError::Status { status, path: PATH.to_owned(), because, rung: Some(Rung::Readyz) })
            }
            status @ (401 | 403) => Ok(Err(Some(format!("{} refused: HTTP {status} from {PATH}", self.credentials())))),
            status => Ok(Err(Some(format!("HTTP {status} from {PATH}")))),
        }
    }

    /// The two lower rungs.
    async fn ping(&self, address: SocketAddr, descent: Descent, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        const PATH: &str = "/ping";
        let status = http::get(&self.open, address, PATH, &self.host, None, attempt).await?.status;
        let (words, rung) = match status {
            200 => (format!("HTTP 200 from {PATH}"), Rung::Ping),
            status => (format!("alive: HTTP {status} from {PATH}"), Rung::AnyStatus),
        };
        let detail = descent.map_or(words.clone(), |descent| format!("{words} ({descent})"));
        Ok(attempt.answer(detail, Some(rung)))
    }

    fn credentials(&self) -> &'static str {
        match (self.shows_certificate, &self.token_file) {
            (false, _) => "token",
            (true, None) => "client certificate",
            (true, Some(_)) => "client certificate and token",
        }
    }

    /// The outer error is this node's: a file that cannot be read in time says nothing about the server.
    async fn bearer(&self, attempt: &Attempt) -> Result<Result<Bearer, Descent>, ProbeError> {
        let Some(path) = self.token_file.clone() else { return Ok(Err(None)) };
        if !self.open.verifies() {
            let why = "token not sent: without ca_file nobody knows who would receive it";
            return Ok(Err(Some(why.to_owned())));
        }
        let opened = path.clone();
        let reading = tokio::task::spawn_blocking(move || token(&opened));
        let read = attempt.within(Awaited::File(&path), reading).await?;
        Ok(bearer_of(read.unwrap_or_else(|panicked| Err(io::Error::other(panicked))), &path))
    }
}

fn bearer_of(read: io::Result<String>, path: &Path) -> Result<Bearer, Descent> {
    let words = |error: io::Error| Some(format!("token_file {}: {error}", path.display()));
    let token = read.map_err(words)?;
    Bearer::new(&token).ok_or_else(|| words(io::Error::other("holds characters that no token has")))
}

/// The token in `path`, without the white space around it. Only a regular file: reading a pipe might never end.
fn token(path: &PathBuf) -> io::Result<String> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_TOKEN + 1).read_to_string(&mut text)?;
    match text.trim() {
        "" => Err(io::Error::other("empty")),
        _ if text.len() as u64 > MAX_TOKEN => Err(io::Error::other("too long for a token")),
        token => Ok(token.to_owned()),
    }
}

/// The checks that Kubernetes lists as failed in a `/readyz` body (`[-]etcd failed: reason withheld`). What a server says
/// ends up in logs and terminals: printable ASCII only, and little of it.
fn failed_checks(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let failed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("[-]")).collect();
    let words: String = failed.join(", ").chars().filter(|c| matches!(c, ' '..='~')).take(MAX_REASON).collect();
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_an_unready_server_is_its_failed_checks() {
        let body =
            b"[+]ping ok\n[-]etcd failed: reason withheld\n[+]log ok\n[-]informer-sync failed\nreadyz check failed\n";
        assert_eq!(failed_checks(body).as_deref(), Some("etcd failed: reason withheld, informer-sync failed"));
        assert_eq!(failed_checks(b"etcd failed"), None);
    }

    #[test]
    fn a_server_cannot_write_escapes_or_novels_into_our_log() {
        let hostile = [b"[-]\x1b[31m\x07red\n".as_slice(), b"[-]", &[b'a'; 500]].concat();
        let words = failed_checks(&hostile).unwrap();
        assert!(words.starts_with("[31mred, aaa"), "{words}");
        assert_eq!(words.len(), MAX_REASON);
    }

    #[test]
    fn a_token_is_trimmed_and_what_is_no_token_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        assert_eq!(token(&file("good", " abc.def\n")).unwrap(), "abc.def");
        assert_eq!(token(&file("empty", "\n")).unwrap_err().to_string(), "empty");
        assert_eq!(token(&file("long", &"x".repeat(20_000))).unwrap_err().to_string(), "too long for a token");
        assert_eq!(token(&dir.path().to_owned()).unwrap_err().to_string(), "not a regular file");
        assert_eq!(token(&dir.path().join("absent")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
