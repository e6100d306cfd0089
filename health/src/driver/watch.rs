//! The task of one server: wait, name the event, probe, weigh, plan, tell.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use fmc_config::model::name::BackendName;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::sleep_until;

use super::target::Target;
use super::{Observation, now};
use crate::entropy::Entropy;
use crate::metrics::ServerMetrics;
use crate::outcome::{Finding, Outcome, Rung};
use crate::schedule::{Pace, Schedule};
use crate::verdict::{Transition, Verdict};

/// Everything that belongs to one server's task alone.
#[derive(Debug)]
pub(super) struct Watch {
    target: Arc<Target>,
    schedule: Schedule,
    entropy: Entropy,
    metrics: ServerMetrics,
    observations: mpsc::Sender<Observation>,
    rung: Option<Rung>,
}

enum Event {
    Due,
    Recheck,
}

impl Watch {
    pub(super) fn new(target: Arc<Target>, observations: mpsc::Sender<Observation>, now: Instant) -> Self {
        let mut entropy = Entropy::from_system();
        let check = &target.asked_by;
        Self {
            schedule: Schedule::new(check.interval, check.fast_interval, now, entropy.next()),
            metrics: ServerMetrics::new(&target.backend, &target.server),
            target,
            entropy,
            observations,
            rung: None,
        }
    }

    /// Until nobody listens any more, or the target is retired: then after the probe that is under way, which is closed properly.
    pub(super) async fn run(mut self) {
        while !self.target.is_retired() {
            self.until_attended().await;
            match self.wait().await {
                _ if self.target.is_retired() => return,
                Event::Due if !self.target.is_attended() => {}
                Event::Recheck => self.schedule.recheck(now()),
                Event::Due => {
                    if self.round().await.is_break() {
                        return;
                    }
                }
            }
        }
    }

    /// What was believed before a pause is no longer known: the first answer after it decides.
    async fn until_attended(&mut self) {
        if !self.target.is_attended() {
            self.target.until_attended().await;
            self.target.doubt(now());
        }
    }

    async fn wait(&self) -> Event {
        tokio::select! {
            biased;
            () = sleep_until(self.schedule.due().into()) => Event::Due,
            () = self.target.recheck_asked() => Event::Recheck,
        }
    }

    async fn round(&mut self) -> ControlFlow<()> {
        self.schedule.start(now());
        let outcome = self.target.probe().await;
        if !self.target.is_attended() || self.target.is_retired() {
            // It began before that: nobody waits for it any more.
            return ControlFlow::Continue(());
        }
        let at = now();
        let transition = self.target.health().observe(outcome.clone(), at);
        self.schedule.finish(self.pace(&outcome), at, self.entropy.next());
        self.metrics.observed(&outcome, self.target.health().verdict(), transition);
        self.log(&outcome, transition);
        self.tell(outcome, transition, at).await
    }

    /// An inconclusive round taught nothing, so the server is asked again soon.
    fn pace(&self, outcome: &Outcome) -> Pace {
        match self.target.health().changing() || outcome.finding == Finding::Inconclusive {
            true => Pace::Changing,
            false => Pace::Settled,
        }
    }

    /// First those who follow, whose relays this probe says nothing about, then those of this server itself.
    async fn tell(&self, outcome: Outcome, transition: Option<Transition>, at: Instant) -> ControlFlow<()> {
        let (verdict, gone_since) = {
            let health = self.target.health();
            (health.verdict(), health.gone_since())
        };
        let about = |backend: &BackendName, gone_since| Observation {
            backend: backend.clone(),
            server: self.target.server.clone(),
            verdict,
            transition,
            outcome: outcome.clone(),
            gone_since,
            at,
        };
        for follower in &self.target.followers {
            self.tell_one(about(follower, None)).await?;
        }
        let gone_since = gone_since.filter(|_| self.target.asks_where_clients_go);
        self.tell_one(about(&self.target.backend, gone_since)).await
    }

    async fn tell_one(&self, observation: Observation) -> ControlFlow<()> {
        let told = match observation.transition {
            Some(_) => self.observations.send(observation).await.map_err(|_closed| ()),
            None => self.tell_if_room(observation),
        };
        told.map_or(ControlFlow::Break(()), ControlFlow::Continue)
    }

    fn tell_if_room(&self, observation: Observation) -> Result<(), ()> {
        match self.observations.try_send(observation) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => {
                self.metrics.observation_dropped();
                Ok(())
            }
            Err(TrySendError::Closed(_)) => Err(()),
        }
    }

    fn log(&mut self, outcome: &Outcome, transition: Option<Transition>) {
        let (backend, server, detail) = (&self.target.backend, &self.target.server, outcome.detail.as_str());
        match transition.map(|transition| (transition.from, transition.to)) {
            Some((Verdict::Healthy, to)) => {
                tracing::debug!(%backend, %server, verdict = to.as_str(), detail, "server is down");
            }
            Some((_, to)) => {
                tracing::debug!(%backend, %server, verdict = to.as_str(), detail, "server's health is known")
            }
            None => tracing::debug!(%backend, %server, finding = outcome.finding.as_str(), detail, "probed"),
        }
        if outcome.rung.is_some() && outcome.rung != self.rung {
            self.rung = outcome.rung;
            let rung = outcome.rung.map(tracing::field::display);
            tracing::info!(%backend, %server, rung, detail, "health check stands on another rung");
        }
    }
}
