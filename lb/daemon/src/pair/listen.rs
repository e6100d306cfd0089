//! The channel's listening end: connections of the other nodes, and of nobody else, are served the admin API.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fmc_config::model::name::NodeName;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::identity::Identity;
use crate::admin::{self, Caller};
use crate::proxy::appliance::Shared;

/// Connections at once, those in their handshake too; further ones are closed at once. Each node opens one or two.
const MOST_CONNECTIONS: usize = 16;

/// A node that has not shown its key by then is let go.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(1);

const BACKLOG: i32 = 16;

/// The channel is served, until dropped.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(super) address: SocketAddr,
    /// Connections that come from now on are met by the newest.
    credentials: watch::Sender<Rc<Credentials>>,
    task: AbortHandle,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a connection is met with.
#[derive(Debug)]
struct Credentials {
    identity: Identity,
    tls: Arc<ServerConfig>,
}

impl Credentials {
    fn new(identity: Identity) -> Result<Rc<Self>> {
        let tls = Arc::new(identity.server()?);
        Ok(Rc::new(Self { identity, tls }))
    }
}

impl Listening {
    /// Serves the channel at `address`, where a listener may be `bound` already.
    pub(super) fn start(
        address: SocketAddr,
        identity: Identity,
        bound: Option<TcpListener>,
        shared: &Shared,
    ) -> Result<Self> {
        let (credentials, newest) = watch::channel(Credentials::new(identity)?);
        let listener = bound.map_or_else(|| bind(address), Ok)?;
        let task = tokio::task::spawn_local(serve(listener, newest, shared.clone())).abort_handle();
        Ok(Self { address, credentials, task })
    }

    /// Other keys, the same socket.
    pub(super) fn retune(&self, identity: Identity) -> Result<()> {
        self.credentials.send_replace(Credentials::new(identity)?);
        Ok(())
    }
}

/// Errors: the address and what to do, with the kernel's reason.
pub(super) fn bind(address: SocketAddr) -> Result<TcpListener> {
    try_bind(address).with_context(|| format!("{address}: free it, or change [pair] port"))
}

fn try_bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    // A link that comes late brings its address late.
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn serve(listener: TcpListener, newest: watch::Receiver<Rc<Credentials>>, shared: Shared) {
    let open = Rc::new(());
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                admin::pause("pair's channel", &error).await;
                continue;
            }
        };
        let is_of_a_node = shared.borrow().others().any(|node| node.address == from.ip());
        if !is_of_a_node || Rc::strong_count(&open) > MOST_CONNECTIONS {
            metrics::counter!("fmc_pair_connections_refused_total").increment(1);
            continue;
        }
        let (place, credentials, shared) = (open.clone(), newest.borrow().clone(), shared.clone());
        tokio::task::spawn_local(async move {
            serve_one(stream, &credentials, &shared).await;
            drop(place);
        });
    }
}

async fn serve_one(stream: TcpStream, credentials: &Credentials, shared: &Shared) {
    let Credentials { identity, tls } = credentials;
    let shaken = timeout(HANDSHAKE_WITHIN, TlsAcceptor::from(tls.clone()).accept(stream)).await;
    let Ok(Ok(stream)) = shaken else {
        metrics::counter!("fmc_pair_connections_refused_total").increment(1);
        return;
    };
    // The handshake has accepted the key, so it is one that is known.
    let node: Option<NodeName> = identity.node_of(stream.get_ref().1.peer_certificates());
    if let Some(node) = node {
        admin::serve_connection(stream, Caller::Node(node), shared).await;
    }
}
