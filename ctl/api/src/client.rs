//! A client of the admin API over the unix socket, or over TLS from elsewhere: one call, one connection, one deadline.
//!
//! Runs on whichever tokio runtime polls it; it spawns nothing. Dropping a call's future closes its connection; the daemon
//! finishes a command that it has read whole.

mod door;
mod error;

use std::path::PathBuf;
use std::time::Duration;

use fmc_config::model::name::{BackendName, VipName};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, Response, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

use crate::backends::BackendList;
use crate::command::{
    Failover, FailoverAnswer, Kill, KillAnswer, Pin, PinAnswer, SetState, SetWeight, StateAnswer, Undo, UndoAnswer,
    WeightAnswer,
};
use crate::configure::{ConfigurationText, Configure, ConfigureAnswer, Confirm, ConfirmAnswer, Rollback};
use crate::events::{EventList, EventQuery};
use crate::exchange::{BoxedError, exchange};
use crate::explain::{BackendExplanation, VipExplanation};
use crate::failovers::FailoverList;
use crate::history::HistoryList;
use crate::nodes::{NODES_HEADER, Nodes};
use crate::observed::Observed;
use crate::probe::{Probe, ProbeAnswer};
use crate::rebalance::{Rebalance, RebalanceAnswer};
use crate::remote::Remote;
use crate::sessions::{SessionList, SessionQuery};
use crate::status::{Status, VipList};
use crate::word::AdminState;
use crate::{API_VERSION, API_VERSION_HEADER, path};

use door::Door;
pub use error::ClientError;

/// How long a call may take when the caller does not say: a planned move waits for the other node for well under a second.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// The deadline of [`Client::probe`]: a check may take a minute, and a moment more to close its connections.
const PROBE_DEADLINE: Duration = Duration::from_secs(70);

/// Calls one daemon.
#[derive(Debug, Clone)]
pub struct Client {
    door: Door,
    deadline: Duration,
    nodes: Nodes,
}

impl Client {
    /// A client of the daemon behind `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { door: Door::Socket(socket.into()), deadline: DEFAULT_DEADLINE, nodes: Nodes::All }
    }

    /// A client of a daemon elsewhere.
    pub fn remote(remote: Remote) -> Self {
        Self { door: Door::Remote(remote), deadline: DEFAULT_DEADLINE, nodes: Nodes::All }
    }

    /// The same with another deadline for each call.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// The same for these nodes.
    #[must_use]
    pub fn for_nodes(self, nodes: Nodes) -> Self {
        Self { nodes, ..self }
    }

    /// Which nodes its calls are for.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// Who owns what, since when, why. Answered by the supervisor when the proxy is dead.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get(path::STATUS).await
    }

    /// Every VIP.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn vips(&self) -> Result<VipList, ClientError> {
        self.get(path::VIPS).await
    }

    /// Every backend with its servers.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn backends(&self) -> Result<BackendList, ClientError> {
        self.get(path::BACKENDS).await
    }

    /// The connections that `query` asks for.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn sessions(&self, query: &SessionQuery) -> Result<SessionList, ClientError> {
        self.get(&format!("{}?{query}", path::SESSIONS)).await
    }

    /// What happened.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn events(&self, query: EventQuery) -> Result<EventList, ClientError> {
        self.get(&format!("{}?{query}", path::EVENTS)).await
    }

    /// The last minutes, for charts.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn history(&self) -> Result<HistoryList, ClientError> {
        self.get(path::HISTORY).await
    }

    /// What an observer saw.
    ///
    /// # Errors
    /// See [`ClientError`]; a node that takes part refuses.
    pub async fn observed(&self) -> Result<Observed, ClientError> {
        self.get(path::OBSERVED).await
    }

    /// Why a VIP is where it is.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn explain_vip(&self, vip: &VipName) -> Result<VipExplanation, ClientError> {
        self.get(&format!("{}{vip}", path::EXPLAIN_VIP)).await
    }

    /// Why a backend's clients go where they go.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn explain_backend(&self, backend: &BackendName) -> Result<BackendExplanation, ClientError> {
        self.get(&format!("{}{backend}", path::EXPLAIN_BACKEND)).await
    }

    /// What each move of a VIP measured of itself.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn failovers(&self) -> Result<FailoverList, ClientError> {
        self.get(path::FAILOVERS).await
    }

    /// Brings a target into `state`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_state(&self, state: AdminState, request: &SetState) -> Result<StateAnswer, ClientError> {
        let path = match state {
            AdminState::Ready => path::READY,
            AdminState::Drain => path::DRAIN,
            AdminState::Maint => path::MAINT,
        };
        self.post(path, request).await
    }

    /// Changes a server's share of new connections.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn set_weight(&self, request: &SetWeight) -> Result<WeightAnswer, ClientError> {
        self.post(path::WEIGHT, request).await
    }

    /// Takes back the last `drain`, `ready`, `maint` or `weight`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn undo(&self, request: Undo) -> Result<UndoAnswer, ClientError> {
        self.post(path::UNDO, &request).await
    }

    /// Keeps addresses from failing back for a while.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn pin(&self, request: Pin) -> Result<PinAnswer, ClientError> {
        self.post(path::PIN, &request).await
    }

    /// One health check now, step by step.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn probe(&self, request: &Probe) -> Result<ProbeAnswer, ClientError> {
        self.clone().with_deadline(PROBE_DEADLINE).post(path::PROBE, request).await
    }

    /// Ends one connection.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn kill(&self, request: Kill) -> Result<KillAnswer, ClientError> {
        self.post(path::KILL, &request).await
    }

    /// Moves VIPs to another node. Answered by the supervisor when the proxy is dead.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn failover(&self, request: &Failover) -> Result<FailoverAnswer, ClientError> {
        self.post(path::FAILOVER, request).await
    }

    /// Closes idle connections of servers with more than their share.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rebalance(&self, request: &Rebalance) -> Result<RebalanceAnswer, ClientError> {
        self.post(path::REBALANCE, request).await
    }

    /// Puts a configuration in force, or says what that would do.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn configure(&self, request: &Configure) -> Result<ConfigureAnswer, ClientError> {
        self.post(path::CONFIGURE, request).await
    }

    /// Ends a trial: what is in force stays.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn confirm(&self) -> Result<ConfirmAnswer, ClientError> {
        self.post(path::CONFIRM, &Confirm::default()).await
    }

    /// Ends a trial: what was in force before it comes back.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn rollback(&self) -> Result<ConfirmAnswer, ClientError> {
        self.post(path::ROLLBACK, &Rollback::default()).await
    }

    /// What is in force, as a text.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn configuration(&self) -> Result<ConfigurationText, ClientError> {
        self.get(path::CONFIGURATION).await
    }

    async fn get<T: DeserializeOwned>(&self, target: &str) -> Result<T, ClientError> {
        self.call(Method::GET, target, Bytes::new()).await
    }

    async fn post<T: DeserializeOwned>(&self, target: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| self.foreign(target, error))?;
        self.call(Method::POST, target, body.into()).await
    }

    async fn call<T: DeserializeOwned>(&self, method: Method, target: &str, body: Bytes) -> Result<T, ClientError> {
        let request = self.request(method, target, body)?;
        let by = Instant::now() + self.deadline;
        let late = |_| ClientError::Deadline { place: self.door.to_string(), deadline: self.deadline };
        let stream = timeout_at(by, self.door.connect()).await.map_err(late)??;
        let (head, body) = timeout_at(by, exchange(stream, request))
            .await
            .map_err(late)?
            .map_err(|source| self.interrupted(source))?;
        self.read(target, head, &body)
    }

    fn request(&self, method: Method, target: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, "fmc-lb")
            .header(header::CONTENT_TYPE, "application/json")
            .header(API_VERSION_HEADER, API_VERSION)
            .header(NODES_HEADER, self.nodes.to_string());
        if let Door::Remote(remote) = &self.door
            && let Some(token) = remote.token()
        {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Full::new(body)).map_err(|error| self.foreign(target, error))
    }

    fn read<T: DeserializeOwned>(&self, target: &str, head: Response<()>, body: &[u8]) -> Result<T, ClientError> {
        let theirs = head.headers().get(API_VERSION_HEADER).and_then(|value| value.to_str().ok());
        match theirs {
            None => return Err(self.foreign(target, format!("HTTP {} without a version", head.status()))),
            Some(theirs) if theirs != API_VERSION.to_string() => {
                return Err(ClientError::VersionSkew { ours: API_VERSION, theirs: theirs.to_owned() });
            }
            Some(_) => {}
        }
        if head.status().is_success() {
            return serde_json::from_slice(body).map_err(|error| self.foreign(target, error));
        }
        let refusal = serde_json::from_slice(body).map_err(|error| {
            self.foreign(target, format!("HTTP {} whose body is no refusal: {error}", head.status()))
        })?;
        Err(ClientError::Refused(refusal))
    }

    fn interrupted(&self, source: BoxedError) -> ClientError {
        ClientError::Interrupted { place: self.door.to_string(), source }
    }

    fn foreign(&self, path: &str, what: impl ToString) -> ClientError {
        ClientError::Foreign { place: self.door.to_string(), path: path.to_owned(), what: what.to_string() }
    }
}

#[cfg(test)]
mod tests;
