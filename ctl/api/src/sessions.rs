//! `GET /v1/sessions`: who is connected to what.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::ParseIntError;
use std::str::FromStr;

use fmc_config::model::name::{BackendName, FrontendName, NodeName, ServerName, VipName};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::query::{QueryError, QueryPairs, pairs};
use crate::word::{SessionOrder, SessionState};

/// Names one connection; unique while the proxy runs, never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// The connections that a query asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionList {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// How many the query matches.
    pub matching: u64,
    /// The first of them in the query's order, at most as many as its limit.
    pub sessions: Vec<Session>,
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// For `fmc-lbctl kill`.
    pub id: SessionId,
    /// Accepted at.
    pub since: Moment,
    /// Where it is in its life.
    pub state: SessionState,
    /// The client.
    pub client: SocketAddr,
    /// The trusted proxy that it came through and that named the client; `null`: the client itself.
    #[serde(default)]
    pub via: Option<SocketAddr>,
    /// The VIP it came to.
    pub vip: VipName,
    /// The service it came to.
    pub frontend: FrontendName,
    /// Port on the VIP.
    pub port: u16,
    /// Where it was sent.
    pub backend: BackendName,
    /// `null` until one has accepted.
    pub server: Option<ServerName>,
    /// `null` until one has accepted.
    pub server_address: Option<SocketAddr>,
    /// Bytes from client to server so far.
    pub bytes_to_server: u64,
    /// Bytes from server to client so far.
    pub bytes_to_client: u64,
    /// Since the last byte in either direction.
    pub idle_ms: u64,
}

/// Which connections are asked for; every field narrows, none: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionQuery {
    /// On this VIP.
    pub vip: Option<VipName>,
    /// To this service.
    pub frontend: Option<FrontendName>,
    /// Sent to this backend.
    pub backend: Option<BackendName>,
    /// On this server, in whichever backend.
    pub server: Option<ServerName>,
    /// From this address or network, any port.
    pub client: Option<ClientFilter>,
    /// Open for at least so many milliseconds.
    pub older_than_ms: Option<u64>,
    /// Without a byte for at least so many milliseconds.
    pub idle_for_ms: Option<u64>,
    /// Which come first; `None`: the oldest.
    pub order: Option<SessionOrder>,
    /// The other way round.
    pub reverse: Option<bool>,
    /// At most so many rows; `None`: [`SessionQuery::DEFAULT_LIMIT`].
    pub limit: Option<usize>,
}

/// Clients by address or network: `10.8.0.7`, `10.8.0.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientFilter(IpNet);

impl ClientFilter {
    /// Whether a client of this address is one of them.
    pub fn keeps(&self, client: IpAddr) -> bool {
        self.0.contains(&client)
    }
}

impl FromStr for ClientFilter {
    type Err = ClientFilterError;

    fn from_str(text: &str) -> Result<Self, ClientFilterError> {
        let network: Option<IpNet> = text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network.filter(|network| network.trunc() == *network).map(Self).ok_or(ClientFilterError)
    }
}

impl fmt::Display for ClientFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Neither an address nor a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use an address, or a network without bits beyond its length: 10.8.0.0/24")]
pub struct ClientFilterError;

impl SessionQuery {
    const KEYS: &'static [&'static str] = &[
        "vip",
        "frontend",
        "backend",
        "server",
        "client",
        "older_than_ms",
        "idle_for_ms",
        "order",
        "reverse",
        "limit",
    ];

    /// Rows in an answer when the query names no limit.
    pub const DEFAULT_LIMIT: usize = 1000;

    /// From the part of a request target after `?`.
    ///
    /// # Errors
    /// An unknown key, a key given twice, or a value that is not of its kind.
    pub fn parse(query: &str) -> Result<Self, QueryError> {
        let mut this = Self::default();
        for pair in pairs(query) {
            let pair = pair?;
            match pair.key() {
                "vip" => pair.once(&mut this.vip)?,
                "frontend" => pair.once(&mut this.frontend)?,
                "backend" => pair.once(&mut this.backend)?,
                "server" => pair.once(&mut this.server)?,
                "client" => pair.once(&mut this.client)?,
                "older_than_ms" => pair.once(&mut this.older_than_ms)?,
                "idle_for_ms" => pair.once(&mut this.idle_for_ms)?,
                "order" => pair.once(&mut this.order)?,
                "reverse" => pair.once(&mut this.reverse)?,
                "limit" => pair.once(&mut this.limit)?,
                _ => return Err(pair.unknown(Self::KEYS)),
            }
        }
        Ok(this)
    }
}

impl fmt::Display for SessionQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vip, frontend, backend, server, client, older_than_ms, idle_for_ms, order, reverse, limit } = self;
        let mut pairs = QueryPairs::new(f);
        pairs.put("vip", vip)?;
        pairs.put("frontend", frontend)?;
        pairs.put("backend", backend)?;
        pairs.put("server", server)?;
        pairs.put("client", client)?;
        pairs.put("older_than_ms", older_than_ms)?;
        pairs.put("idle_for_ms", idle_for_ms)?;
        pairs.put("order", order)?;
        pairs.put("reverse", reverse)?;
        pairs.put("limit", limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_comes_back_as_it_was_asked() {
        let query = SessionQuery {
            backend: "masters".parse().ok(),
            client: "10.17.4.27".parse().ok(),
            idle_for_ms: Some(500),
            order: Some(SessionOrder::Bytes),
            reverse: Some(true),
            limit: Some(3),
            ..Default::default()
        };
        assert_eq!(
            query.to_string(),
            "backend=masters&client=10.17.4.27/32&idle_for_ms=500&order=bytes&reverse=true&limit=3"
        );
        assert_eq!(SessionQuery::parse(&query.to_string()), Ok(query));
        assert_eq!(SessionQuery::parse(""), Ok(SessionQuery::default()));
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_ones_that_exist() {
        let error = SessionQuery::parse("backends=masters").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the query has no key backends; use one of vip, frontend, backend, server, client, older_than_ms, idle_for_ms, order, reverse, limit"
        );
    }

    #[test]
    fn a_key_is_given_once_and_with_a_value_of_its_kind() {
        assert_eq!(SessionQuery::parse("limit=1&limit=2"), Err(QueryError::Twice("limit".into())));
        assert!(matches!(SessionQuery::parse("client=web1"), Err(QueryError::Value { .. })));
        assert!(
            matches!(SessionQuery::parse("client=10.8.0.7/24"), Err(QueryError::Value { .. })),
            "bits beyond the length"
        );
        let error = SessionQuery::parse("order=size").unwrap_err().to_string();
        assert_eq!(error, "\"size\" cannot be order: use one of age, idle, bytes, client, server");
        assert_eq!(SessionQuery::parse("limit"), Err(QueryError::NoValue("limit".into())));
    }
}
