//! A client of the admin API over the unix socket: one call, one connection, one deadline.
//!
//! Runs on whichever tokio runtime polls it; it spawns nothing. Dropping a call's future closes its connection; the daemon
//! finishes a command that it has read whole.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fmc_config::model::name::{BackendName, VipName};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, Response, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout_at};

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
use crate::nodes::{NODES_HEADER, Nodes};
use crate::probe::{Probe, ProbeAnswer};
use crate::rebalance::{Rebalance, RebalanceAnswer};
use crate::refusal::{Refusal, RefusalKind};
use crate::sessions::{SessionList, SessionQuery};
use crate::status::{Status, VipList};
use crate::word::AdminState;
use crate::{API_VERSION, API_VERSION_HEADER, path};

/// How long a call may take when the caller does not say: a planned move waits for the other node for well under a second.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);

/// The deadline of [`Client::probe`]: a check may take a minute, and a moment more to close its connections.
const PROBE_DEADLINE: Duration = Duration::from_secs(70);

/// When a proxy dies, the supervisor takes the socket over: for this long an absent socket may be that moment.
const HANDOVER: Duration = Duration::from_millis(300);

/// Between two attempts in that moment.
const HANDOVER_RETRY: Duration = Duration::from_millis(20);

/// Calls one daemon.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    deadline: Duration,
    nodes: Nodes,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// No socket is there.
    #[error("nothing answers at {}: is fmc-lb running? see: systemctl status fmc-lb", .socket.display())]
    NotRunning {
        /// Where it was sought.
        socket: PathBuf,
    },
    /// The socket is there and we may not use it.
    #[error("permission denied at {}: run this as root (sudo); members of the group fmc-lb may look", .socket.display())]
    PermissionDenied {
        /// Where.
        socket: PathBuf,
    },
    /// The kernel said something else.
    #[error("cannot connect to {}: {source}", .socket.display())]
    Connect {
        /// Where.
        socket: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// Connected, and no whole answer in time.
    #[error("no answer from {} within {} ms: the daemon is stuck or overloaded; see: journalctl -u fmc-lb", .socket.display(), .deadline.as_millis())]
    Deadline {
        /// Where.
        socket: PathBuf,
        /// What was waited.
        deadline: Duration,
    },
    /// The connection ended inside the answer: a proxy that dies in the middle of a call.
    #[error("the connection to {} ended before the answer was whole: {source}", .socket.display())]
    Interrupted {
        /// Where.
        socket: PathBuf,
        /// What hyper saw.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The daemon speaks another version of the API.
    #[error(
        "this tool speaks version {ours} of the admin API and the daemon version {theirs}: install the same release of fmc-lb and fmc-lbctl"
    )]
    VersionSkew {
        /// [`API_VERSION`] here.
        ours: u32,
        /// What the daemon's header says.
        theirs: String,
    },
    /// Something answered, and it was not the admin API.
    #[error("the answer to {path} from {} is not one of fmc-lb: {what}", .socket.display())]
    Foreign {
        /// Where.
        socket: PathBuf,
        /// What was asked.
        path: String,
        /// What is wrong with it.
        what: String,
    },
    /// The daemon refuses, and says why.
    #[error("{0}")]
    Refused(Refusal),
}

impl ClientError {
    /// Is this the daemon's considered "no", rather than a failure?
    pub fn is_no(&self) -> bool {
        matches!(self, Self::Refused(Refusal { kind: RefusalKind::No, .. }))
    }
}

impl Client {
    /// A client of the daemon behind `socket`.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self { socket: socket.into(), deadline: DEFAULT_DEADLINE, nodes: Nodes::All }
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

    /// Where it connects.
    pub fn socket(&self) -> &Path {
        &self.socket
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
        let by = Instant::now() + self.deadline;
        let stream = self.connect().await?;
        let request = self.request(method, target, body)?;
        let late = |_| ClientError::Deadline { socket: self.socket.clone(), deadline: self.deadline };
        let (head, body) = timeout_at(by, exchange(stream, request))
            .await
            .map_err(late)?
            .map_err(|source| self.interrupted(source))?;
        self.read(target, head, &body)
    }

    /// Connects; a socket that is absent or dead is tried again for as long as a handover may take.
    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let by = Instant::now() + HANDOVER;
        loop {
            let error = match UnixStream::connect(&self.socket).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused);
            if !absent || Instant::now() >= by {
                return Err(self.not_connected(error));
            }
            sleep(HANDOVER_RETRY).await;
        }
    }

    fn not_connected(&self, source: io::Error) -> ClientError {
        let socket = self.socket.clone();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::NotRunning { socket },
            io::ErrorKind::PermissionDenied => ClientError::PermissionDenied { socket },
            _ => ClientError::Connect { socket, source },
        }
    }

    fn request(&self, method: Method, target: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ClientError> {
        Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, "fmc-lb")
            .header(header::CONTENT_TYPE, "application/json")
            .header(API_VERSION_HEADER, API_VERSION)
            .header(NODES_HEADER, self.nodes.to_string())
            .body(Full::new(body))
            .map_err(|error| self.foreign(target, error))
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
        ClientError::Interrupted { socket: self.socket.clone(), source }
    }

    fn foreign(&self, path: &str, what: impl ToString) -> ClientError {
        ClientError::Foreign { socket: self.socket.clone(), path: path.to_owned(), what: what.to_string() }
    }
}

#[cfg(test)]
mod tests;
