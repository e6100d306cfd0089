//! What goes back to a client of the admin API.

use fmc_api::{API_VERSION, API_VERSION_HEADER, Refusal, RefusalKind};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use tokio::sync::mpsc;

/// A status, a content type and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: Content,
}

/// What an answer holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// All of it.
    Whole(Bytes),
    /// What comes, until its sender is dropped.
    Stream(mpsc::Receiver<Bytes>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Stream(parts) => parts.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

/// What no browser may make of any answer, whatever is in it: <https://www.w3.org/TR/CSP3/>. Everything of the page is in the page.
const ON_EVERY_ANSWER: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
];

impl Answer {
    /// 200 with JSON.
    pub(crate) fn json<T: Serialize>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => {
                Self { status: StatusCode::OK, content_type: "application/json", body: Content::Whole(body.into()) }
            }
            Err(error) => {
                refuse(RefusalKind::Internal, format!("cannot encode the answer: {error}"), "please report this")
            }
        }
    }

    /// What another node answered.
    pub(crate) fn passed_on(status: StatusCode, body: Bytes) -> Self {
        Self { status, content_type: "application/json", body: Content::Whole(body) }
    }

    /// Whether what was asked was done.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// What it says, as JSON; `None`: it is none.
    pub(crate) fn value(&self) -> Option<serde_json::Value> {
        match &self.body {
            Content::Whole(body) => serde_json::from_slice(body).ok(),
            Content::Stream(_) => None,
        }
    }

    /// 200 or 503 with a line of text: the answer of a health endpoint.
    pub(crate) fn probe(good: bool, words: &str) -> Self {
        let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Self { status, content_type: "text/plain; charset=utf-8", body: Content::Whole(format!("{words}\n").into()) }
    }

    /// 200 with a text of some type.
    pub(crate) fn text(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: Content::Whole(body.into()) }
    }

    /// 200 with what comes, until its sender is dropped.
    pub(crate) fn stream(content_type: &'static str, parts: mpsc::Receiver<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: Content::Stream(parts) }
    }

    /// As hyper wants it.
    pub(crate) fn into_http(self) -> Response<Content> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        for (name, value) in ON_EVERY_ANSWER {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(API_VERSION_HEADER, HeaderValue::from(API_VERSION));
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&refusal).unwrap_or_default().into();
        Self { status, content_type: "application/json", body: Content::Whole(body) }
    }
}

/// A refusal, in one call.
pub(crate) fn refuse(kind: RefusalKind, error: impl Into<String>, fix: impl Into<String>) -> Answer {
    Refusal::new(kind, error, fix).into()
}
