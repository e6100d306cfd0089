//! The admin API: everything on the unix socket and between the nodes, reading only on TCP, and commands over TLS where that is switched on.
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
pub(crate) mod remote;
mod response;
pub(crate) mod status_address;

use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use fmc_api::configure::Configure;
use fmc_api::path;
use fmc_api::{Nodes, RefusalKind};
use fmc_config::model::name::NodeName;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::time::timeout;

use crate::proxy::appliance::Shared;
use order::Authority;
use remote::Visitor;
use response::{Answer, refuse};

/// Connections served at once; further ones are closed at once.
const MAX_CONNECTIONS: usize = 64;

/// The longest body of a command.
const MAX_BODY: usize = 16 * 1024;

/// A client that has not sent its request head by then is let go.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for the body of a command.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// A client that has not taken its answer by then is let go.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(330);

/// Who is asking.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Over TCP: may read.
    Network,
    /// Over TLS: may read, and command with what shows who it is.
    Remote(Rc<Visitor>),
    /// Over the unix socket, with the user id the kernel vouches for (SO_PEERCRED, unix(7)).
    Local { uid: u32 },
    /// Over the pair's channel: another node, for somebody who may command there.
    Node(NodeName),
}

impl Caller {
    /// May see what is the node's own: its configuration, and what the pair's nodes tell each other.
    fn is_within(&self) -> bool {
        matches!(self, Self::Local { .. } | Self::Node(_))
    }
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
    if let Some(refusal) = read::refusal(request.uri().path(), caller) {
        return refusal.into();
    }
    match (request.method(), &nodes) {
        (&Method::GET, Nodes::Node(node)) => pass_on::get(&request, node, shared).await,
        (&Method::GET, Nodes::All | Nodes::This) => read::answer(request.uri(), shared),
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
    match timeout(BODY_TIMEOUT, Limited::new(request.into_body(), longest).collect()).await {
        Ok(Ok(body)) => {
            let body = body.to_bytes();
            // Not before: an order's place among the others is that of the moment in which it is carried out.
            let order = authority.order(&path, &body, &mut shared.borrow_mut());
            command::answer(&path, body, &order, nodes, shared).await
        }
        Err(_late) => refuse(RefusalKind::BadRequest, "the body did not come in time", "send the command at once"),
        Ok(Err(_)) => {
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
