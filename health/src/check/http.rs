//! The `http` check, and one HTTP/1.1 request on a connection of its own, in the clear or over TLS.
//!
//! The status line decides. The body is read only for its words and so that the connection ends cleanly; what goes wrong
//! in it changes nothing. Everything a server can make us keep is bounded: [`MAX_HEADER`], [`MAX_FIELDS`], [`MAX_BODY`].

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;

use fmc_config::model::health_check::HttpProbe;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::attempt::{Answer, Attempt, Open};
use super::error::{Awaited, ProbeError};
use super::tcp;
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
type Connection<S> = http1::Connection<TokioIo<S>, Empty<Bytes>>;

/// A connection that HTTP is spoken on.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Into<Open> + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + Into<Open> + 'static> Stream for S {}

/// The `http` check of one server.
#[derive(Debug)]
pub(super) struct Http {
    request: Expected,
}

/// What is requested, and which statuses pass.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) path: String,
    pub(super) host: String,
    pub(super) statuses: (u16, u16),
}

impl Http {
    pub(super) fn new(probe: &HttpProbe, address: IpAddr) -> Self {
        let HttpProbe { host, path, expect } = probe;
        let host = host.clone().unwrap_or_else(|| host_of(address));
        Self { request: Expected { path: path.clone(), host, statuses: *expect } }
    }

    pub(super) async fn ask(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        let Expected { path, host, .. } = &self.request;
        let question = question(path, host, None)?;
        let stream = tcp::connect(address, attempt).await?;
        let status = exchange(stream, question, path, attempt).await?.status;
        self.request.judge(status, attempt)
    }
}

/// How a request names a server that has no other name; an IPv6 address stands in brackets (RFC 3986 §3.2.2).
pub(super) fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

impl Expected {
    /// Passes when the status is one of those that pass.
    pub(super) fn judge(&self, status: u16, attempt: &Attempt) -> Result<Answer, ProbeError> {
        let Self { path, statuses: (least, most), .. } = self;
        if (*least..=*most).contains(&status) {
            return Ok(attempt.answer(format!("HTTP {status} from {path}"), None));
        }
        Err(ProbeError::Status { status, path: path.clone(), because: None, rung: None })
    }
}

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

/// Asks for `path` (origin form) over TLS on a new connection, which is then left to the attempt.
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
    exchange(stream, question, path, attempt).await
}

async fn exchange<S: Stream>(
    stream: S,
    question: Question,
    path: &str,
    attempt: &mut Attempt,
) -> Result<Reply, ProbeError> {
    let (mut sender, mut connection) = http1::Builder::new()
        .max_buf_size(MAX_HEADER)
        .max_header_size(MAX_HEADER)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| of_exchange(&error, path))?;
    let reply = converse(&mut sender, &mut connection, question, path, attempt).await;
    if let Ok(Reply { status, body }) = &reply {
        attempt.step(|| format!("GET {path} answered: HTTP {status}, {} bytes of body", body.len()));
    }
    attempt.leave(connection.into_parts().io.into_inner().into());
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

async fn converse<S: Stream>(
    sender: &mut http1::SendRequest<Empty<Bytes>>,
    connection: &mut Connection<S>,
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
async fn drive<S: Stream, T>(
    connection: &mut Connection<S>,
    work: impl Future<Output = hyper::Result<T>>,
) -> hyper::Result<T> {
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
