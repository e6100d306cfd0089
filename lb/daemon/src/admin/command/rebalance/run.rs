//! A rebalance under way: one connection a tick, always the oldest idle one of the fullest server.

use std::time::{Duration, Instant};

use fmc_api::events::EventKind;
use fmc_api::rebalance::RebalanceOutcome;
use fmc_api::word::Severity;
use fmc_api::{Refusal, RefusalKind};
use fmc_lb::EndedBy;
use fmc_lb::balance::share;
use tokio::time::{MissedTickBehavior, interval};

use super::plan::{Plan, may_be_closed};
use crate::proxy::appliance::Shared;

/// One run may take this long; under the time that the admin API gives a connection, so that its answer is still heard.
const LONGEST: Duration = Duration::from_secs(300);

/// Some clients come back to the server they were on: of two servers in turn, every second. More closes than this times the
/// plan mean that closing does not help, and it ends.
const TIMES_THE_PLAN: u64 = 2;

/// Ends, and says so in the history, when dropped: at its end, or when the caller has hung up.
pub(super) struct Run<'a> {
    plan: &'a Plan,
    shared: &'a Shared,
    /// By server, as in the plan.
    closed: Vec<u64>,
}

/// What one tick came to.
enum Tick {
    Closed,
    Even,
    TooFewIdle,
}

impl<'a> Run<'a> {
    /// # Errors
    /// One is under way in this backend already.
    pub(super) fn begin(plan: &'a Plan, shared: &'a Shared) -> Result<Self, Refusal> {
        let mut appliance = shared.borrow_mut();
        let backend = plan.pool.name();
        if appliance.rebalancing.contains(backend) {
            let error = format!("{backend} is being rebalanced already");
            return Err(Refusal::new(RefusalKind::No, error, "wait for that to end, see fmc-lbctl events"));
        }
        appliance.rebalancing.push(backend.clone());
        let (closes, rate) = (planned(plan), plan.per_second);
        let text = format!("an operator asked for a rebalance: about {closes} idle connections, {rate} a second");
        appliance.note(Severity::Info, EventKind::Command, Some(backend.to_string()), text);
        Ok(Self { plan, shared, closed: vec![0; plan.servers.len()] })
    }

    /// What was closed on each server, and how it went.
    pub(super) async fn finish(mut self) -> (Vec<u64>, RebalanceOutcome) {
        let started = Instant::now();
        let mut ticks = interval(Duration::from_secs(1) / u32::from(self.plan.per_second));
        // A tick that comes late is not made up for: the rate is a promise to the servers that get the clients.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outcome = loop {
            ticks.tick().await;
            match self.tick() {
                Tick::Even => {
                    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                    break RebalanceOutcome::Evened { took_ms };
                }
                Tick::TooFewIdle => break self.plan.too_few_idle(),
                Tick::Closed => {}
            }
            if let Some(why) = self.gives_up(started) {
                break RebalanceOutcome::StillUneven { over: self.plan.over_now(), why: why.to_owned() };
            }
        };
        (self.closed.clone(), outcome)
    }

    fn tick(&mut self) -> Tick {
        let appliance = self.shared.borrow();
        let limits: Vec<_> = self.plan.servers.iter().map(|planned| planned.limit).collect();
        let open = self.plan.servers.iter().map(|planned| u64::from(planned.server.in_flight()));
        let mut open: Vec<_> = open.collect();
        let mut over = false;
        while let Some(fullest) = share::fullest(&open, &limits) {
            over = true;
            let server = &self.plan.servers[fullest].server;
            let may_be_closed = may_be_closed(&appliance, &self.plan.pool, server, self.plan.quiet);
            if let Some(session) = appliance.data_plane.sessions().oldest(may_be_closed) {
                self.closed[fullest] += u64::from(session.end(EndedBy::Rebalanced));
                return Tick::Closed;
            }
            // Nothing to close there: the next fullest.
            open[fullest] = 0;
        }
        if over { Tick::TooFewIdle } else { Tick::Even }
    }

    fn gives_up(&self, started: Instant) -> Option<&'static str> {
        if !self.plan.still_holds() {
            return Some("the servers in service, or their weights, have changed; run it again");
        }
        if self.closed.iter().sum::<u64>() >= planned(self.plan) * TIMES_THE_PLAN {
            return Some("twice as many as planned are closed, and clients come back to the same servers");
        }
        (started.elapsed() >= LONGEST).then_some("five minutes are over; run it again, or with a higher --rate")
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let mut appliance = self.shared.borrow_mut();
        let backend = self.plan.pool.name();
        appliance.rebalancing.retain(|other| other != backend);
        let closed: u64 = self.closed.iter().sum();
        let text =
            format!("the rebalance ended: {closed} idle connections closed, {} still over", self.plan.over_now());
        appliance.note(Severity::Info, EventKind::Command, Some(backend.to_string()), text);
    }
}

fn planned(plan: &Plan) -> u64 {
    plan.servers.iter().map(|server| server.closes()).sum()
}
