//! Streams that live long, and streams that are closed one side at a time.

use std::io::Result;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends every byte back; the end of the stream too.
pub(super) async fn echo(mut stream: TcpStream) -> Result<()> {
    let (mut reader, mut writer) = stream.split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    writer.shutdown().await
}

/// Reads until the client has closed its side, and only then answers `NAME COUNT`.
pub(super) async fn count(mut stream: TcpStream, name: &str) -> Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut count = 0_u64;
    loop {
        match stream.read(&mut buffer).await? {
            0 => break,
            more => count += more as u64,
        }
    }
    stream.write_all(format!("{name} {count}\n").as_bytes()).await?;
    stream.shutdown().await
}
