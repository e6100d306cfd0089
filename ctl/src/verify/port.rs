//! What becomes of a connection.

use std::io::ErrorKind;
use std::net::SocketAddrV4;
use std::time::Duration;

use fmc_provision::verify::Port;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// Whoever turns a client away after accepting it does so at once.
const AT_ONCE: Duration = Duration::from_millis(250);

pub(super) async fn look(to: SocketAddrV4, patience: Duration) -> Port {
    match tokio::time::timeout(patience, TcpStream::connect(to)).await {
        Err(_) => Port::Silent,
        Ok(Ok(stream)) => stays(stream).await,
        Ok(Err(error)) => match error.kind() {
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Port::Refused,
            ErrorKind::TimedOut => Port::Silent,
            _ => Port::Unreachable(error.to_string()),
        },
    }
}

async fn stays(mut stream: TcpStream) -> Port {
    match tokio::time::timeout(AT_ONCE, stream.read_u8()).await {
        Ok(Err(_)) => Port::Closed,
        Ok(Ok(_)) | Err(_) => Port::Served,
    }
}
