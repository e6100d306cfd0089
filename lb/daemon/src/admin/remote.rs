//! Administration over the network: the admin API over TLS, with commands of those who show who they are.
//!
//! Whoever `allow` lets in may look, as on the status page. A command needs a token of `token_file`, where there is one, and always the
//! certificate that `client_ca_file` asks for. What is the node's own stays there: its configuration, and the pair's records.

mod credentials;
mod gate;
mod tokens;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use fmc_api::{Refusal, RefusalKind, path};
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, ORIGIN};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::status_address::may_read;
use super::{Caller, pause};
use crate::proxy::appliance::Shared;
pub(crate) use credentials::Credentials;
use gate::Gate;

/// Connections at once, those in their handshake too; further ones are closed at once.
const MOST_CONNECTIONS: usize = 64;

/// And of one address: a page has one or two.
const MOST_OF_A_SOURCE: usize = 16;

/// A client that has not finished its handshake by then is let go.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);

/// Counts, by `reason`, who was not let in or not obeyed.
pub(crate) const REFUSED: &str = "fmc_admin_remote_refused_total";

/// Who is at the other end of a connection.
#[derive(Debug)]
pub(crate) struct Visitor {
    from: SocketAddr,
    /// SHA-256 of the certificate that was shown and accepted.
    certificate: Option<String>,
    credentials: Rc<Credentials>,
    gate: Rc<RefCell<Gate>>,
}

impl Visitor {
    /// Under which name a command is done.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) fn may_command(&self, command: &str, headers: &HeaderMap) -> Result<String, Refusal> {
        if is_the_nodes_own(command) {
            let error = format!("{command} is taken on the node alone");
            return Err(Refusal::new(RefusalKind::NotPermitted, error, "use fmc-lbctl on the node, as root"));
        }
        if !is_same_origin(headers) {
            return Err(refused("origin", "this command comes from a page of another site", "use the node's own page"));
        }
        let token = self.credentials.has_tokens().then(|| self.token_of(headers)).transpose()?;
        let names = [token, self.certificate.as_ref().map(|shown| format!("certificate {shown}"))];
        let names: Vec<String> = names.into_iter().flatten().collect();
        Ok(format!("{} from {}", names.join(" with "), self.from.ip()))
    }

    /// The name that belongs to the token of the request.
    fn token_of(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let (source, now) = (self.from.ip(), Instant::now());
        if !self.gate.borrow_mut().is_open(source, now) {
            return Err(refused("locked", "too many wrong tokens came from this address", "wait a minute"));
        }
        let Some(bearer) = headers.get(AUTHORIZATION) else {
            return Err(refused("token", "a command needs a token", "send it as Authorization: Bearer TOKEN"));
        };
        let token = bearer.as_bytes().strip_prefix(b"Bearer ").unwrap_or_default();
        if let Some(name) = self.credentials.name_of(token) {
            self.gate.borrow_mut().right(source);
            return Ok(name);
        }
        if self.gate.borrow_mut().wrong(source, now) {
            tracing::warn!(%source, "remote administration: wrong tokens, the address is shut out for a minute");
        }
        Err(refused(
            "token",
            "this token is not known",
            "see token_file of [admin.remote]; after a change: fmc-lbctl reload",
        ))
    }
}

fn refused(reason: &'static str, error: &str, fix: &str) -> Refusal {
    count(reason);
    Refusal::new(RefusalKind::NotPermitted, error, fix)
}

fn count(reason: &'static str) {
    metrics::counter!(REFUSED, "reason" => reason).increment(1);
}

fn is_the_nodes_own(command: &str) -> bool {
    [path::CONFIGURE, path::CONFIRM, path::ROLLBACK].contains(&command)
}

/// No browser sends a token by itself, so no foreign page can command; one that tries is told apart all the same. Tools send no origin.
fn is_same_origin(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let host = headers.get(HOST).map(|host| host.as_bytes()).unwrap_or_default();
    origin.as_bytes().strip_prefix(b"https://") == Some(host)
}

/// Serves one address for ever; connections that come from now on are met with the newest credentials.
pub(super) async fn serve(listener: TcpListener, newest: watch::Receiver<Option<Rc<Credentials>>>, shared: Shared) {
    let (gate, mut places) = (Rc::default(), Places::default());
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                pause("remote administration's address", &error).await;
                continue;
            }
        };
        let Some(credentials) = newest.borrow().clone() else { continue };
        let is_allowed = shared.borrow().config.admin.remote.as_ref().is_some_and(|r| may_read(from.ip(), &r.allow));
        let place = is_allowed.then(|| places.take(from.ip())).flatten();
        let Some(place) = place else {
            count("source");
            continue;
        };
        let visitor = Visitor { from, certificate: None, credentials, gate: Rc::clone(&gate) };
        let shared = shared.clone();
        tokio::task::spawn_local(async move {
            serve_one(stream, visitor, &shared).await;
            drop(place);
        });
    }
}

async fn serve_one(stream: TcpStream, visitor: Visitor, shared: &Shared) {
    let acceptor = TlsAcceptor::from(visitor.credentials.tls());
    let Ok(Ok(stream)) = timeout(HANDSHAKE_WITHIN, acceptor.accept(stream)).await else {
        count("handshake");
        return;
    };
    // The handshake has verified it against `client_ca_file`.
    let certificate =
        stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).map(credentials::fingerprint);
    let visitor = Visitor { certificate, ..visitor };
    super::serve_connection(stream, Caller::Remote(Rc::new(visitor)), shared).await;
}

/// Connections that are open, by source; a place is held until dropped.
#[derive(Debug, Default)]
struct Places {
    of: HashMap<IpAddr, Rc<()>>,
}

impl Places {
    /// `None`: there are as many as may be.
    fn take(&mut self, source: IpAddr) -> Option<Rc<()>> {
        self.of.retain(|_, open| Rc::strong_count(open) > 1);
        let all: usize = self.of.values().map(|open| Rc::strong_count(open) - 1).sum();
        let own = self.of.entry(source).or_default();
        (all < MOST_CONNECTIONS && Rc::strong_count(own) <= MOST_OF_A_SOURCE).then(|| Rc::clone(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_no_more_than_its_share_and_gives_it_back() {
        let (mut places, [one, other]) = (Places::default(), ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap()));
        let mut held: Vec<_> = std::iter::repeat_with(|| places.take(one)).map_while(|place| place).collect();
        assert_eq!(held.len(), MOST_OF_A_SOURCE);
        assert!(places.take(other).is_some(), "others have theirs");
        held.pop();
        assert!(places.take(one).is_some());
    }

    #[test]
    fn all_together_have_a_bound_too() {
        let mut places = Places::default();
        let sources = (0..8u8).map(|last| IpAddr::from([192, 0, 2, last]));
        let held: Vec<_> =
            sources.flat_map(|ip| (0..MOST_OF_A_SOURCE).map(move |_| ip)).filter_map(|ip| places.take(ip)).collect();
        assert_eq!(held.len(), MOST_CONNECTIONS);
    }

    #[test]
    fn a_page_of_another_site_is_told_apart() {
        let headers = |origin: &'static str| {
            HeaderMap::from_iter([(HOST, "lb1:9110".parse().unwrap()), (ORIGIN, origin.parse().unwrap())])
        };
        assert!(is_same_origin(&HeaderMap::new()), "a tool");
        assert!(is_same_origin(&headers("https://lb1:9110")));
        for foreign in ["http://lb1:9110", "https://lb1", "https://evil.example", "null"] {
            assert!(!is_same_origin(&headers(foreign)), "{foreign}");
        }
    }
}
