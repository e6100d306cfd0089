//! One request to another node over the pair's channel: one connection, one deadline.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use fmc_api::exchange::{BoxedError, exchange};
use fmc_api::{API_VERSION, API_VERSION_HEADER};
use fmc_config::model::name::NodeName;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request, Response, header};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::administrative::Order;

/// Header that carries the [`Order`] of a command that was asked on another node, as JSON.
pub(crate) const ORDER_HEADER: &str = "fmc-lb-order";

/// A node of the same site answers a SYN and a handshake well within this, or not at all.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// The way to one other node.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) node: NodeName,
    pub(crate) to: SocketAddr,
    /// Our own: the other node takes no connection from elsewhere.
    pub(crate) from: IpAddr,
    pub(crate) tls: Arc<ClientConfig>,
}

/// Why a node gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("cannot connect to {0}: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("{0} does not show that it has the pair's key: {1}")]
    Handshake(SocketAddr, io::Error),
    #[error("{0} ended the connection before its answer was whole: {1}")]
    Interrupted(SocketAddr, BoxedError),
    #[error("no answer from {0} within {within} ms", within = .1.as_millis())]
    Deadline(SocketAddr, Duration),
    #[error("{0} speaks version {1} of the API and this node {API_VERSION}")]
    VersionSkew(SocketAddr, String),
}

impl Line {
    /// Asks and waits for the whole answer.
    pub(crate) async fn get(&self, target: &str, within: Duration) -> Result<(Response<()>, Bytes), CallError> {
        self.call(Method::GET, target, Bytes::new(), None, within).await
    }

    /// Has a command done under the name of whoever gave the order.
    pub(crate) async fn post(
        &self,
        target: &str,
        body: Bytes,
        order: &Order,
        within: Duration,
    ) -> Result<(Response<()>, Bytes), CallError> {
        self.call(Method::POST, target, body, Some(order), within).await
    }

    /// The request of somebody else, passed on.
    pub(crate) async fn call(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
        order: Option<&Order>,
        within: Duration,
    ) -> Result<(Response<()>, Bytes), CallError> {
        let stream = timeout(CONNECT_WITHIN, self.connect()).await;
        let stream = stream.unwrap_or_else(|_| Err(CallError::Connect(self.to, io::ErrorKind::TimedOut.into())))?;
        let request = request(method, target, body, order).map_err(|error| CallError::Interrupted(self.to, error))?;
        let (head, body) = match timeout(within, exchange(stream, request)).await {
            Err(_) => return Err(CallError::Deadline(self.to, within)),
            Ok(outcome) => outcome.map_err(|error| CallError::Interrupted(self.to, error))?,
        };
        match head.headers().get(API_VERSION_HEADER).and_then(|version| version.to_str().ok()) {
            Some(version) if version == API_VERSION.to_string() => Ok((head, body)),
            version => Err(CallError::VersionSkew(self.to, version.unwrap_or("none").to_owned())),
        }
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, CallError> {
        let failed = |error| CallError::Connect(self.to, error);
        let socket = if self.to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(failed)?;
        socket.bind((self.from, 0).into()).map_err(failed)?;
        let stream = socket.connect(self.to).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let name = ServerName::from(self.to.ip());
        let handshake = TlsConnector::from(self.tls.clone()).connect(name, stream).await;
        handshake.map_err(|error| CallError::Handshake(self.to, error))
    }
}

fn request(
    method: Method,
    target: &str,
    body: Bytes,
    order: Option<&Order>,
) -> Result<Request<Full<Bytes>>, BoxedError> {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header(header::HOST, "fmc-lb")
        .header(header::CONTENT_TYPE, "application/json")
        .header(API_VERSION_HEADER, API_VERSION);
    if let Some(order) = order {
        request = request.header(ORDER_HEADER, serde_json::to_string(order)?);
    }
    Ok(request.body(Full::new(body))?)
}
