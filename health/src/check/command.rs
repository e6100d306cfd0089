//! A program of the operator's: it passes by ending with 0.
//!
//! No shell, no input, five variables and nothing else of our surroundings: none of our descriptors (they close on exec) and none of our
//! capabilities (a program without file capabilities gets none, capabilities(7), and the ambient set is empty). It leads a process group of
//! its own, which is killed whole when its time is up, or when nobody wants to know any more.

use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use fmc_config::model::health_check::CommandProbe;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command as Process};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::attempt::{Answer, Attempt};
use super::error::{Awaited, ProbeError};
use super::tcp;

/// Programs that run at once, over all servers; further ones wait their turn within their own time.
const AT_ONCE: usize = 8;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);

/// Octets of what it says that are kept for whoever asks why; the rest is read and forgotten.
const KEPT: usize = 256;

/// To read what is in the pipe already.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// The `command` check.
#[derive(Debug)]
pub(super) struct Command {
    program: PathBuf,
    arguments: Vec<String>,
}

/// Everything that the program has started and that has stayed in its group.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Nobody is left: then it has ended by itself.
            let _ = killpg(leader, Signal::SIGKILL);
        }
    }
}

impl Command {
    pub(super) fn new(probe: &CommandProbe) -> Self {
        let CommandProbe { program, arguments } = probe.clone();
        Self { program, arguments }
    }

    pub(super) async fn ask(&self, address: SocketAddr, attempt: &mut Attempt) -> Result<Answer, ProbeError> {
        let _turn = attempt.within(Awaited::Turn, TURNS.acquire()).await?;
        let mut child = self.start(address).map_err(|error| self.not_started(&error))?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        attempt.step(|| format!("started {}", self.program.display()));
        let (status, said) = attempt.within(Awaited::Program(&self.program), finish(&mut child)).await?;
        drop(group);
        match status.map_err(ProbeError::Node)? {
            status if status.success() => Ok(attempt.answer(ended_well(&said), None)),
            status => {
                // Fail-open sends clients to those that fail their check and accept: whether it does, the program does not say.
                if let Ok(stream) = tcp::connect(address, attempt).await {
                    attempt.leave(stream.into());
                }
                Err(ProbeError::Program { ended: ended(status), said })
            }
        }
    }

    fn start(&self, address: SocketAddr) -> io::Result<Child> {
        Process::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("FMC_ADDRESS", address.ip().to_string())
            .env("FMC_PORT", address.port().to_string())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Says nothing about the server.
    fn not_started(&self, error: &io::Error) -> ProbeError {
        ProbeError::Node(io::Error::other(format!("{} cannot be started: {error}", self.program.display())))
    }
}

/// Its end, and the first of what it said: on standard output, or else on standard error.
async fn finish(child: &mut Child) -> (io::Result<ExitStatus>, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = {
        let listening = async { tokio::join!(listen(stdout, &mut out), listen(stderr, &mut err)) };
        tokio::pin!(listening);
        tokio::select! {
            _ = &mut listening => None,
            status = child.wait() => {
                // What it said is in the pipe. Whoever it has left behind with the other end must not keep us.
                let _ = timeout(LAST_WORDS, &mut listening).await;
                Some(status)
            }
        }
    };
    let status = match status {
        Some(status) => status,
        None => child.wait().await,
    };
    (status, first_line(if out.is_empty() { &err } else { &out }))
}

/// Reads to the end, so that it never waits for us, and keeps the beginning.
async fn listen(from: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let (Some(mut from), mut piece) = (from, [0; 1024]) else { return };
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let room = KEPT - kept.len();
        kept.extend_from_slice(&piece[..read.min(room)]);
    }
}

fn first_line(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim().chars().filter(|c| !c.is_control()).collect()
}

fn ended_well(said: &str) -> String {
    if said.is_empty() { "ended with 0".to_owned() } else { format!("ended with 0: {said}") }
}

fn ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}
