//! Who is connected to whom: the one place where health, data plane and election meet.
//!
//! ```text
//! agents ─── AgentSaid ────▶ pool (what a server wants)
//! checker ── Observation ──▶ pool (health of a server) ──▶ fitness of each VIP ──▶ keeper (tier, priority)
//! server gone ─────────────▶ sessions (reset those that nobody answers)
//! dial failed ─────────────▶ checker (probe it now)
//! resolver ── Answered ────▶ pool, checker (the servers that a name has now)
//! keeper ── RoleChanged ───▶ sessions (end those whose VIP left), history, moves that an operator waits for
//! ```

mod agent;
mod alarm;
pub(crate) mod alarms;
mod consequences;
mod failover;
mod judgement;
mod mismatch;
pub(crate) mod names;
pub(crate) mod observing;
pub(crate) mod operator;
mod readings;
mod reason;
pub(crate) mod reload;
mod roles;
pub(crate) mod trial;

use std::time::{Duration, Instant};

use fmc_api::events::EventKind;
use fmc_api::word::Severity;
use fmc_config::model::name::{BackendName, ServerName};
use fmc_health::{AgentSaid, Observation, Verdict};
use fmc_lb::{EndedBy, Health, Member};
use fmc_vrrp::driver::{Command, Report};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::admin::status_address;
use crate::fitness::Scarce;
use crate::headroom::Headroom;
use crate::memory_budget::{self, Pressure};
use crate::message::ToKeeper;
use crate::pair::channel;
use crate::proxy::appliance::{Appliance, Shared};
use crate::proxy::control_pulse::ControlPulse;
use crate::proxy::link::News;
use crate::proxy::metrics;
use crate::resolver::Answered;

pub(crate) use judgement::tell_fitness;

/// How often what is level-triggered is said again: a keeper that was frozen or restarted learns our fitness by it.
const TURN: Duration = Duration::from_millis(250);

/// What could not be bound is tried again so often.
const AGAIN: Duration = Duration::from_secs(1);

/// Relays whose VIP left unplanned are kept this long: a short stall gives it back.
const LOST_RELAYS_KEPT: Duration = Duration::from_secs(10);

/// Failed dials that wait for the control thread; further ones are dropped: the server is probed anyway.
pub(crate) const FAILED_DIALS_WAITING: usize = 256;

/// A server has failed a client.
#[derive(Debug)]
pub(crate) struct FailedClient {
    pub(crate) backend: BackendName,
    pub(crate) server: ServerName,
    /// So many now that it is out, by the rule of its backend.
    pub(crate) is_out: bool,
}

/// Everything that arrives at the control thread.
pub(crate) struct Inbox {
    pub(crate) news: mpsc::Receiver<News>,
    pub(crate) observations: mpsc::Receiver<Observation>,
    pub(crate) agents: mpsc::Receiver<AgentSaid>,
    pub(crate) failed_dials: mpsc::Receiver<FailedClient>,
    pub(crate) answers: mpsc::Receiver<Answered>,
}

/// Wait, name the event, act, until the supervisor says that it is over.
pub(crate) async fn run(shared: Shared, mut inbox: Inbox, pulse: &ControlPulse) {
    let mut turns = interval(TURN);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut again = interval(AGAIN);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut headroom = Headroom::new();
    loop {
        tokio::select! {
            Some(news) = inbox.news.recv() => {
                if hear(news, &mut shared.borrow_mut()).is_break() {
                    return;
                }
            }
            Some(observation) = inbox.observations.recv() => observe(&observation, &mut shared.borrow_mut()),
            Some(said) = inbox.agents.recv() => agent::hear(said, &mut shared.borrow_mut()),
            Some(failed) = inbox.failed_dials.recv() => take_failure(&failed, &mut shared.borrow_mut()),
            Some(answered) = inbox.answers.recv() => names::hear(answered, &mut shared.borrow_mut()),
            _ = turns.tick() => {
                pulse.beat(Instant::now());
                turn(&mut headroom, &mut shared.borrow_mut());
            }
            _ = again.tick() => {
                status_address::try_again(&shared);
                channel::try_again(&shared);
            }
        }
    }
}

fn hear(news: News, appliance: &mut Appliance) -> std::ops::ControlFlow<()> {
    match news {
        News::End => return std::ops::ControlFlow::Break(()),
        News::Processes(processes) => appliance.processes = Some(processes),
        News::KeeperMet => {
            operator::hold(appliance);
            tell_fitness(appliance);
        }
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
    observing::server(observation, appliance);
    tell_fitness(appliance);
}

/// Its check is asked at once. When clients' failures put it out it is out, unless nobody would be left: then they go on trying.
fn take_failure(failed: &FailedClient, appliance: &mut Appliance) {
    let FailedClient { backend, server, is_out } = failed;
    appliance.checker.recheck(backend, server);
    let configured = appliance.config.backends.iter().find(|known| known.name == *backend);
    let Some(rule) = configured.and_then(|known| known.observe).filter(|_| *is_out) else { return };
    let said = format!("{} clients failed within {} s, whatever its check finds", rule.failures, rule.within.as_secs());
    let Some(pool) = appliance.data_plane.pool(backend.as_str()) else { return };
    let serves = |member: &Member| member.health == Health::Healthy && member.server.name() != server;
    if !pool.snapshot().in_service().any(serves) {
        let text = format!("{said}; it stays in service: no other server of {backend} is healthy");
        return appliance.note(Severity::Warning, EventKind::Health, Some(format!("{backend}/{server}")), text);
    }
    for observation in appliance.checker.condemn(backend, server, said, rule.out_for) {
        observe(&observation, appliance);
    }
}

fn health(verdict: Verdict) -> Health {
    match verdict {
        Verdict::Unknown => Health::Unknown,
        Verdict::Healthy => Health::Healthy,
        Verdict::Unhealthy => Health::Unhealthy,
    }
}

fn turn(headroom: &mut Headroom, appliance: &mut Appliance) {
    keep_within_memory(appliance);
    let scarce = headroom.observe(appliance.data_plane.sessions().len() as u64);
    appliance.scarce = if appliance.memory.is_helpless() { Some(Scarce::Memory) } else { scarce };
    tell_fitness(appliance);
    appliance.keeper.tell(&ToKeeper::Command(Command::Status));
    alarms::look(appliance);
    names::look(appliance);
    readings::take(appliance);
    failover::look(appliance);
    observing::look(appliance);
    // Histograms keep every sample until somebody scrapes, or this is called.
    appliance.recorder.run_upkeep();
    let now = Instant::now();
    appliance.keeper.make_up();
    end_what_has_left(now, appliance);
    let over = |lost: Option<Instant>| lost.is_some_and(|at| now.duration_since(at) >= LOST_RELAYS_KEPT);
    for state in appliance.vips.iter_mut().filter(|state| over(state.lost_at)) {
        state.lost_at = None;
        let address = state.vip.address;
        appliance.data_plane.sessions().end_all(|session| session.vip().ip() == address, EndedBy::VipLost);
    }
}

/// Nobody new when the budget is nearly used up; when it is, those go who hold most and move nothing.
fn keep_within_memory(appliance: &mut Appliance) {
    let pressure = appliance.memory.observe(appliance.config.limits.max_memory_mib);
    appliance.data_plane.hold_newcomers(pressure != Pressure::None);
    if pressure == Pressure::Over {
        let ended = appliance.data_plane.shed(memory_budget::STUCK_FOR, memory_budget::SHED_A_TURN);
        if ended > 0 {
            let text = format!("memory is short: {ended} connections ended whose receiver took nothing");
            appliance.note(Severity::Warning, EventKind::Limit, None, text);
        }
    }
}

/// Ends the relays of addresses that the configuration no longer has.
fn end_what_has_left(now: Instant, appliance: &mut Appliance) {
    let is_over = |since: Instant| now.duration_since(since) >= LOST_RELAYS_KEPT;
    let (over, still): (Vec<_>, Vec<_>) = appliance.leaving.iter().partition(|(_, since)| is_over(*since));
    appliance.leaving = still;
    for (address, _) in over {
        appliance.data_plane.sessions().end_all(|session| session.vip().ip() == address, EndedBy::VipLost);
    }
}
