//! One probe under way: its deadline, and the connections that must be parted with politely however it ends.

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::client::TlsStream;

use super::error::{Awaited, ProbeError};
use crate::outcome::{Finding, Outcome, Rung};
use crate::step::{Step, Trace};

/// How long a server may take to close its side after we closed ours. It has answered by then; this only keeps our close
/// from turning into a reset, and ends it when the server does not care.
pub(super) const PARTING: Duration = Duration::from_millis(100);

/// How much a server may still say while we part; a flood after the answer is cut off.
const PARTING_BYTES: usize = 64 * 1024;

/// A deadline that is noticed this late was missed by us, not by the server: the machine or the process was paused.
const PAUSE: Duration = Duration::from_millis(100);

/// One probe under one deadline.
#[derive(Debug)]
pub(super) struct Attempt {
    started: Instant,
    timeout: Duration,
    accepted: bool,
    open: Vec<Open>,
    trace: Trace,
}

/// A connection that is to be closed properly at the end.
#[derive(Debug)]
pub(super) enum Open {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl From<TcpStream> for Open {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<TlsStream<TcpStream>> for Open {
    fn from(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(stream))
    }
}

/// What a passing server said.
#[derive(Debug)]
pub(super) struct Answer {
    /// Until the answer that decided.
    pub(super) latency: Duration,
    pub(super) detail: String,
    pub(super) rung: Option<Rung>,
}

impl Attempt {
    pub(super) fn start(timeout: Duration) -> Self {
        Self::traced(timeout, Trace::Off)
    }

    /// One that notes its steps in `trace`.
    pub(super) fn traced(timeout: Duration, trace: Trace) -> Self {
        Self { started: Instant::now(), timeout, accepted: false, open: Vec::new(), trace }
    }

    /// Notes what was just done.
    pub(super) fn step(&mut self, words: impl FnOnce() -> String) {
        self.trace.note(self.started.elapsed(), words);
    }

    /// Awaits `work` no longer than the probe's one deadline allows.
    pub(super) async fn within<T>(&self, awaited: Awaited<'_>, work: impl Future<Output = T>) -> Result<T, ProbeError> {
        let deadline = self.started + self.timeout;
        timeout_at(deadline, work).await.map_err(|_elapsed| {
            let late = deadline.elapsed();
            if late >= PAUSE { ProbeError::Paused(late) } else { ProbeError::silent(awaited, self.timeout) }
        })
    }

    /// What is left of the deadline.
    pub(super) fn remaining(&self) -> Duration {
        self.timeout.saturating_sub(self.started.elapsed())
    }

    /// A TCP handshake completed.
    pub(super) fn accepted(&mut self) {
        self.accepted = true;
    }

    /// Hands over a connection that has served its purpose.
    pub(super) fn leave(&mut self, open: Open) {
        self.open.push(open);
    }

    /// The answer that decides, stamped now.
    pub(super) fn answer(&self, detail: String, rung: Option<Rung>) -> Answer {
        Answer { latency: self.started.elapsed(), detail, rung }
    }

    /// What this attempt found.
    pub(super) fn outcome(&self, answer: Result<Answer, ProbeError>) -> Outcome {
        let accepted = self.accepted;
        match answer {
            Ok(Answer { latency, detail, rung }) => {
                Outcome { finding: Finding::Pass, latency, accepted, gone: false, detail, rung }
            }
            Err(error) => Outcome {
                finding: error.finding(),
                latency: self.started.elapsed(),
                accepted,
                gone: !accepted && error.nobody_there(),
                detail: error.to_string(),
                rung: error.rung(),
            },
        }
    }

    /// Closes whatever was opened, each within [`PARTING`]; the steps, if they were noted.
    pub(super) async fn part(mut self) -> Vec<Step> {
        for open in std::mem::take(&mut self.open) {
            match open {
                Open::Tcp(stream) => part(stream).await,
                Open::Tls(stream) => part(stream).await,
            }
            self.step(|| "said goodbye".to_owned());
        }
        self.trace.into_steps()
    }
}

/// Says goodbye (on TLS that is `close_notify`, then FIN), then reads until the server has too. Closing a socket with
/// unread bytes sends a reset instead of a FIN, and TLS 1.3 servers do send unasked (session tickets): hence the reading.
/// SO_LINGER stays as it is. We close first, so TIME_WAIT stays here: 60 s of it at one probe a second is 60 ports.
async fn part(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let goodbye = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let (mut rest, mut budget) = ([0; 2048], PARTING_BYTES);
        while let Ok(read @ 1..) = stream.read(&mut rest).await {
            budget = budget.saturating_sub(read);
            if budget == 0 {
                return;
            }
        }
    };
    // A server that keeps its side open longer has answered nevertheless.
    let _kept_open = timeout(PARTING, goodbye).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_deadline_that_passed_while_this_node_stood_still_blames_no_server() {
        let attempt = Attempt::start(Duration::from_millis(5));
        let standstill = async {
            std::thread::sleep(PAUSE * 2);
            std::future::pending::<()>().await;
        };
        let error = attempt.within(Awaited::TlsHandshake, standstill).await.unwrap_err();
        assert_eq!(error.finding(), Finding::Inconclusive, "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_came_during_a_standstill_counts() {
        let attempt = Attempt::start(Duration::from_millis(5));
        let answered = attempt.within(Awaited::Connection, async { std::thread::sleep(PAUSE * 2) }).await;
        assert!(answered.is_ok());
    }
}
