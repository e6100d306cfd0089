//! One request and its answer over any stream, as HTTP/1.1.

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// The largest answer that is read; a longer one is an error, so that a wrong peer cannot fill the memory. 65,536 sessions fit.
const ANSWER_LIMIT: usize = 32 << 20;

/// What hyper saw.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Sends the request and collects the answer, driving the connection in the same task.
///
/// # Errors
/// The connection ended before the answer was whole, or the answer is longer than 32 MiB.
pub async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(Response<()>, Bytes), BoxedError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let answer = async move {
        let (head, body) = sender.send_request(request).await?.into_parts();
        Ok::<_, BoxedError>((Response::from_parts(head, ()), collect(body).await?))
    };
    tokio::pin!(answer, connection);
    tokio::select! {
        answer = &mut answer => answer,
        // The connection may end with the answer's last byte; what it has read is still delivered.
        _ = &mut connection => answer.await,
    }
}

async fn collect(body: Incoming) -> Result<Bytes, BoxedError> {
    let collected = Limited::new(body, ANSWER_LIMIT).collect().await;
    collected.map(|whole| whole.to_bytes()).map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => format!("the answer is longer than {ANSWER_LIMIT} bytes").into(),
        Err(error) => error,
    })
}
