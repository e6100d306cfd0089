//! Has every move of a VIP measure itself: where the facts come from, and when they are looked at.

use std::time::{Duration, Instant, SystemTime};

use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::failovers::FailoverReport;
use fmc_api::word::{Half, Severity};
use fmc_config::model::name::VipName;
use fmc_lb::{EndedBy, Frontend};
use fmc_vrrp::router::role::{Reason, Role};

use super::LOST_RELAYS_KEPT;
use crate::failover_history::{MEASURED_FOR, Served, sentence};
use crate::proxy::appliance::Appliance;

/// Relays that were told to end have ended by then.
const ENDING: Duration = Duration::from_secs(1);

/// A VIP that has another role now.
pub(super) struct Turn<'a> {
    pub(super) vip: &'a VipName,
    pub(super) from: Role,
    pub(super) to: Role,
    pub(super) why: &'a Reason,
    /// Why it was in the role before.
    pub(super) before: &'a str,
    pub(super) sentence: &'a str,
    pub(super) ago: Duration,
}

/// Begins a report when the address came or went.
pub(super) fn note(turn: &Turn<'_>, appliance: &mut Appliance) {
    let handing_over = turn.from == Role::Leaving;
    match (turn.from.holds_address(), turn.to.holds_address()) {
        (false, true) => {
            let silent = match turn.why {
                Reason::Silence(span) => span.map(|span| span.as_micros() as u64),
                _ => None,
            };
            let planned = matches!(turn.why, Reason::ClaimRequested(_));
            begin(turn.vip, Half::Came, turn.sentence.to_owned(), planned, silent, turn.ago, appliance);
        }
        (true, false) => {
            let cause =
                if handing_over { format!("{}; {}", turn.before, turn.sentence) } else { turn.sentence.to_owned() };
            begin(turn.vip, Half::Left, cause, handing_over, None, turn.ago, appliance);
        }
        _ => {}
    }
}

/// What the keeper held is gone with it.
pub(super) fn keeper_gone(lost: &[VipName], appliance: &mut Appliance) {
    for vip in lost {
        begin(vip, Half::Left, "the keeper died".to_owned(), false, None, Duration::ZERO, appliance);
    }
}

/// The address is on this node since `ago`.
pub(super) fn address_installed(vip: &VipName, ago: Duration, appliance: &mut Appliance) {
    appliance.failovers.address_installed(vip, before_now(ago));
}

fn begin(
    vip: &VipName,
    half: Half,
    cause: String,
    planned: bool,
    silent_us: Option<u64>,
    ago: Duration,
    appliance: &mut Appliance,
) {
    let Some(address) = appliance.vips.iter().find(|state| state.vip.name == *vip).map(|state| state.vip.address)
    else {
        return;
    };
    let lasts = match half {
        Half::Came => MEASURED_FOR,
        Half::Left if planned => ENDING,
        Half::Left => LOST_RELAYS_KEPT + ENDING,
    };
    let left = half == Half::Left;
    let report = FailoverReport {
        node: appliance.node.name.clone(),
        number: 0,
        vip: vip.clone(),
        address,
        half,
        at: Moment::from(SystemTime::now().checked_sub(ago).unwrap_or(SystemTime::UNIX_EPOCH)),
        cause,
        planned,
        silent_us,
        address_up_us: None,
        first_connection_us: None,
        first_byte_us: None,
        relays_open: left.then(|| appliance.connections_on(address)),
        relays_ended: None,
        complete: false,
    };
    let ended_before = served(vip, appliance).ended;
    if left {
        // Whoever is served first from now on is served after the address has come back.
        of_vip(vip, appliance).iter().for_each(|frontend| frontend.watch_first_served());
    }
    appliance.failovers.begin(report, before_now(ago), lasts, ended_before);
    save(appliance);
}

/// Looks at everything that is being measured; called four times a second.
pub(super) fn look(appliance: &mut Appliance) {
    for vip in appliance.failovers.measured() {
        let served = served(&vip, appliance);
        let Some(done) = appliance.failovers.look(&vip, served, Instant::now()) else { continue };
        let text = sentence(&done);
        // Its move has its line in the log already.
        tracing::debug!(%vip, "{text}");
        appliance.events.add(Severity::Info, EventKind::Role, Some(format!("vip {vip}")), text);
        save(appliance);
    }
}

fn served(vip: &VipName, appliance: &Appliance) -> Served {
    let mut all = Served::default();
    for frontend in of_vip(vip, appliance) {
        let first = frontend.first_served();
        all.connection = [all.connection, first.connection].into_iter().flatten().min();
        all.byte = [all.byte, first.byte].into_iter().flatten().min();
        all.ended += frontend.traffic().ended(EndedBy::VipMoved) + frontend.traffic().ended(EndedBy::VipLost);
    }
    all
}

fn of_vip(vip: &VipName, appliance: &Appliance) -> Vec<std::sync::Arc<Frontend>> {
    let all = appliance.data_plane.frontends();
    all.into_iter().filter(|frontend| frontend.settings().vip == *vip).collect()
}

fn before_now(ago: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(ago).unwrap_or(now)
}

/// Nobody waits for the disk: the history decides nothing.
fn save(appliance: &Appliance) {
    match appliance.failovers.to_record() {
        Ok(text) => drop(appliance.failover_saver.save(text)),
        Err(error) => tracing::warn!(%error, "the history of failovers cannot be written down"),
    }
}
