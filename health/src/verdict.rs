//! From outcomes to a verdict: rise and fall counters with *unknown* as a third state.
//!
//! ```text
//!                first pass                      `fall` failures in a row
//!  Unknown ─────────────────────────▶ Healthy ──────────────────────────▶ Unhealthy
//!     │                                  ▲                                  │  ▲
//!     │                                  └──────────────────────────────────┘  │
//!     └──────────────────────────────────── first failure ─────────────────────┘
//!                                           `rise` passes in a row leads back
//! ```
//!
//! The first result decides at once, whatever `rise` and `fall` say. Hysteresis weighs new evidence against old; an
//! unknown server has no old evidence. Waiting for `rise` would keep good servers out for no reason after each start,
//! and waiting for `fall` would send clients to a server of which nothing good is known (Keepalived's trackers do the
//! same: their very first failure counts whatever `fall` is). A wrong first failure costs `rise` fast probes.
//! An inconclusive outcome is evidence of nothing: it neither moves a verdict nor breaks a row.

use std::collections::VecDeque;
use std::time::Instant;

use crate::outcome::{Finding, Outcome};

/// How many outcomes are kept to explain a verdict: enough to show the row that caused it at usual `fall` values.
pub const HISTORY: usize = 5;

/// What is believed of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// No conclusive outcome yet.
    Unknown,
    /// Fit to serve.
    Healthy,
    /// Not fit to serve.
    Unhealthy,
}

/// One change of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// What was believed before.
    pub from: Verdict,
    /// What is believed now; never `Unknown`, never equal to `from`.
    pub to: Verdict,
    /// When the outcome that decided was observed.
    pub at: Instant,
}

/// One remembered outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// When the probe ended.
    pub at: Instant,
    /// What it found.
    pub outcome: Outcome,
}

/// The health of one server as its probes tell it.
#[derive(Debug, Clone)]
pub struct Health {
    rise: u8,
    fall: u8,
    verdict: Verdict,
    since: Instant,
    /// Conclusive outcomes in a row that contradict the verdict.
    against: u8,
    flaps: u32,
    absence: Option<Absence>,
    /// Condemned by its clients: passes before that prove nothing.
    out_until: Option<Instant>,
    history: VecDeque<Observed>,
}

/// Outcomes in a row that found nobody there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Absence {
    since: Instant,
    times: u8,
}

impl Health {
    /// Unknown since `now`. A `rise` or `fall` of 0 counts as 1.
    pub fn new(rise: u8, fall: u8, now: Instant) -> Self {
        Self {
            rise: rise.max(1),
            fall: fall.max(1),
            verdict: Verdict::Unknown,
            since: now,
            against: 0,
            flaps: 0,
            absence: None,
            out_until: None,
            history: VecDeque::with_capacity(HISTORY),
        }
    }

    /// The same by another measure; a row that was under way has to be longer or shorter now.
    pub fn measured_by(self, rise: u8, fall: u8) -> Self {
        Self { rise: rise.max(1), fall: fall.max(1), ..self }
    }

    /// Takes the outcome of one probe that ended at `now`; `Some` when the verdict changed by it.
    pub fn observe(&mut self, outcome: Outcome, now: Instant) -> Option<Transition> {
        let finding = outcome.finding;
        self.miss(&outcome, now);
        self.remember(outcome, now);
        if self.out_until.is_some_and(|until| now < until) {
            return None;
        }
        self.out_until = None;
        let to = self.weigh(finding)?;
        Some(self.turn(to, now))
    }

    /// Its clients say that it does not serve, whatever its check finds: unhealthy until `until` at least, and then until its check passes.
    pub fn condemn(&mut self, outcome: Outcome, until: Instant, now: Instant) -> Option<Transition> {
        self.remember(outcome, now);
        self.out_until = Some(until);
        match self.verdict {
            Verdict::Unhealthy => None,
            Verdict::Unknown | Verdict::Healthy => Some(self.turn(Verdict::Unhealthy, now)),
        }
    }

    /// Since when nobody is there, once `fall` outcomes in a row found that: connections to it have no other end.
    pub fn gone_since(&self) -> Option<Instant> {
        self.absence.filter(|absence| absence.times >= self.fall).map(|absence| absence.since)
    }

    /// What is believed.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Since when.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Outcomes in a row that contradict the verdict, and how many would change it.
    pub fn contradicted(&self) -> (u8, u8) {
        match self.verdict {
            Verdict::Unknown => (0, 1),
            Verdict::Healthy => (self.against, self.fall),
            Verdict::Unhealthy => (self.against, self.rise),
        }
    }

    /// Unknown, or contradicted by the latest outcomes: a state to leave by probing fast.
    pub fn changing(&self) -> bool {
        self.verdict == Verdict::Unknown || self.against > 0
    }

    /// Changes between healthy and unhealthy since the start; the first verdict is none.
    pub fn flaps(&self) -> u32 {
        self.flaps
    }

    /// The last outcomes, at most [`HISTORY`], oldest first.
    pub fn history(&self) -> impl ExactSizeIterator<Item = &Observed> {
        self.history.iter()
    }

    fn miss(&mut self, outcome: &Outcome, now: Instant) {
        self.absence = match (outcome.finding, self.absence) {
            (Finding::Inconclusive, absence) => absence,
            (_, Some(Absence { since, times })) if outcome.gone => {
                Some(Absence { since, times: times.saturating_add(1) })
            }
            (_, None) if outcome.gone => Some(Absence { since: now, times: 1 }),
            (Finding::Pass | Finding::Fail(_), _) => None,
        };
    }

    fn remember(&mut self, outcome: Outcome, at: Instant) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Observed { at, outcome });
    }

    /// The whole decision.
    fn weigh(&mut self, finding: Finding) -> Option<Verdict> {
        let (other, needed) = match (self.verdict, finding) {
            (Verdict::Unknown | Verdict::Healthy | Verdict::Unhealthy, Finding::Inconclusive) => return None,
            (Verdict::Unknown, Finding::Pass) => return Some(Verdict::Healthy),
            (Verdict::Unknown, Finding::Fail(_)) => return Some(Verdict::Unhealthy),
            (Verdict::Healthy, Finding::Pass) | (Verdict::Unhealthy, Finding::Fail(_)) => {
                self.against = 0;
                return None;
            }
            (Verdict::Healthy, Finding::Fail(_)) => (Verdict::Unhealthy, self.fall),
            (Verdict::Unhealthy, Finding::Pass) => (Verdict::Healthy, self.rise),
        };
        self.against += 1;
        (self.against >= needed).then_some(other)
    }

    fn turn(&mut self, to: Verdict, at: Instant) -> Transition {
        let from = std::mem::replace(&mut self.verdict, to);
        self.since = at;
        self.against = 0;
        if from != Verdict::Unknown {
            self.flaps = self.flaps.saturating_add(1);
        }
        Transition { from, to, at }
    }
}

impl Verdict {
    /// One lower-case word, for logs and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

#[cfg(test)]
mod tests;
