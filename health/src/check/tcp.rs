//! A completed TCP handshake, and no immediate reset.
//!
//! What this cannot see: the kernel completes handshakes for a process that is stopped or hung, until its backlog is
//! full. A port that passes here may never answer a byte. Where the server speaks TLS, the `tls` check sees it.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::attempt::{Answer, Attempt, Open};
use super::error::{Awaited, ProbeError};

/// How long a reset may take to count as immediate: a forwarder with nobody behind it (klipper-lb, docker-proxy) accepts
/// first and resets once its own dial failed, a round trip or two later on the lab's networks.
const RESET_WINDOW: Duration = Duration::from_millis(20);

/// Connects, watches for a reset, and leaves.
pub(super) async fn ask(address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
    let stream = connect(address, attempt).await?;
    let answer = attempt.answer("connected".to_owned(), None);
    let opening = first_moment(&stream, attempt.remaining().min(RESET_WINDOW)).await;
    attempt.leave(Open::Tcp(stream));
    opening.map(|()| answer)
}

/// A TCP handshake within the attempt's deadline.
pub(super) async fn connect(address: SocketAddr, attempt: &mut Attempt) -> Result<TcpStream, ProbeError> {
    let connected = attempt.within(Awaited::Connection, TcpStream::connect(address)).await?;
    let stream = connected.map_err(ProbeError::of_connect)?;
    attempt.accepted();
    attempt.step(|| format!("connected to {address}"));
    Ok(stream)
}

/// An error only on a reset. Bytes, an orderly close and silence are all what some server does with a stranger.
async fn first_moment(stream: &TcpStream, window: Duration) -> Result<(), ProbeError> {
    match timeout(window, stream.peek(&mut [0])).await {
        Ok(Err(_)) => Err(ProbeError::Reset("right after the TCP handshake")),
        Ok(Ok(_)) | Err(_) => Ok(()),
    }
}
