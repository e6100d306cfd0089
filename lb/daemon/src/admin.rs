//! The admin API: everything on the unix socket and between the nodes, reading only on TCP.
//!
//! A command on the unix socket is for every node that it concerns (see `command/everywhere.rs`), unless it says otherwise.
//!
//! One task per connection on the control thread, HTTP/1.1 by hyper. A slow or silent reader costs one task, at most
//! [`MAX_CONNECTIONS`] of them; the data plane runs on another thread and does not notice.

mod command;
mod exposition;
mod live;
mod order;
mod page;
mod pass_on;
mod read;
mod response;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use fmc_api::configure::Configure;
use fmc_api::events::EventKind;
use fmc_api::path;
use fmc_api::word::Severity;
use fmc_api::{Nodes, RefusalKind};
use fmc_config::model::name::NodeName;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::AbortHandle;

use crate::proxy::appliance::Shared;
use order::Authority;
use response::{Answer, refuse};

/// Connections served at once; further ones are closed at once.
const MAX_CONNECTIONS: usize = 64;

/// The longest body of a command.
const MAX_BODY: usize = 16 * 1024;

/// A client that has not sent its request head by then is let go.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that has not taken its answer by then is let go.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(330);

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Over TCP: may read.
    Network,
    /// Over the unix socket, with the user id the kernel vouches for (SO_PEERCRED, unix(7)).
    Local { uid: u32 },
    /// Over the pair's channel: another node, for somebody who may command there.
    Node(NodeName),
}

/// Serves the unix socket for ever.
pub(crate) async fn serve_unix(listener: UnixListener, shared: Shared) {
    let open = Rc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let uid = stream.peer_cred().map_or(u32::MAX, |credentials| credentials.uid());
                spawn(stream, Caller::Local { uid }, &shared, &open);
            }
            Err(error) => pause("admin socket", &error).await,
        }
    }
}

pub(crate) use read::health_of;

/// Installs the recorder behind `/metrics`.
pub(crate) use exposition::install as install_recorder;

/// An address of `[admin] listen` that is served, until dropped.
#[derive(Debug)]
pub(crate) struct Served {
    address: SocketAddr,
    task: AbortHandle,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves the TCP addresses of the configuration, each on a task of its own, and no others. One that cannot be bound is an
/// error in the log, not the end of the service: VIPs and relays do not depend on it.
pub(crate) async fn serve_addresses(shared: &Shared) {
    let wanted: Vec<SocketAddr> = {
        let appliance = shared.borrow();
        appliance.config.admin.listen.iter().map(|listen| listen.on(appliance.node.address)).collect()
    };
    shared.borrow_mut().served.retain(|served| wanted.contains(&served.address));
    for address in wanted {
        if shared.borrow().served.iter().any(|served| served.address == address) {
            continue;
        }
        match TcpListener::bind(address).await {
            Ok(listener) => {
                tracing::info!("status page at http://{address}/");
                let task = tokio::task::spawn_local(serve_tcp(listener, shared.clone())).abort_handle();
                shared.borrow_mut().served.push(Served { address, task });
            }
            Err(error) => {
                let text = format!("cannot serve the status page at {address}: {error}; change [admin] listen");
                shared.borrow_mut().note(Severity::Error, EventKind::Limit, None, text);
            }
        }
    }
}

/// Serves one TCP address for ever, to loopback and to the allow list.
async fn serve_tcp(listener: TcpListener, shared: Shared) {
    let open = Rc::new(());
    loop {
        match listener.accept().await {
            Ok((stream, client)) if may_read(client.ip(), &shared.borrow().config.admin.allow) => {
                spawn(stream, Caller::Network, &shared, &open);
            }
            Ok((_, client)) => tracing::debug!(%client, "not in [admin] allow"),
            Err(error) => pause("status address", &error).await,
        }
    }
}

fn may_read(client: IpAddr, allow: &[IpNet]) -> bool {
    client.is_loopback() || allow.iter().any(|net| net.contains(&client))
}

pub(crate) async fn pause(what: &str, error: &std::io::Error) {
    tracing::warn!(%error, "cannot accept on the {what}");
    tokio::time::sleep(Duration::from_millis(200)).await;
}

fn spawn<S>(stream: S, caller: Caller, shared: &Shared, open: &Rc<()>)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    // Each connection holds one, the listener one: a task that panics gives its place back too.
    if Rc::strong_count(open) > MAX_CONNECTIONS {
        return;
    }
    let (shared, place) = (shared.clone(), Rc::clone(open));
    tokio::task::spawn_local(async move {
        serve_connection(stream, caller, &shared).await;
        drop(place);
    });
}

/// Answers the requests of one connection, one after the other.
pub(crate) async fn serve_connection<S>(stream: S, caller: Caller, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(|request| {
        let caller = &caller;
        async move { Ok::<_, Infallible>(answer(request, caller, shared).await.into_http()) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).keep_alive(true);
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

async fn answer(request: Request<Incoming>, caller: &Caller, shared: &Shared) -> Answer {
    let nodes = match order::nodes(&request, caller, &shared.borrow().node.name) {
        Ok(nodes) => nodes,
        Err(refusal) => return refusal.into(),
    };
    match (request.method(), &nodes) {
        (&Method::GET, Nodes::Node(node)) => pass_on::get(&request, node, shared).await,
        (&Method::GET, Nodes::All | Nodes::This) => read::answer(request.uri(), caller, shared),
        (&Method::POST, _) => match order::authority(&request, caller) {
            Ok(authority) => command(request, authority, nodes, shared).await,
            Err(refusal) => refusal.into(),
        },
        _ => refuse(RefusalKind::BadRequest, "only GET and POST are understood", "see docs/reference/api.md"),
    }
}

async fn command(request: Request<Incoming>, authority: Authority, nodes: Nodes, shared: &Shared) -> Answer {
    let path = request.uri().path().to_owned();
    let longest = longest_body(&path);
    match Limited::new(request.into_body(), longest).collect().await {
        Ok(body) => {
            // Not before: an order's place among the others is that of the moment in which it is carried out.
            let order = authority.order(&shared.borrow());
            command::answer(&path, body.to_bytes(), &order, nodes, shared).await
        }
        Err(_) => {
            let error = format!("the body is over {} KiB or broken", longest / 1024);
            refuse(RefusalKind::BadRequest, error, "send one JSON object")
        }
    }
}

/// A configuration may be long, and JSON escapes make it longer.
fn longest_body(path: &str) -> usize {
    if path == path::CONFIGURE { 2 * Configure::LONGEST } else { MAX_BODY }
}

/// Whether a path is one of the commands.
fn is_command(wanted: &str) -> bool {
    let commands = [
        path::DRAIN,
        path::READY,
        path::MAINT,
        path::WEIGHT,
        path::UNDO,
        path::PIN,
        path::KILL,
        path::FAILOVER,
        path::REBALANCE,
        path::PROBE,
        path::CONFIGURE,
        path::CONFIRM,
        path::ROLLBACK,
    ];
    commands.contains(&wanted)
}
