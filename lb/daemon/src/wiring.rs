//! Who is connected to whom: the one place where health, data plane and election meet.
//!
//! ```text
//! checker ── Observation ──▶ pool (health of a server) ──▶ fitness of each VIP ──▶ keeper (tier, priority)
//! server gone ─────────────▶ sessions (reset those that nobody answers)
//! dial failed ─────────────▶ checker (probe it now)
//! keeper ── RoleChanged ───▶ sessions (end those whose VIP left), history, moves that an operator waits for
//! ```

mod alarm;
pub(crate) mod alarms;
mod consequences;
mod judgement;
mod mismatch;
pub(crate) mod operator;
mod reason;
pub(crate) mod reload;
mod roles;

use std::time::{Duration, Instant};

use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_config::model::name::{BackendName, ServerName};
use fmc_health::{Observation, Verdict};
use fmc_lb::{EndedBy, Health};
use fmc_vrrp::driver::{Command, Report};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::headroom::Headroom;
use crate::message::ToKeeper;
use crate::proxy::appliance::{Appliance, Shared};
use crate::proxy::control_pulse::ControlPulse;
use crate::proxy::link::News;
use crate::proxy::metrics;

pub(crate) use judgement::tell_fitness;

/// How often what is level-triggered is said again: a keeper that was frozen or restarted learns our fitness by it.
const TURN: Duration = Duration::from_millis(250);

/// Relays whose VIP left unplanned are kept this long: a short stall gives it back.
const LOST_RELAYS_KEPT: Duration = Duration::from_secs(10);

/// Failed dials that wait for the control thread; further ones are dropped: the server is probed anyway.
pub(crate) const FAILED_DIALS_WAITING: usize = 256;

/// Everything that arrives at the control thread.
pub(crate) struct Inbox {
    pub(crate) news: mpsc::Receiver<News>,
    pub(crate) observations: mpsc::Receiver<Observation>,
    pub(crate) failed_dials: mpsc::Receiver<(BackendName, ServerName)>,
}

/// Wait, name the event, act, until the supervisor says that it is over.
pub(crate) async fn run(shared: Shared, mut inbox: Inbox, pulse: &ControlPulse) {
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut headroom = Headroom::new();
    loop {
        tokio::select! {
            Some(news) = inbox.news.recv() => {
                if hear(news, &mut shared.borrow_mut()).is_break() {
                    return;
                }
            }
            Some(observation) = inbox.observations.recv() => observe(&observation, &mut shared.borrow_mut()),
            Some((backend, server)) = inbox.failed_dials.recv() => {
                shared.borrow().checker.recheck(&backend, &server);
            }
            _ = turns.tick() => {
                pulse.beat(Instant::now());
                turn(&mut headroom, &mut shared.borrow_mut());
            }
        }
    }
}

fn hear(news: News, appliance: &mut Appliance) -> std::ops::ControlFlow<()> {
    match news {
        News::End => return std::ops::ControlFlow::Break(()),
        News::Processes(processes) => appliance.processes = Some(processes),
        News::KeeperMet => tell_fitness(appliance),
        News::KeeperGone => roles::keeper_gone(appliance),
        News::Prepared(hash, outcome) => {
            // An answer that comes too late is not that of whoever asks now.
            if let Some((_, waiting)) = appliance.preparing.take_if(|(asked, _)| *asked == hash) {
                let _ = waiting.send(outcome);
            }
        }
        News::Report(Report::Snapshot(snapshot)) => {
            metrics::export(&snapshot, appliance);
            roles::reconcile(&snapshot, appliance);
            appliance.snapshot = Some(*snapshot);
        }
        News::Report(report) => {
            roles::hear(report, appliance);
            // What has changed shall be seen by whoever asks next.
            appliance.keeper.tell(&ToKeeper::Command(Command::Status));
        }
    }
    std::ops::ControlFlow::Continue(())
}

fn observe(observation: &Observation, appliance: &mut Appliance) {
    if let Some(since) = observation.gone_since {
        consequences::reset_quiet_relays(observation, since, appliance);
    }
    let Some(pool) = appliance.data_plane.pool(observation.backend.as_str()) else { return };
    if observation.outcome.passed() {
        pool.check_passed(observation.server.as_str());
    }
    let Some(transition) = observation.transition else { return };
    let before = pool.set_health(observation.server.as_str(), health(observation.verdict));
    if (before, observation.verdict) == (Some(Health::Unhealthy), Verdict::Healthy) {
        pool.warm_up(observation.server.as_str(), appliance.data_plane.pulse().precise_now());
    }
    let severity = if observation.verdict == Verdict::Unhealthy { Severity::Warning } else { Severity::Info };
    let subject = Some(format!("{}/{}", observation.backend, observation.server));
    let text = format!("{} (was {}): {}", transition.to.as_str(), transition.from.as_str(), observation.outcome.detail);
    appliance.note(severity, EventKind::Health, subject, text);
    tell_fitness(appliance);
}

fn health(verdict: Verdict) -> Health {
    match verdict {
        Verdict::Unknown => Health::Unknown,
        Verdict::Healthy => Health::Healthy,
        Verdict::Unhealthy => Health::Unhealthy,
    }
}

fn turn(headroom: &mut Headroom, appliance: &mut Appliance) {
    appliance.scarce = headroom.observe(appliance.data_plane.sessions().len() as u64);
    tell_fitness(appliance);
    appliance.keeper.tell(&ToKeeper::Command(Command::Status));
    alarms::look(appliance);
    // Histograms keep every sample until somebody scrapes, or this is called.
    appliance.recorder.run_upkeep();
    let now = Instant::now();
    appliance.keeper.make_up();
    end_what_has_left(now, appliance);
    let over = |lost: Option<Instant>| lost.is_some_and(|at| now.duration_since(at) >= LOST_RELAYS_KEPT);
    for state in appliance.vips.iter_mut().filter(|state| over(state.lost_at)) {
        state.lost_at = None;
        let address = state.vip.address;
        appliance.data_plane.sessions().end_all(|session| *session.vip().ip() == address, EndedBy::VipLost);
    }
}

/// Ends the relays of addresses that the configuration no longer has.
fn end_what_has_left(now: Instant, appliance: &mut Appliance) {
    let is_over = |since: Instant| now.duration_since(since) >= LOST_RELAYS_KEPT;
    let (over, still): (Vec<_>, Vec<_>) = appliance.leaving.iter().partition(|(_, since)| is_over(*since));
    appliance.leaving = still;
    for (address, _) in over {
        appliance.data_plane.sessions().end_all(|session| *session.vip().ip() == address, EndedBy::VipLost);
    }
}
