//! Connections that stay open and talk now and then, like a watch or `kubectl exec`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::eventually::eventually;
use crate::namespace::Namespace;

/// A word that is not echoed for this long counts as a cut stream.
const ECHO_WITHIN: Duration = Duration::from_secs(5);
/// What is said; the echo must be the same.
const WORD: &[u8; 8] = b"still in";

/// Open streams to an echo server.
#[derive(Debug)]
pub struct Streams {
    stop: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<Vec<StreamEnd>>,
}

/// How one stream ended.
#[derive(Debug, Clone)]
pub struct StreamEnd {
    /// When.
    pub at: Instant,
    /// Words echoed until then.
    pub echoes: usize,
    /// `None`: closed by the test.
    pub cut: Option<String>,
}

impl Streams {
    /// Opens `count` streams from `machine`; each says a word every `pace`. Returns when every first word came back.
    ///
    /// # Panics
    /// When they are not open within 5 s.
    pub fn open(machine: &Namespace, address: &str, count: usize, pace: Duration) -> Self {
        let address: SocketAddr = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        let (stop, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, opened) = (Arc::clone(&stop), Arc::clone(&open));
        let thread = machine.thread(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let mut streams = JoinSet::new();
                for _ in 0..count {
                    streams.spawn(talk(address, pace, Arc::clone(&stopped), Arc::clone(&opened)));
                }
                streams.join_all().await
            })
        });
        eventually(&format!("{count} streams to {address} are open"), ECHO_WITHIN, || {
            open.load(Ordering::Relaxed) == count
        });
        Self { stop, open, thread }
    }

    /// How many are open now.
    pub fn alive(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Closes those still open and returns how each ended.
    ///
    /// # Panics
    /// When the streams' own thread did.
    pub fn close(self) -> Vec<StreamEnd> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn talk(address: SocketAddr, pace: Duration, stop: Arc<AtomicBool>, open: Arc<AtomicUsize>) -> StreamEnd {
    let mut echoes = 0;
    let outcome = converse(address, pace, &stop, &open, &mut echoes).await;
    if echoes > 0 {
        open.fetch_sub(1, Ordering::Relaxed);
    }
    StreamEnd { at: Instant::now(), echoes, cut: outcome.err().map(|error| error.to_string()) }
}

async fn converse(
    address: SocketAddr,
    pace: Duration,
    stop: &AtomicBool,
    open: &AtomicUsize,
    echoes: &mut usize,
) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    while !stop.load(Ordering::Relaxed) {
        stream.write_all(WORD).await?;
        let mut echo = [0; WORD.len()];
        tokio::time::timeout(ECHO_WITHIN, stream.read_exact(&mut echo)).await??;
        *echoes += 1;
        if *echoes == 1 {
            open.fetch_add(1, Ordering::Relaxed);
        }
        wait(&mut stream, pace).await?;
    }
    stream.shutdown().await
}

/// Waits for the next word's time, or for the stream's end, which nobody asked for.
async fn wait(stream: &mut TcpStream, pace: Duration) -> std::io::Result<()> {
    let next_word = tokio::time::Instant::now() + pace;
    loop {
        tokio::select! {
            () = tokio::time::sleep_until(next_word) => return Ok(()),
            ready = stream.readable() => ready?,
        }
        match stream.try_read(&mut [0]) {
            Ok(0) => return Err(std::io::Error::other("closed by the other side")),
            Ok(_) => return Err(std::io::Error::other("a byte nobody sent")),
            // The readiness was that of the last echo: the word's time has not come yet.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
