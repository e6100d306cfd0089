//! Load that other generators do not make: at a fixed rate whatever the answers take, and sessions that live long.
//!
//! `requests` and `connections` start each exchange at its planned moment; its latency counts from that moment, so a stall of the balancer is
//! paid for by everyone who was due in it (no coordinated omission). `sessions` keeps connections open, speaks on each now and then, and
//! measures the longest time that one waited for an answer. `hold` opens connections, says so, and keeps them silent until its input ends.
//! Every server that answers `GET /` over HTTP/1.1 will do. One line of JSON says what was seen.

use std::io::Read;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, Subcommand};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

/// Whoever waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Parser)]
#[command(about = "Load at a fixed rate, and sessions that live long")]
struct Arguments {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Subcommand)]
enum Kind {
    /// Requests at a fixed rate, over connections that are kept.
    Requests(Pace),
    /// Connections at a fixed rate, one request each.
    Connections(Pace),
    /// Connections that are kept and speak now and then.
    Sessions(Sessions),
    /// Connections that say nothing, until standard input ends.
    Hold { address: SocketAddr, count: usize },
}

#[derive(clap::Args, Clone)]
struct Pace {
    address: SocketAddr,
    #[arg(long)]
    per_second: u32,
    /// Those that share the work; each has one request under way at most.
    #[arg(long, default_value_t = 64)]
    workers: u32,
    #[arg(long, default_value_t = 3)]
    seconds: u32,
}

#[derive(clap::Args, Clone)]
struct Sessions {
    address: SocketAddr,
    #[arg(long, default_value_t = 200)]
    count: u64,
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Each session is silent for up to this long between two requests.
    #[arg(long, default_value_t = 2000)]
    longest_silence_ms: u64,
}

/// What one worker or session has seen.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    errors: u64,
    first_error: Option<String>,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match Arguments::parse().kind {
        Kind::Requests(pace) => report(runtime.block_on(paced(pace, false))?),
        Kind::Connections(pace) => report(runtime.block_on(paced(pace, true))?),
        Kind::Sessions(sessions) => report(runtime.block_on(run_sessions(sessions))?),
        Kind::Hold { address, count } => runtime.block_on(hold(address, count)),
    }
}

/// Worker `n` of `w` takes every w-th moment of the plan.
async fn paced(pace: Pace, is_fresh: bool) -> Result<Seen> {
    ensure!(pace.per_second > 0 && pace.workers > 0, "a rate and workers must be above zero");
    let (start, mut workers) = (Instant::now() + Duration::from_millis(50), JoinSet::new());
    for worker in 0..pace.workers {
        workers.spawn(follow_plan(pace.clone(), start, worker, is_fresh));
    }
    Ok(all(workers).await)
}

async fn follow_plan(pace: Pace, start: Instant, worker: u32, is_fresh: bool) -> Seen {
    let (mut seen, mut kept) = (Seen::default(), None);
    for turn in (worker..pace.per_second * pace.seconds).step_by(pace.workers as usize) {
        let due = start + Duration::from_secs(1) * turn / pace.per_second;
        sleep_until(due.into()).await;
        match exchange(pace.address, &mut kept).await {
            Ok(()) => seen.latencies.push(due.elapsed()),
            Err(error) => {
                seen.fail(&error);
                kept = None;
            }
        }
        if is_fresh {
            kept = None;
        }
    }
    seen
}

async fn run_sessions(sessions: Sessions) -> Result<Seen> {
    ensure!(sessions.longest_silence_ms > 0, "a silence must be above zero");
    let (end, mut all_of_them) = (Instant::now() + Duration::from_secs(sessions.seconds), JoinSet::new());
    for number in 0..sessions.count {
        all_of_them.spawn(session(sessions.clone(), number, end));
    }
    Ok(all(all_of_them).await)
}

/// A session that fails is an error each time, and begins anew.
async fn session(sessions: Sessions, number: u64, end: Instant) -> Seen {
    let (mut seen, mut kept, mut state) = (Seen::default(), None, number + 1);
    while Instant::now() < end {
        let asked = Instant::now();
        match exchange(sessions.address, &mut kept).await {
            Ok(()) => seen.latencies.push(asked.elapsed()),
            Err(error) => {
                seen.fail(&error);
                kept = None;
            }
        }
        // A linear congruence (Knuth's MMIX): any spread will do, and the same each time is better.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sleep(Duration::from_millis((state >> 33) % sessions.longest_silence_ms)).await;
    }
    seen
}

/// One request and its whole answer, over the kept connection or a new one.
async fn exchange(address: SocketAddr, kept: &mut Option<TcpStream>) -> Result<()> {
    timeout(PATIENCE, ask(address, kept)).await.context("no answer in time")?
}

async fn ask(address: SocketAddr, kept: &mut Option<TcpStream>) -> Result<()> {
    if kept.is_none() {
        let stream = TcpStream::connect(address).await.context("connect")?;
        stream.set_nodelay(true)?;
        *kept = Some(stream);
    }
    let stream = kept.as_mut().context("a connection")?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n").await.context("send")?;
    let (mut buffer, mut filled) = ([0; 4096], 0);
    loop {
        match stream.read(&mut buffer[filled..]).await.context("receive")? {
            0 => bail!("the connection ended within an answer"),
            count => filled += count,
        }
        if answer_length(&buffer[..filled])?.is_some_and(|length| filled >= length) {
            return Ok(());
        }
    }
}

/// Of head and body, once the head is there.
fn answer_length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head])?;
    ensure!(text.starts_with("HTTP/1.1 200"), "{}", text.lines().next().unwrap_or_default());
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).context("no Content-Length")?;
    Ok(Some(head + 4 + length.trim().parse::<usize>()?))
}

async fn hold(address: SocketAddr, count: usize) -> Result<()> {
    let mut held = Vec::with_capacity(count);
    for number in 0..count {
        held.push(TcpStream::connect(address).await.with_context(|| format!("connection {number}"))?);
    }
    eprintln!("holding {count}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

async fn all(mut workers: JoinSet<Seen>) -> Seen {
    let mut sum = Seen::default();
    while let Some(worker) = workers.join_next().await {
        let Seen { latencies, errors, first_error } =
            worker.unwrap_or_else(|error| Seen { errors: 1, first_error: Some(error.to_string()), ..Seen::default() });
        sum.latencies.extend(latencies);
        sum.errors += errors;
        sum.first_error = sum.first_error.or(first_error);
    }
    sum
}

impl Seen {
    fn fail(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }

    fn milliseconds(&self, share: f64) -> f64 {
        let place = (self.latencies.len() as f64 * share) as usize;
        let found = self.latencies.get(place.min(self.latencies.len().saturating_sub(1)));
        found.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

fn report(mut seen: Seen) -> Result<()> {
    seen.latencies.sort_unstable();
    let line = serde_json::json!({
        "answers": seen.latencies.len(),
        "errors": seen.errors,
        "first_error": seen.first_error,
        "p50_ms": seen.milliseconds(0.5),
        "p99_ms": seen.milliseconds(0.99),
        "p999_ms": seen.milliseconds(0.999),
        "longest_ms": seen.milliseconds(1.0),
    });
    use std::io::Write;
    Ok(writeln!(std::io::stdout(), "{line}")?)
}
