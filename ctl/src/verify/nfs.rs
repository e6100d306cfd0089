//! Whether a directory is exported to this machine: NFS version 4 by its own words, so that nothing is mounted.

mod compound;

use std::io::{Error, Result};
use std::net::Ipv4Addr;
use std::time::Duration;

use fmc_provision::verify::Seen;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const PORT: u16 = 2049;
/// exports(5), `secure`: a server listens to ports that only root may call from, so those are tried first, from the highest.
const RESERVED: std::ops::RangeInclusive<u16> = 665..=1023;
/// An answer of a few words; one that says to be longer is none.
const LONGEST: usize = 4096;

pub(super) async fn look(server: Ipv4Addr, path: &str, patience: Duration) -> Seen {
    match super::within(patience, ask(server, path)).await.and_then(|answer| compound::is_shown(&answer)) {
        Ok(shown) => Seen::Export(shown),
        Err(why) => Seen::Failed(why),
    }
}

async fn ask(server: Ipv4Addr, path: &str) -> Result<Vec<u8>> {
    let mut stream = connect(server).await?;
    stream.write_all(&compound::lookup(path)).await?;
    // The last fragment has the highest bit set (RFC 5531 §11).
    let length = (stream.read_u32().await? & 0x7fff_ffff) as usize;
    if length > LONGEST {
        return Err(Error::other("the server does not answer as NFS does"));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

async fn connect(server: Ipv4Addr) -> Result<TcpStream> {
    for port in RESERVED.rev() {
        let socket = TcpSocket::new_v4()?;
        if socket.bind((Ipv4Addr::UNSPECIFIED, port).into()).is_ok() {
            match socket.connect((server, PORT).into()).await {
                // The last question from this port has only just ended.
                Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => continue,
                other => return other,
            }
        }
        if !nix::unistd::geteuid().is_root() {
            break;
        }
    }
    TcpStream::connect((server, PORT)).await
}
