//! The administrative layer: what operators have asked of this node and of its servers. [core]
//!
//! Kept apart from what is configured and from what is observed.
//!
//! ```text
//! command ─────────── apply ──▶ effects (performed by the wiring)     text of the record ──▶ state directory
//! undo ──────────────── undo ──▶ effects                               state directory ── parse ──▶ reconcile with the configuration
//! another node's layer ─ merge ─▶ effects
//! ```
//!
//! Each node has the whole layer, of every node. Of each subject the newest act counts, by its [`Stamp`]; so nodes that exchange
//! their layers in any order, and as often as they like, come to the same one.
//!
//! A value: it performs nothing and knows no clock. Whoever changes it performs the effects and has the record saved.

mod act;
mod record;
mod stamp;
mod standing;

use std::time::Duration;

use fmc_api::word::AdminState;
use fmc_api::{Asked, Moment, Target};
use fmc_config::model::Config;
use fmc_config::model::backend::Weight;
use fmc_config::model::name::{BackendName, NodeName, ServerName};
use serde::{Deserialize, Serialize};

pub(crate) use act::Act;
pub(crate) use stamp::{Order, Stamp};
pub(crate) use standing::{Pin, Standing};

use act::Journal;

/// Everything that operators have asked and that is still in force, and the acts that can be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Administrative {
    /// One for each subject that an operator ever asked something of, in the order of the subjects; nothing may be in force of it.
    standing: Vec<Standing>,
    journal: Journal,
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Target", into = "Target")]
pub(crate) enum Subject {
    Node(NodeName),
    Server(BackendName, ServerName),
}

/// What a command wants of its subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    State(AdminState),
    Weight(Weight),
    /// Of a node, for so long; zero ends an earlier one.
    Pin(Duration),
}

/// What of a subject an act changes; the two are asked and taken back apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Aspect {
    State,
    Weight,
    Pin,
}

impl Aspect {
    const ALL: [Self; 3] = [Self::State, Self::Weight, Self::Pin];
}

impl Wanted {
    fn aspect(self) -> Aspect {
        match self {
            Self::State(_) => Aspect::State,
            Self::Weight(_) => Aspect::Weight,
            Self::Pin(_) => Aspect::Pin,
        }
    }
}

/// What has to be done so that the world agrees with the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Node(NodeName, AdminState),
    State(BackendName, ServerName, AdminState),
    Weight(BackendName, ServerName, Weight),
    /// The node's pin is another, or gone: the layer has it.
    Pin(NodeName),
}

/// Something that was in force and is not any more, because the configuration says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stale {
    pub(crate) of: Subject,
    /// One sentence: what is dropped, and why.
    pub(crate) text: String,
}

/// An act that was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Undone {
    pub(crate) act: Act,
    /// Only what really changes: what the configuration has replaced since is not in them.
    pub(crate) effects: Vec<Effect>,
}

impl Administrative {
    /// The stamp of a command that is asked on `node` now. No other gets it, also when this one changes nothing, or not yet.
    pub(crate) fn next_stamp(&mut self, node: &NodeName) -> Stamp {
        self.journal.count += 1;
        Stamp { count: self.journal.count, by: node.clone() }
    }

    /// An order of another node is carried out here: what is asked here from now on comes after it. It may leave nothing else in the
    /// layer, and the node that gave it may have forgotten it when it is asked again.
    pub(crate) fn heard_of(&mut self, order: &Stamp) {
        self.journal.count = self.journal.count.max(order.count);
    }

    /// Takes a command in. Its effects are those of every subject, of one that is in that state already too: a command
    /// that is said again acts again. Only one that changes something is an act. What is newer than the command stays.
    pub(crate) fn apply(
        &mut self,
        wanted: Wanted,
        subjects: &[Subject],
        what: String,
        order: &Order,
        config: &Config,
    ) -> Vec<Effect> {
        let before = subjects.iter().map(|subject| self.of(subject));
        let before: Vec<Standing> =
            before.filter(|standing| standing.stamp(wanted.aspect()) <= Some(&order.stamp)).collect();
        let effects = before.iter().filter_map(|standing| effect(&standing.of, wanted)).collect();
        let changed: Vec<_> =
            before.into_iter().filter(|standing| standing.with(wanted, order, config) != *standing).collect();
        for standing in &changed {
            self.put(standing.with(wanted, order, config));
        }
        if !changed.is_empty() {
            self.journal.add(what, order, wanted.aspect(), changed);
        }
        effects
    }

    /// Takes the last act back; `None`: there is none left. What the configuration has replaced since stays replaced.
    pub(crate) fn undo(&mut self, order: &Order, config: &Config) -> Option<Undone> {
        let act = self.journal.take_last()?;
        self.journal.count = self.journal.count.max(order.stamp.count);
        let mut effects = Vec::new();
        for before in act.before.clone() {
            let now = self.of(&before.of);
            let back = now.clone().back_to(&before.reconciled(config).0, act.aspect, &order.stamp);
            effects.extend(differences(&now, &back, config));
            if back.is_configured(config) {
                self.put(back);
            }
        }
        Some(Undone { act, effects })
    }

    /// Takes in what another node knows: of each subject what is newer there, as far as this configuration knows the subject.
    pub(crate) fn merge(&mut self, other: &Self, config: &Config) -> Vec<Effect> {
        let mut effects = Vec::new();
        for theirs in other.standing.iter().filter(|theirs| theirs.is_configured(config)) {
            let ours = self.of(&theirs.of);
            let newest = ours.clone().newest(&theirs.clone().reconciled(config).0);
            effects.extend(differences(&ours, &newest, config));
            self.put(newest);
        }
        self.journal.merge(&other.journal);
        effects
    }

    /// The act that [`Administrative::undo`] would take back.
    pub(crate) fn last_act(&self) -> Option<&Act> {
        self.journal.last()
    }

    /// Drops what the configuration has made stale: it wins.
    pub(crate) fn reconcile(&mut self, config: &Config) -> Vec<Stale> {
        let mut dropped = Vec::new();
        for standing in std::mem::take(&mut self.standing) {
            let (kept, stale) = standing.reconciled(config);
            if kept.is_configured(config) {
                self.put(kept);
            }
            dropped.extend(stale);
        }
        dropped
    }

    /// Everything in force of servers, for a proxy whose pools know nothing of it yet; the node's own state is read by
    /// [`Administrative::node`].
    pub(crate) fn in_force(&self) -> Vec<Effect> {
        let effects = self.standing.iter().flat_map(|standing| {
            let state = standing.state().map(Wanted::State);
            let weight = standing.weight().map(Wanted::Weight);
            [state, weight].into_iter().flatten().filter_map(|wanted| effect(&standing.of, wanted))
        });
        effects.filter(|effect| matches!(effect, Effect::State(..) | Effect::Weight(..))).collect()
    }

    /// What is in force of a node.
    pub(crate) fn node(&self, node: &NodeName) -> AdminState {
        self.of(&Subject::Node(node.clone())).state().unwrap_or(AdminState::Ready)
    }

    /// Who asked for the node's state; `None`: nobody.
    pub(crate) fn node_asked(&self, node: &NodeName) -> Option<Asked> {
        self.of(&Subject::Node(node.clone())).state_asked()
    }

    /// The pin of a node, or one that is over.
    pub(crate) fn pin(&self, node: &NodeName) -> Option<Pin> {
        self.of(&Subject::Node(node.clone())).pin()
    }

    /// Forgets pins that are over.
    pub(crate) fn expire(&mut self, now: Moment) {
        for standing in std::mem::take(&mut self.standing) {
            self.put(standing.expired(now));
        }
    }

    /// What is in force of a server; `None`: nothing but the configuration.
    pub(crate) fn server(&self, backend: &BackendName, server: &ServerName) -> Option<&Standing> {
        let same = |standing: &&Standing| matches!(&standing.of, Subject::Server(b, s) if b == backend && s == server);
        self.standing.iter().find(same)
    }

    /// One sentence for each thing in force, for whoever reads the log of a start.
    pub(crate) fn sentences(&self) -> Vec<(Subject, String)> {
        let in_force = self.standing.iter().filter(|standing| !standing.is_nothing());
        in_force.map(|standing| (standing.of.clone(), standing.sentence())).collect()
    }

    fn of(&self, subject: &Subject) -> Standing {
        let known = self.standing.iter().find(|standing| standing.of == *subject);
        known.cloned().unwrap_or_else(|| Standing::nothing(subject.clone()))
    }

    fn put(&mut self, standing: Standing) {
        let place = self.standing.partition_point(|known| known.of < standing.of);
        match self.standing.get_mut(place).filter(|known| known.of == standing.of) {
            Some(known) => *known = standing,
            None => self.standing.insert(place, standing),
        }
    }
}

fn effect(subject: &Subject, wanted: Wanted) -> Option<Effect> {
    match (subject, wanted) {
        (Subject::Node(node), Wanted::State(state)) => Some(Effect::Node(node.clone(), state)),
        (Subject::Node(node), Wanted::Pin(_)) => Some(Effect::Pin(node.clone())),
        (Subject::Node(_), Wanted::Weight(_)) | (Subject::Server(..), Wanted::Pin(_)) => None,
        (Subject::Server(backend, server), Wanted::State(state)) => {
            Some(Effect::State(backend.clone(), server.clone(), state))
        }
        (Subject::Server(backend, server), Wanted::Weight(weight)) => {
            Some(Effect::Weight(backend.clone(), server.clone(), weight))
        }
    }
}

/// What has to be done when `now` becomes `back`.
fn differences(now: &Standing, back: &Standing, config: &Config) -> Vec<Effect> {
    let state = |standing: &Standing| standing.state().unwrap_or(AdminState::Ready);
    let weight = |standing: &Standing| standing.weight().or_else(|| standing::configured_weight(&standing.of, config));
    let state = (state(now) != state(back)).then(|| Wanted::State(state(back)));
    let weight = if weight(now) == weight(back) { None } else { weight(back).map(Wanted::Weight) };
    let pin = (now.pin() != back.pin()).then_some(Wanted::Pin(Duration::ZERO));
    let wanted = [state, weight, pin].into_iter().flatten();
    wanted.filter_map(|wanted| effect(&back.of, wanted)).collect()
}

/// A target that names one thing is a subject; a server in every backend is several.
#[derive(Debug, thiserror::Error)]
#[error("{0} does not name its backend")]
pub(crate) struct NotOneSubject(Target);

impl TryFrom<Target> for Subject {
    type Error = NotOneSubject;

    fn try_from(target: Target) -> Result<Self, NotOneSubject> {
        match target {
            Target::Node(node) => Ok(Self::Node(node)),
            Target::ServerOf(backend, server) => Ok(Self::Server(backend, server)),
            Target::Server(_) => Err(NotOneSubject(target)),
        }
    }
}

impl From<Subject> for Target {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Node(node) => Self::Node(node),
            Subject::Server(backend, server) => Self::ServerOf(backend, server),
        }
    }
}

#[cfg(test)]
mod tests;
