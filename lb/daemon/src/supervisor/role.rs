//! One supervised process: its life, its heartbeat, its next start.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use fmc_api::Moment;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tracing::{info, warn};

use crate::backoff::Backoff;
use crate::channel::{self, Channel, Received, SendError};
use crate::message::{Begin, Order, ProcessLife, Word};

/// A role that is not ready yet may be silent this long: the proxy binds its listeners, the keeper waits for the proxy.
const START_MAY_TAKE: Duration = Duration::from_secs(10);

/// A role and everything the supervisor knows of it.
#[derive(Debug)]
pub(crate) struct Role {
    /// The internal subcommand: `keeper` or `proxy`.
    pub(crate) name: &'static str,
    /// Silence after which it is killed.
    frozen_after: Duration,
    life: Option<Life>,
    backoff: Backoff,
    /// When to start it again; `None` while it lives, or when it shall stay down.
    pub(crate) start_at: Option<Instant>,
    /// Lives after the first.
    pub(crate) restarts: u32,
    /// When it came into its present state, for people.
    since: Moment,
    /// It has been ready at least once: its end is now a failure to repair, no longer a refusal to report.
    pub(crate) proven: bool,
}

#[derive(Debug)]
struct Life {
    process: Child,
    lifeline: Channel<Order, Word>,
    since: Instant,
    last_word: Instant,
    ready: bool,
    /// Killed already; it takes the kernel a moment.
    dying: bool,
}

impl Life {
    fn patience(&self, frozen_after: Duration) -> Duration {
        if self.ready { frozen_after } else { START_MAY_TAKE }
    }
}

/// How a life ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    pub(crate) lived: Duration,
}

impl Role {
    /// A role that starts at the next turn.
    pub(crate) fn new(name: &'static str, frozen_after: Duration, now: Instant) -> Self {
        let backoff = Backoff::default();
        Self {
            name,
            frozen_after,
            life: None,
            backoff,
            start_at: Some(now),
            restarts: 0,
            since: Moment::from(SystemTime::now()),
            proven: false,
        }
    }

    /// Starts the process; its stdin is the lifeline, its stderr ours.
    pub(crate) fn start(&mut self, begin: &Begin) -> Result<()> {
        let (ours, theirs) = channel::pair().context("no socketpair for a role")?;
        let process = Command::new("/proc/self/exe")
            .arg0("fmc-lb")
            .arg(self.name)
            .stdin(Stdio::from(theirs))
            .spawn()
            .with_context(|| format!("cannot start the {}", self.name))?;
        let now = Instant::now();
        let lifeline = Channel::over(ours);
        lifeline.send(&Order::Begin(begin.clone())).with_context(|| format!("the {} does not listen", self.name))?;
        info!(role = self.name, pid = process.id(), "started");
        self.life = Some(Life { process, lifeline, since: now, last_word: now, ready: false, dying: false });
        self.start_at = None;
        self.since = Moment::from(SystemTime::now());
        Ok(())
    }

    /// Its life in the supervisor's words.
    pub(crate) fn life(&self) -> ProcessLife {
        ProcessLife { pid: self.pid(), ready: self.is_ready(), since: self.since.unix_ms(), restarts: self.restarts }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.life.is_some()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.ready)
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.life.as_ref().map(|life| life.process.id())
    }

    /// What to poll; nothing while it dies, SIGCHLD tells the rest.
    pub(crate) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.life.as_ref().filter(|life| !life.dying).map(|life| life.lifeline.as_fd())
    }

    /// Says something to it; a role that cannot hear is found out by its silence or its hang-up.
    pub(crate) fn tell(&self, order: &Order, descriptor: Option<BorrowedFd<'_>>) {
        let Some(life) = &self.life else { return };
        let sent = match descriptor {
            Some(descriptor) => life.lifeline.send_with(order, descriptor),
            None => life.lifeline.send(order),
        };
        if let Err(error @ (SendError::Full | SendError::Encode(_) | SendError::Kernel(_))) = sent {
            warn!(role = self.name, %error, "an order was lost");
        }
    }

    /// Everything it has said since the last turn. A closed lifeline means it is dying: it is killed, and reaped by [`Role::reap`].
    pub(crate) fn words(&mut self, now: Instant) -> Vec<(Word, Option<OwnedFd>)> {
        let mut words = Vec::new();
        let Some(life) = &mut self.life else { return words };
        loop {
            match life.lifeline.receive() {
                Received::Message(word, descriptor) => {
                    life.last_word = now;
                    life.ready |= matches!(word, Word::Ready);
                    self.proven |= life.ready;
                    words.push((word, descriptor));
                }
                Received::Empty => return words,
                Received::Closed => {
                    life.dying = true;
                    self.kill();
                    return words;
                }
            }
        }
    }

    /// Its silence so far was our own lateness.
    pub(crate) fn forgive(&mut self, now: Instant) {
        if let Some(life) = &mut self.life {
            life.last_word = now;
        }
    }

    /// Killed, or hung up, and not yet buried.
    pub(crate) fn is_dying(&self) -> bool {
        self.life.as_ref().is_some_and(|life| life.dying)
    }

    /// Kills it when it has been silent too long.
    pub(crate) fn judge(&mut self, now: Instant) {
        let Some(life) = &mut self.life else { return };
        let silent = now.saturating_duration_since(life.last_word);
        if silent > life.patience(self.frozen_after) && !life.dying {
            life.dying = true;
            warn!(role = self.name, silent_ms = silent.as_millis(), "frozen: killing it");
            self.kill();
        }
    }

    /// When [`Role::judge`] could next find it silent too long.
    pub(crate) fn judgement_at(&self) -> Option<Instant> {
        let judged = self.life.as_ref().filter(|life| !life.dying);
        judged.map(|life| life.last_word + life.patience(self.frozen_after))
    }

    pub(crate) fn kill(&self) {
        if let Some(pid) = self.pid().and_then(|pid| i32::try_from(pid).ok()) {
            match kill(Pid::from_raw(pid), Signal::SIGKILL) {
                Ok(()) | Err(nix::Error::ESRCH) => {}
                Err(errno) => warn!(role = self.name, %errno, "cannot kill it: the unit must grant CAP_KILL"),
            }
        }
    }

    /// Its end, if it has come.
    pub(crate) fn reap(&mut self, now: Instant) -> Option<End> {
        let status = self.life.as_mut()?.process.try_wait().ok().flatten()?;
        let life = self.life.take()?;
        self.since = Moment::from(SystemTime::now());
        Some(End { status, lived: now.duration_since(life.since) })
    }

    /// Plans the next life.
    pub(crate) fn schedule(&mut self, end: End, now: Instant) {
        let delay = self.backoff.next(end.lived);
        self.restarts += 1;
        self.start_at = Some(now + delay);
        warn!(role = self.name, status = %end.status, lived_ms = end.lived.as_millis(), restart_in_ms = delay.as_millis(), "ended");
    }
}
