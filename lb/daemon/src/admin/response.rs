//! What goes back to a client of the admin API.

use fmc_api::{API_VERSION, API_VERSION_HEADER, Refusal, RefusalKind};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde::Serialize;

/// A status, a content type and a body.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
}

impl Answer {
    /// 200 with JSON.
    pub(crate) fn json<T: Serialize>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self { status: StatusCode::OK, content_type: "application/json", body: body.into() },
            Err(error) => {
                refuse(RefusalKind::Internal, format!("cannot encode the answer: {error}"), "please report this")
            }
        }
    }

    /// What another node answered.
    pub(crate) fn passed_on(status: StatusCode, body: Bytes) -> Self {
        Self { status, content_type: "application/json", body }
    }

    /// Whether what was asked was done.
    pub(crate) fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// What it says, as JSON; `None`: it is none.
    pub(crate) fn value(&self) -> Option<serde_json::Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// 200 or 503 with a line of text: the answer of a health endpoint.
    pub(crate) fn probe(good: bool, words: &str) -> Self {
        let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Self { status, content_type: "text/plain; charset=utf-8", body: format!("{words}\n").into() }
    }

    /// 200 with a text of some type.
    pub(crate) fn text(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, content_type, body: body.into() }
    }

    /// As hyper wants it.
    pub(crate) fn into_http(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(hyper::header::CONTENT_TYPE, hyper::header::HeaderValue::from_static(self.content_type));
        headers.insert(hyper::header::CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
        headers.insert(API_VERSION_HEADER, hyper::header::HeaderValue::from(API_VERSION));
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&refusal).unwrap_or_default().into();
        Self { status, content_type: "application/json", body }
    }
}

/// A refusal, in one call.
pub(crate) fn refuse(kind: RefusalKind, error: impl Into<String>, fix: impl Into<String>) -> Answer {
    Refusal::new(kind, error, fix).into()
}
