//! The administrative layer: what operators have asked of this node and of its servers. [core]
//!
//! Kept apart from what is configured and from what is observed.
//!
//! ```text
//! command ── apply ──▶ effects (performed by the wiring)     text of the record ──▶ state directory
//! undo ────── undo ──▶ effects                               state directory ── parse ──▶ reconcile with the configuration
//! ```
//!
//! A value: it performs nothing and knows no clock. Whoever changes it performs the effects and has the record saved.

mod act;
mod record;
mod standing;

use fmc_api::word::AdminState;
use fmc_api::{Asked, Target};
use fmc_config::model::Config;
use fmc_config::model::backend::Weight;
use fmc_config::model::name::{BackendName, NodeName, ServerName};
use serde::{Deserialize, Serialize};

pub(crate) use act::Act;
pub(crate) use standing::Standing;

use act::Journal;

/// Everything that operators have asked and that is still in force, and the acts that can be taken back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Administrative {
    /// One for each subject of which something other than the configuration is in force.
    standing: Vec<Standing>,
    journal: Journal,
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// What has to be done so that the world agrees with the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Node(AdminState),
    State(BackendName, ServerName, AdminState),
    Weight(BackendName, ServerName, Weight),
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
    /// Takes a command in. Its effects are those of every subject, of one that is in that state already too: a command
    /// that is said again acts again. Only one that changes something is an act.
    pub(crate) fn apply(
        &mut self,
        wanted: Wanted,
        subjects: &[Subject],
        what: String,
        asked: Asked,
        config: &Config,
    ) -> Vec<Effect> {
        let before: Vec<Standing> = subjects.iter().map(|subject| self.of(subject)).collect();
        let changed: Vec<Standing> =
            before.into_iter().filter(|standing| standing.with(wanted, asked, config) != *standing).collect();
        for standing in &changed {
            self.put(standing.with(wanted, asked, config));
        }
        if !changed.is_empty() {
            self.journal.add(what, asked, changed);
        }
        subjects.iter().filter_map(|subject| effect(subject, wanted)).collect()
    }

    /// Takes the last act back; `None`: there is none left. What the configuration has replaced since stays replaced.
    pub(crate) fn undo(&mut self, config: &Config, node: &NodeName) -> Option<Undone> {
        let act = self.journal.take_last()?;
        let mut effects = Vec::new();
        for before in act.before.clone() {
            let now = self.of(&before.of);
            let back = before.reconciled(config, node).0;
            effects.extend(differences(&now, &back, config));
            self.put(back);
        }
        Some(Undone { act, effects })
    }

    /// The act that [`Administrative::undo`] would take back.
    pub(crate) fn last_act(&self) -> Option<&Act> {
        self.journal.last()
    }

    /// Drops what the configuration has made stale: it wins.
    pub(crate) fn reconcile(&mut self, config: &Config, node: &NodeName) -> Vec<Stale> {
        let mut dropped = Vec::new();
        for standing in std::mem::take(&mut self.standing) {
            let (kept, stale) = standing.reconciled(config, node);
            self.put(kept);
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
        effects.filter(|effect| !matches!(effect, Effect::Node(_))).collect()
    }

    /// What is in force of this node.
    pub(crate) fn node(&self) -> AdminState {
        self.node_standing().and_then(Standing::state).unwrap_or(AdminState::Ready)
    }

    /// Who asked for the node's state; `None`: nobody.
    pub(crate) fn node_asked(&self) -> Option<Asked> {
        self.node_standing().and_then(Standing::state_asked)
    }

    /// What is in force of a server; `None`: nothing but the configuration.
    pub(crate) fn server(&self, backend: &BackendName, server: &ServerName) -> Option<&Standing> {
        let same = |standing: &&Standing| matches!(&standing.of, Subject::Server(b, s) if b == backend && s == server);
        self.standing.iter().find(same)
    }

    /// One sentence for each thing in force, for whoever reads the log of a start.
    pub(crate) fn sentences(&self) -> Vec<(Subject, String)> {
        self.standing.iter().map(|standing| (standing.of.clone(), standing.sentence())).collect()
    }

    fn node_standing(&self) -> Option<&Standing> {
        self.standing.iter().find(|standing| matches!(standing.of, Subject::Node(_)))
    }

    fn of(&self, subject: &Subject) -> Standing {
        let known = self.standing.iter().find(|standing| standing.of == *subject);
        known.cloned().unwrap_or_else(|| Standing::nothing(subject.clone()))
    }

    fn put(&mut self, standing: Standing) {
        self.standing.retain(|known| known.of != standing.of);
        if !standing.is_nothing() {
            self.standing.push(standing);
        }
    }
}

fn effect(subject: &Subject, wanted: Wanted) -> Option<Effect> {
    match (subject, wanted) {
        (Subject::Node(_), Wanted::State(state)) => Some(Effect::Node(state)),
        (Subject::Node(_), Wanted::Weight(_)) => None,
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
    let wanted = [state, weight].into_iter().flatten();
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
