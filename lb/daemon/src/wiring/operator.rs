//! What operators asked, carried out: in the pools, the checker, the sessions and the election.

use std::time::SystemTime;

use fmc_api::Moment;
use fmc_api::events::EventKind;
use fmc_api::word::{AdminState, Severity};
use fmc_config::model::name::{NodeName, ServerName};
use fmc_lb::{Administrative as InPool, EndedBy, Health, Pool, Ticks};
use fmc_vrrp::driver::Command;

use super::tell_fitness;
use crate::administrative::{Administrative, Effect, Order, Subject, Wanted};
use crate::message::ToKeeper;
use crate::proxy::appliance::Appliance;
use crate::proxy::saver::Receipt;

/// Takes a command into the administrative layer, carries it out, and has the layer saved.
pub(crate) fn ask(
    wanted: Wanted,
    subjects: &[Subject],
    what: String,
    order: &Order,
    appliance: &mut Appliance,
) -> Option<Receipt> {
    let effects = appliance.administrative.apply(wanted, subjects, what, order, &appliance.config);
    carry_out(&effects, appliance);
    save(appliance)
}

/// Takes over what operators asked on another node while this one did not hear of it.
pub(crate) fn take_over(theirs: &Administrative, from: &NodeName, appliance: &mut Appliance) {
    let before = appliance.administrative.clone();
    let effects = appliance.administrative.merge(theirs, &appliance.config);
    if appliance.administrative == before {
        return;
    }
    let known = before.sentences();
    for (subject, sentence) in appliance.administrative.sentences() {
        if !known.contains(&(subject.clone(), sentence.clone())) {
            let text = format!("taken over from {from}: {sentence}");
            appliance.note(Severity::Info, EventKind::Command, Some(subject.to_string()), text);
        }
    }
    for (subject, sentence) in known {
        if !appliance.administrative.sentences().iter().any(|(still, _)| *still == subject) {
            let text = format!("taken back on {from}: {sentence}");
            appliance.note(Severity::Info, EventKind::Command, Some(subject.to_string()), text);
        }
    }
    carry_out(&effects, appliance);
    // Nobody waits for the disk: what is not saved is taken over again.
    save(appliance);
}

/// Makes the world agree.
pub(crate) fn carry_out(effects: &[Effect], appliance: &mut Appliance) {
    for effect in effects {
        match effect {
            // Judgements read the layer itself.
            Effect::Node(..) => {}
            Effect::Pin(node) if *node == appliance.node.name => hold(appliance),
            Effect::Pin(_) => {}
            Effect::Weight(backend, server, weight) => {
                if let Some(pool) = appliance.data_plane.pool(backend.as_str()) {
                    pool.set_weight(server.as_str(), *weight);
                }
            }
            Effect::State(backend, server, state) => {
                if let Some(pool) = appliance.data_plane.pool(backend.as_str()) {
                    let was_asked = !appliance.checker.is_paused(backend, server);
                    set_state(&pool, server, *state, was_asked, appliance.data_plane.pulse().precise_now());
                }
                if *state == AdminState::Maint {
                    appliance.checker.pause(backend, server);
                    let goes_there = |session: &fmc_lb::Session| session.goes_to(backend.as_str(), server.as_str());
                    appliance.data_plane.sessions().end_all(goes_there, EndedBy::ServerDrained);
                } else {
                    appliance.checker.resume(backend, server);
                }
            }
        }
    }
    tell_fitness(appliance);
}

/// Tells the keeper how long this node's pin still holds.
pub(crate) fn hold(appliance: &Appliance) {
    let pin = appliance.administrative.pin(&appliance.node.name);
    let duration = pin.map(|pin| pin.left(Moment::from(SystemTime::now()))).unwrap_or_default();
    appliance.keeper.tell(&ToKeeper::Command(Command::Hold { duration }));
}

fn set_state(pool: &Pool, server: &ServerName, state: AdminState, was_asked: bool, now: Ticks) {
    let was = pool.snapshot().member(server.as_str()).map(|member| member.administrative);
    if was == Some(InPool::Maint) && state != AdminState::Maint {
        // Not probed meanwhile, what was believed is old. One that others follow was, and no transition will tell its health again.
        if !was_asked {
            pool.set_health(server.as_str(), Health::Unknown);
        }
        pool.warm_up(server.as_str(), now);
    }
    pool.set_administrative(server.as_str(), in_pool(state));
}

/// Hands the layer as it is now to the disk. `None`: it could not even be written down, and the log says why.
pub(crate) fn save(appliance: &mut Appliance) -> Option<Receipt> {
    match appliance.administrative.to_record() {
        Ok(text) => Some(appliance.saver.save(text)),
        Err(error) => {
            let text = format!("what operators asked cannot be written down: {error}");
            appliance.note(Severity::Error, EventKind::Command, None, text);
            None
        }
    }
}

/// Puts what was in force before this start into force again; to be called before the first fitness is told.
pub(crate) fn resume(appliance: &mut Appliance) {
    appliance.administrative.expire(Moment::from(SystemTime::now()));
    for stale in appliance.administrative.reconcile(&appliance.config) {
        let subject = Some(stale.of.to_string());
        appliance.note(Severity::Warning, EventKind::Configuration, subject, stale.text);
    }
    for (subject, sentence) in appliance.administrative.sentences() {
        let text = format!("still in force: {sentence}");
        appliance.note(Severity::Info, EventKind::Command, Some(subject.to_string()), text);
    }
    let effects = appliance.administrative.in_force();
    carry_out(&effects, appliance);
    // Even when nothing has changed: a directory that takes no writes is known now, and not at the first command.
    save(appliance);
}

pub(crate) fn in_pool(state: AdminState) -> InPool {
    match state {
        AdminState::Ready => InPool::Ready,
        AdminState::Drain => InPool::Drain,
        AdminState::Maint => InPool::Maint,
    }
}
