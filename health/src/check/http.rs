//! One HTTP/1.1 request over TLS, on a connection of its own.
//!
//! The status line decides. The body is read only for its words and so that the connection ends cleanly; what goes wrong
//! in it changes nothing. Everything a server can make us keep is bounded: [`MAX_HEADER`], [`MAX_FIELDS`], [`MAX_BODY`].

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::attempt::{Attempt, Open};
use super::error::{Awaited, ProbeError};
use super::tls::{self, Tls};

/// Bytes of status line and header that a server may answer with; more is no answer.
pub const MAX_HEADER: usize = 16 * 1024;

/// Bytes of a body that are read; the rest is left where it is.
pub const MAX_BODY: usize = 64 * 1024;

/// Header fields that a server may answer with; more is no answer.
const MAX_FIELDS: usize = 64;

/// Says in a server's access log who asks.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("fmc-lb-health/", env!("CARGO_PKG_VERSION")));

type Question = Request<Empty<Bytes>>;
type Connection = http1::Connection<TokioIo<TlsStream<TcpStream>>, Empty<Bytes>>;

/// The credentials of a request; `Debug` does not show them.
#[derive(Debug)]
pub(super) struct Bearer(HeaderValue);

impl Bearer {
    /// `None`: the token holds characters that no header may.
    pub(super) fn new(token: &str) -> Option<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// As much of the body as came, up to [`MAX_BODY`].
    pub(super) body: Vec<u8>,
}

/// Asks for `path` (origin form) on a new connection, which is then left to the attempt.
pub(super) async fn get(
    tls: &Tls,
    address: SocketAddr,
    path: &str,
    host: &str,
    bearer: Option<Bearer>,
    attempt: &mut Attempt,
) -> Result<Reply, ProbeError> {
    let question = question(path, host, bearer)?;
    let stream = tls.connect(address, attempt).await?;
    let (mut sender, mut connection) = http1::Builder::new()
        .max_buf_size(MAX_HEADER)
        .max_header_size(MAX_HEADER)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| of_exchange(&error, path))?;
    let reply = converse(&mut sender, &mut connection, question, path, attempt).await;
    attempt.leave(Open::Tls(Box::new(connection.into_parts().io.into_inner())));
    reply
}

fn question(path: &str, host: &str, bearer: Option<Bearer>) -> Result<Question, ProbeError> {
    let mut request = Request::get(path)
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close");
    if let Some(Bearer(value)) = bearer {
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|error| ProbeError::Path(path.to_owned(), error.to_string()))
}

async fn converse(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    connection: &mut Connection,
    question: Question,
    path: &str,
    attempt: &Attempt,
) -> Result<Reply, ProbeError> {
    let head = drive(connection, sender.send_request(question));
    let response = attempt.within(Awaited::Http(path), head).await?.map_err(|error| of_exchange(&error, path))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let reading = drive(connection, read(response, &mut body));
    // A body that does not end in time has words all the same: what came of it.
    let _unfinished = attempt.within(Awaited::Http(path), reading).await;
    Ok(Reply { status, body })
}

async fn read(response: Response<Incoming>, text: &mut Vec<u8>) -> hyper::Result<()> {
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            let room = MAX_BODY - text.len();
            text.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
        if text.len() == MAX_BODY {
            break;
        }
    }
    Ok(())
}

/// Polls the connection beside `work`, which advances only with it. An error that hyper gave to the connection because
/// nobody was waiting yet (an alert that comes before the request went out) is given to `work`'s caller.
async fn drive<T>(connection: &mut Connection, work: impl Future<Output = hyper::Result<T>>) -> hyper::Result<T> {
    let mut work = pin!(work);
    let ended = tokio::select! {
        biased;
        done = &mut work => return done,
        ended = poll_fn(|context| connection.poll_without_shutdown(context)) => ended,
    };
    match (work.await, ended) {
        (Err(error), Err(cause)) if error.is_canceled() || error.is_closed() => Err(cause),
        (done, _) => done,
    }
}

fn of_exchange(error: &hyper::Error, path: &str) -> ProbeError {
    if error.is_parse_too_large() {
        return ProbeError::HeaderTooLarge;
    }
    if error.is_parse() {
        return ProbeError::NotHttp(error.to_string());
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
        Some(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => tls::of_stream(cause, "it answered"),
        _ => ProbeError::Closed(format!("it answered {path}")),
    }
}
