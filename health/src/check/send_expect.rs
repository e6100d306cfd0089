//! A question in any protocol without TLS, and a part of its answer.

use std::net::SocketAddr;

use fmc_config::model::health_check::SendExpectProbe;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::attempt::{Answer, Attempt};
use super::error::{Awaited, ProbeError};
use super::{tcp, tls};

/// Bytes of an answer that are searched; what has not come by then will not.
const MAX_ANSWER: usize = 16 * 1024;

/// Bytes of a wrong answer that are repeated.
const SHOWN: usize = 60;

/// The `send-expect` check.
#[derive(Debug)]
pub(super) struct SendExpect {
    send: Vec<u8>,
    reply: Vec<u8>,
}

impl SendExpect {
    pub(super) fn new(probe: &SendExpectProbe) -> Self {
        let SendExpectProbe { send, reply } = probe.clone();
        Self { send, reply }
    }

    pub(super) async fn ask(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        let mut stream = tcp::connect(address, attempt).await?;
        let mut heard = Vec::new();
        let told = attempt.within(Awaited::Reply, self.converse(&mut stream, &mut heard)).await;
        attempt.step(|| format!("sent {} bytes, heard {}: {:?}", self.send.len(), heard.len(), printable(&heard)));
        attempt.leave(stream.into());
        told??;
        Ok(attempt.answer(format!("answered {:?}", printable(&self.reply)), None))
    }

    async fn converse(&self, stream: &mut TcpStream, heard: &mut Vec<u8>) -> Result<(), ProbeError> {
        let broken = |error| tls::of_stream(&error, "it answered");
        stream.write_all(&self.send).await.map_err(broken)?;
        while !holds(heard, &self.reply) {
            let room = MAX_ANSWER - heard.len();
            let mut more = [0; 2048];
            let read = stream.read(&mut more[..room.min(2048)]).await.map_err(broken)?;
            if read == 0 {
                return Err(ProbeError::Unexpected { heard: printable(heard), whole: room > 0 });
            }
            heard.extend_from_slice(&more[..read]);
        }
        Ok(())
    }
}

fn holds(heard: &[u8], reply: &[u8]) -> bool {
    heard.windows(reply.len().max(1)).any(|window| window == reply)
}

/// What a server says ends up in logs and terminals: printable ASCII only, and little of it.
fn printable(bytes: &[u8]) -> String {
    let shown = bytes.iter().take(SHOWN).map(|&byte| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '.' });
    shown.collect()
}
