//! From what this node sees to the tier that its keeper advertises.

use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_config::model::vip::Vip;
use fmc_lb::{Administrative, Health, ListenerState};
use fmc_vrrp::driver::Command;
use fmc_vrrp::tier::{Fitness, Tier};

use crate::fitness::{self, BackendCount, Facts, Judgement};
use crate::message::{FROZEN_AFTER, ToKeeper};
use crate::proxy::appliance::Appliance;

/// Judges every VIP anew and tells the keeper; notes what changed.
pub(crate) fn tell_fitness(appliance: &mut Appliance) {
    for index in 0..appliance.vips.len() {
        if !is_known(appliance, &appliance.vips[index].vip) {
            continue;
        }
        let judgement = fitness::judge(&facts(appliance, &appliance.vips[index].vip));
        let fitness = Fitness::serving(judgement.tier, judgement.cause);
        let vip = appliance.vips[index].vip.name.clone();
        appliance.keeper.tell(&ToKeeper::Command(Command::Fitness { vip, fitness }));
        if appliance.vips[index].judgement.as_ref() != Some(&judgement) {
            note_change(appliance, index, &judgement);
            appliance.vips[index].judgement = Some(judgement);
        }
    }
}

fn note_change(appliance: &mut Appliance, index: usize, judgement: &Judgement) {
    let severity = if judgement.tier == Tier::Fit { Severity::Info } else { Severity::Warning };
    let state = &appliance.vips[index];
    let (subject, tier) = (Some(format!("vip {}", state.vip.name)), judgement.tier);
    appliance.note(severity, EventKind::Fitness, subject, format!("this node is {tier} for it: {}", judgement.reason));
}

/// The first checks are in, or have had their time: before that nothing is claimed.
fn is_known(appliance: &Appliance, vip: &Vip) -> bool {
    let awaited = backends_behind(appliance, vip).any(|backend| {
        let waited_long = appliance.started.elapsed() > backend.check.timeout * 2;
        let pool = appliance.data_plane.pool(backend.name.as_str());
        !waited_long
            && pool.is_some_and(|pool| pool.snapshot().members.iter().any(|member| member.health == Health::Unknown))
    });
    !awaited
}

fn facts(appliance: &Appliance, vip: &Vip) -> Facts {
    Facts {
        maintenance: appliance.admin != AdminState::Ready,
        dead_listener: dead_listener(appliance, vip),
        loop_alive: appliance.data_plane.pulse().age() < FROZEN_AFTER,
        scarce: appliance.scarce,
        backends: backends_behind(appliance, vip).map(|backend| count(appliance, backend)).collect(),
    }
}

fn dead_listener(appliance: &Appliance, vip: &Vip) -> Option<String> {
    let listeners = appliance.data_plane.listeners();
    let dead = listeners.into_iter().find(|l| *l.address.ip() == vip.address && l.state == ListenerState::Dead)?;
    Some(dead.address.to_string())
}

fn backends_behind<'a>(
    appliance: &'a Appliance,
    vip: &'a Vip,
) -> impl Iterator<Item = &'a fmc_config::model::backend::Backend> {
    appliance.config.backends.iter().filter(move |backend| {
        appliance.config.frontends.iter().any(|frontend| frontend.vip == vip.name && frontend.backend == backend.name)
    })
}

fn count(appliance: &Appliance, backend: &fmc_config::model::backend::Backend) -> BackendCount {
    let pool = appliance.data_plane.pool(backend.name.as_str()).map(|pool| pool.snapshot());
    let members = pool.iter().flat_map(|pool| pool.members.iter());
    let usable = members.filter(|m| m.health != Health::Unhealthy && m.administrative == Administrative::Ready).count();
    BackendCount { name: backend.name.to_string(), usable, all: backend.servers.len() }
}
