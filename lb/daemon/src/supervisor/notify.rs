//! Readiness and the watchdog of systemd (sd_notify(3)); silent without it.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// What systemd has been told.
#[derive(Debug)]
pub(crate) struct Systemd {
    /// Half of `WatchdogSec=`; `None`: no watchdog.
    every: Option<Duration>,
    next: Instant,
    ready: bool,
    headline: String,
}

impl Systemd {
    /// Reads `WATCHDOG_USEC`.
    pub(crate) fn from_environment(now: Instant) -> Self {
        let every = sd_notify::watchdog_enabled().map(|period| period / 2);
        Self { every, next: now, ready: false, headline: String::new() }
    }

    /// When [`Systemd::turn`] must be called at the latest.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        self.every.map(|_| self.next)
    }

    /// Says what is due: READY once both roles work, STATUS when it changed, WATCHDOG in time.
    /// The watchdog is fed by the supervisor's own loop: a role that hangs is the supervisor's to kill.
    pub(crate) fn turn(&mut self, now: Instant, whole: bool, headline: &str) {
        let mut said = Vec::new();
        if whole && !self.ready {
            self.ready = true;
            said.push(NotifyState::Ready);
        }
        if self.headline != headline {
            self.headline = headline.to_owned();
            said.push(NotifyState::Status(headline));
        }
        if let Some(every) = self.every.filter(|_| now >= self.next) {
            self.next = now + every;
            said.push(NotifyState::Watchdog);
        }
        notify(&said);
    }

    pub(crate) fn stopping(&self) {
        notify(&[NotifyState::Stopping]);
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if states.is_empty() {
        return;
    }
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd does not listen");
    }
}
