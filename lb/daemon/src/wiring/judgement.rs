//! From what this node sees to the tier that its keeper advertises.

use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_config::model::backend::{Backend, NamedServer};
use fmc_config::model::frontend::Frontend;
use fmc_config::model::name::ServerName;
use fmc_config::model::vip::Vip;
use fmc_health::{ServerStatus, Verdict};
use fmc_lb::{Administrative, Health, ListenerState, Member};
use fmc_vrrp::driver::Command;
use fmc_vrrp::tier::{Fitness, Tier};

use crate::fitness::{self, BackendCount, Facts, Judgement};
use crate::message::ToKeeper;
use crate::proxy::appliance::Appliance;

/// Judges every VIP anew and tells the keeper; notes what changed. Those of one election are judged as one: the owner must serve them all.
pub(crate) fn tell_fitness(appliance: &mut Appliance) {
    let checked = appliance.checker.status();
    for index in 0..appliance.vips.len() {
        // Once it was judged, a server that nobody knows yet holds nothing up.
        if appliance.vips[index].judgement.is_none() && !is_known(appliance, &appliance.vips[index].vip) {
            continue;
        }
        let judgement = fitness::judge(&facts(appliance, &appliance.vips[index].vip, &checked));
        let fitness = Fitness::serving(judgement.tier, judgement.cause);
        let vip = appliance.vips[index].vip.name.clone();
        if appliance.vips[index].vip.follows.is_none() {
            appliance.keeper.tell(&ToKeeper::Command(Command::Fitness { vip, fitness }));
        }
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
        let waited_long = appliance.in_force_since.elapsed() > backend.check.timeout * 2;
        let pool = appliance.data_plane.pool(backend.name.as_str());
        // Nobody probes a server in maintenance.
        let unknown =
            |member: &Member| member.health == Health::Unknown && member.administrative != Administrative::Maint;
        let is_awaited = backend.named.iter().any(|named| appliance.resolution.is_awaited(&named.host));
        !waited_long && (is_awaited || pool.is_some_and(|pool| pool.snapshot().members.iter().any(unknown)))
    });
    !awaited
}

fn facts(appliance: &Appliance, vip: &Vip, checked: &[ServerStatus]) -> Facts {
    Facts {
        maintenance: appliance.administrative.node(&appliance.node.name) != AdminState::Ready,
        dead_listener: dead_listener(appliance, vip),
        loop_alive: appliance.relay_loop.is_alive(),
        scarce: appliance.scarce,
        backends: backends_behind(appliance, vip).map(|backend| count(appliance, vip, backend, checked)).collect(),
    }
}

fn dead_listener(appliance: &Appliance, vip: &Vip) -> Option<String> {
    let is_of_it = |address| appliance.config.elected_with(&vip.name).any(|other| other.address == address);
    let listeners = appliance.data_plane.listeners();
    let dead = listeners.into_iter().find(|l| is_of_it(l.address.ip()) && l.state == ListenerState::Dead)?;
    Some(dead.address.to_string())
}

fn backends_behind<'a>(appliance: &'a Appliance, vip: &'a Vip) -> impl Iterator<Item = &'a Backend> {
    let leads_there = |backend: &&Backend| frontends_of(appliance, vip).any(|front| front.leads_to(&backend.name));
    appliance.config.backends.iter().filter(leads_there)
}

/// What listens on the VIP, and on those that it goes with.
fn frontends_of<'a>(appliance: &'a Appliance, vip: &'a Vip) -> impl Iterator<Item = &'a Frontend> {
    let is_of_it =
        |frontend: &&Frontend| appliance.config.elected_with(&vip.name).any(|other| other.name == frontend.vip);
    appliance.config.frontends.iter().filter(is_of_it)
}

fn count(appliance: &Appliance, vip: &Vip, backend: &Backend, checked: &[ServerStatus]) -> BackendCount {
    let pool = appliance.data_plane.pool(backend.name.as_str()).map(|pool| pool.snapshot());
    let in_service = |name: &ServerName| {
        let member = pool.as_ref().and_then(|pool| pool.member(name.as_str()));
        member.is_some_and(Member::takes_new_connections)
    };
    let is_backup = |server: &&ServerStatus| {
        backend.servers.iter().any(|configured| configured.name == server.server && configured.backup)
    };
    let serving = || checked.iter().filter(|server| server.backend == backend.name && in_service(&server.server));
    let accepts = |server: &&ServerStatus| {
        server.verdict != Verdict::Unhealthy || server.last().is_some_and(|last| last.outcome.accepted)
    };
    let regular = || serving().filter(|server| !is_backup(server));
    let is_down = |server: &&ServerStatus| {
        let member = pool.as_ref().and_then(|pool| pool.member(server.server.as_str()));
        server.verdict == Verdict::Unhealthy || member.is_some_and(|member| member.agent.is_down)
    };
    // A name without an address is a server that is down.
    let is_unresolved = |named: &&NamedServer| !named.backup && appliance.resolution.addresses(named).is_empty();
    let unresolved = backend.named.iter().filter(is_unresolved).count();
    BackendCount {
        name: backend.name.to_string(),
        is_side: !frontends_of(appliance, vip).any(|frontend| frontend.backend == backend.name),
        healthy: regular().filter(|server| !is_down(server)).count(),
        accepting: serving().filter(accepts).count(),
        all: regular().count() + unresolved,
    }
}
