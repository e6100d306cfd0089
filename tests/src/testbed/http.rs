//! Plain HTTP that names its server, and the few parts of HTTP/1 that the test bed needs.

use std::io::Result;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A request's head may be this long; a longer one ends the connection.
const HEAD: usize = 8192;

/// Answers every request with the server's name.
pub(super) async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, name: &str) -> Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        respond(&mut stream, name, "200 OK", name).await?;
        if request.closes {
            break;
        }
    }
    stream.shutdown().await
}

/// What matters of a request here.
#[derive(Debug)]
pub(super) struct Request {
    /// Origin-form target.
    pub(super) path: String,
    /// Its bearer token.
    pub(super) token: Option<String>,
    /// Whether the connection ends after the answer.
    pub(super) closes: bool,
}

/// The next request, or `None` when the client closed instead.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Request>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if head.len() >= HEAD || stream.read(&mut byte).await? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(parse(&String::from_utf8_lossy(&head))))
}

fn parse(head: &str) -> Request {
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let path = first.nth(1).unwrap_or("/").to_owned();
    let old = first.next().is_none_or(|version| version == "HTTP/1.0");
    let headers: Vec<(String, &str)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
        .collect();
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| *value);
    let token = header("authorization").and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let closes = old || header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    Request { path, token, closes }
}

/// Answers with `body`; the header `X-Served-By` carries the server's name.
pub(super) async fn respond(
    stream: &mut (impl AsyncWrite + Unpin),
    name: &str,
    status: &str,
    body: &str,
) -> Result<()> {
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\nX-Served-By: {name}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await?;
    stream.flush().await
}
