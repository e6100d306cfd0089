//! How far this machine's clock is from that of a time server.

use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fmc_provision::verify::Seen;
use tokio::net::UdpSocket;

use super::sntp::{self, Answer, Timestamp};

const PORT: u16 = 123;

pub(super) async fn look(server: Ipv4Addr, patience: Duration) -> Seen {
    match super::within(patience, ask(server)).await {
        Ok(Answer { offset, synchronised }) => Seen::Clock { offset, synchronised },
        Err(why) => Seen::Failed(why),
    }
}

async fn ask(server: Ipv4Addr) -> std::io::Result<Answer> {
    let socket = UdpSocket::bind(super::ANY).await?;
    socket.connect((server, PORT)).await?;
    let sent = now();
    socket.send(&sntp::question(sent)).await?;
    let mut packet = [0; 128];
    loop {
        let length = socket.recv(&mut packet).await?;
        if let Some(answer) = sntp::answer(&packet[..length], sent, now()) {
            return Ok(answer);
        }
    }
}

fn now() -> Timestamp {
    Timestamp::since_1970(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}
