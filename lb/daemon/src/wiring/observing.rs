//! What an observer makes of what it sees: "I would have ...".

use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::observed::ObservedNote;
use fmc_api::word::{Comparison, Severity};
use fmc_config::model::name::VipName;
use fmc_health::{Observation, Verdict};
use fmc_vrrp::interval::{active_down_interval, skew_time};
use fmc_vrrp::observer::{Departure, Sighting};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::tier::Tier;
use tokio::runtime::Handle;

use super::reason::by_address;
use crate::observations::{Observations, Turn, milliseconds};
use crate::proxy::appliance::{Appliance, VipState};
use crate::proxy::saver::Saver;
use crate::proxy::view;
use crate::state_dir::StateDir;

/// A node that takes no part.
pub(crate) struct Observing {
    pub(crate) seen: Observations,
    saver: Saver,
}

impl Observing {
    /// Goes on where an observation ended before.
    pub(crate) fn start(directory: &StateDir, now: Moment, runtime: &Handle) -> Self {
        let seen = Observations::recover(directory.observed().as_deref(), now);
        Self { seen, saver: Saver::start(directory.clone(), StateDir::save_observed, runtime) }
    }

    /// Nobody waits for the disk: the record decides nothing.
    fn save(&self) {
        match self.seen.to_record() {
            Ok(text) => drop(self.saver.save(text)),
            Err(error) => tracing::warn!(%error, "what was observed cannot be written down"),
        }
    }
}

/// The keeper saw something of an election.
pub(super) fn sighted(vip: &VipName, sighting: Sighting, appliance: &mut Appliance) {
    let Some(address) = appliance.vips.iter().find(|state| state.vip.name == *vip).map(|state| state.vip.address)
    else {
        return;
    };
    let nodes = appliance.nodes_by_source();
    let name = |source: IpAddr| by_address(source, &nodes);
    let (text, comparison) = match sighting {
        Sighting::Found { owner, priority } => {
            (format!("{} owns {address} with priority {priority}", name(owner)), Comparison::Same)
        }
        Sighting::Moved { from, to, gap, left } => {
            let how = match left {
                Departure::Preempted => "advertised for the last time",
                Departure::Resigned => "handed it over",
                Departure::Silent => "was last heard",
            };
            let text = format!("{} owns {address}, {} after {} {how}", name(to), ms(gap), name(from));
            judged_move(text, gap, would_have_taken(left, gap, appliance))
        }
        Sighting::Returned { owner, gap } => {
            let ours = would_have_taken(Departure::Silent, gap, appliance);
            let text = format!(
                "{} said nothing for {} and goes on: I would have moved {address} after {}, rightly if it served nobody meanwhile",
                name(owner),
                ms(gap),
                ms(ours)
            );
            (text, Comparison::Unclear)
        }
        Sighting::Contested { between: [one, other] } => {
            let text = format!(
                "{} and {} both advertise {address}: I would have had one owner within an advertisement, by heartbeat even where adverts are lost",
                name(one),
                name(other)
            );
            (text, Comparison::Better)
        }
    };
    count(vip, sighting, appliance);
    tell(format!("vip {vip}"), text, comparison, appliance);
}

fn judged_move(text: String, gap: Duration, ours: Duration) -> (String, Comparison) {
    // Below that it is the order of packets.
    const NOTICED: Duration = Duration::from_millis(20);
    let comparison = match () {
        () if gap > ours + NOTICED => Comparison::Better,
        () if gap + NOTICED < ours => Comparison::Worse,
        () => return (format!("{text}, as I would have"), Comparison::Same),
    };
    (format!("{text}: I would have needed {}", ms(ours)), comparison)
}

fn count(vip: &VipName, sighting: Sighting, appliance: &mut Appliance) {
    let ours = match sighting {
        Sighting::Moved { left, gap, .. } => would_have_taken(left, gap, appliance),
        Sighting::Found { .. } | Sighting::Returned { .. } | Sighting::Contested { .. } => Duration::ZERO,
    };
    let Some(observing) = &mut appliance.observing else { return };
    let sums = observing.seen.sums_of(vip);
    match sighting {
        Sighting::Found { .. } => {}
        Sighting::Moved { gap, .. } => {
            sums.moves += 1;
            sums.took_ms += milliseconds(gap);
            sums.would_have_taken_ms += milliseconds(ours);
        }
        Sighting::Returned { .. } => sums.silences += 1,
        Sighting::Contested { .. } => sums.contests += 1,
    }
}

/// From the owner's last word to ours, as the second node of this configuration. Who preempts does so when it likes.
fn would_have_taken(left: Departure, gap: Duration, appliance: &Appliance) -> Duration {
    let election = &appliance.config.election;
    let second = Priority::new(election.priority.saturating_sub(1));
    match left {
        Departure::Preempted => gap,
        Departure::Resigned => skew_time(election.version, second, election.interval),
        Departure::Silent => active_down_interval(election.version, second, election.interval),
    }
}

/// A check changed its verdict of a server.
pub(super) fn server(observation: &Observation, appliance: &mut Appliance) {
    let Some(observing) = &mut appliance.observing else { return };
    let (backend, server) = (&observation.backend, &observation.server);
    let is_out = observation.verdict == Verdict::Unhealthy;
    let text = match observing.seen.out_of_service((backend, server), is_out, Instant::now()) {
        Some(Turn::Began) => {
            format!("{}: I would send it nothing new from now on", observation.outcome.detail)
        }
        Some(Turn::Ended(lasted)) => format!("it answers again: I would have spared clients it for {}", ms(lasted)),
        None => return,
    };
    tell(format!("{backend}/{server}"), text, Comparison::Unclear, appliance);
}

/// Looks whether the router of this machine keeps what this node could not serve; called four times a second.
pub(super) fn look(appliance: &mut Appliance) {
    if appliance.observing.is_none() {
        return;
    }
    let kept: Vec<(VipName, IpAddr, Option<String>)> = appliance
        .vips
        .iter()
        .map(|state| (state.vip.name.clone(), state.vip.address, unfit_and_kept(state, appliance)))
        .collect();
    for (vip, address, unfit) in kept {
        let Some(observing) = &mut appliance.observing else { return };
        let turn = observing.seen.kept_while_unfit(&vip, unfit.is_some(), Instant::now());
        let text = match turn {
            Some(Turn::Began) => {
                let why = unfit.unwrap_or_default();
                format!("{why}: I would give {address} away, and the router of this node keeps it")
            }
            Some(Turn::Ended(lasted)) => {
                format!("the router of this node kept {address} for {} while it could not serve it", ms(lasted))
            }
            None => continue,
        };
        tell(format!("vip {vip}"), text, Comparison::Better, appliance);
    }
}

/// Why it should not be here, though it is.
fn unfit_and_kept(state: &VipState, appliance: &Appliance) -> Option<String> {
    let judgement = state.judgement.as_ref().filter(|judgement| judgement.tier == Tier::Unfit)?;
    let is_here = view::owner(appliance, state) == fmc_api::status::Owner::Node(appliance.node.name.clone());
    is_here.then(|| judgement.reason.to_string())
}

fn tell(subject: String, text: String, comparison: Comparison, appliance: &mut Appliance) {
    appliance.note(Severity::Info, EventKind::Observed, Some(subject.clone()), text.clone());
    let Some(observing) = &mut appliance.observing else { return };
    observing.seen.note(ObservedNote { at: Moment::from(SystemTime::now()), subject, text, comparison });
    observing.save();
}

/// `3.61 s`, `12 ms`.
fn ms(span: Duration) -> String {
    let seconds = span.as_secs_f64();
    if seconds < 1.0 { format!("{} ms", span.as_millis()) } else { format!("{seconds:.2} s") }
}
