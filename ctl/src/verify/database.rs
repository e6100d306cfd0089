//! Whether PostgreSQL asks for a password or turns this machine away: the first message of its protocol and the first byte of the answer.
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>, StartupMessage.

use std::io::{Error, Result};
use std::net::Ipv4Addr;
use std::time::Duration;

use fmc_provision::verify::Seen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PORT: u16 = 5432;
/// Version 3.0.
const VERSION: u32 = 196_608;

pub(super) async fn look(server: Ipv4Addr, database: &str, patience: Duration) -> Seen {
    match super::within(patience, ask(server, database)).await {
        Ok(asked) => Seen::Database(asked),
        Err(why) => Seen::Failed(why),
    }
}

async fn ask(server: Ipv4Addr, database: &str) -> Result<bool> {
    let mut stream = TcpStream::connect((server, PORT)).await?;
    stream.write_all(&start(database)).await?;
    match stream.read_u8().await? {
        b'R' => Ok(true),
        b'E' => Ok(false),
        _ => Err(Error::other("the server does not answer as PostgreSQL does")),
    }
}

/// The owner of a database has its name.
fn start(database: &str) -> Vec<u8> {
    let words = format!("user\0{database}\0database\0{database}\0\0");
    let length = u32::try_from(words.len() + 8).unwrap_or(u32::MAX);
    [&length.to_be_bytes()[..], &VERSION.to_be_bytes(), words.as_bytes()].concat()
}
