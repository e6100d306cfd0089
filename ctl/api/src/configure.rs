//! `POST /v1/configure`: a configuration takes the place of the one in force, whole or not at all.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::pair::TrialId;
use crate::{Elsewhere, Moment};

/// Body of `POST /v1/configure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configure {
    /// Where the text comes from, for messages; the daemon does not open it.
    pub file: PathBuf,
    /// The whole text of the file.
    pub text: String,
    /// Prepare everything, say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// On trial: each node goes back to what it had, by itself, unless [`Confirm`] comes within so many milliseconds.
    /// `null`: it stays.
    #[serde(default)]
    pub confirm_within_ms: Option<u64>,
}

impl Configure {
    /// The longest text that is taken.
    pub const LONGEST: usize = 256 * 1024;

    /// The shortest and the longest trial, in milliseconds.
    pub const TRIAL_MS: std::ops::RangeInclusive<u64> = 1_000..=86_400_000;
}

/// What has changed, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigureAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// Nothing was changed.
    pub dry_run: bool,
    /// Key by key, defaults included, in the order of the file. Empty: both mean the same.
    pub changes: Vec<ConfigChange>,
    /// What that does to the election.
    pub election: ElectionChange,
    /// What that does to connections, and to what operators asked; one sentence each.
    pub consequences: Vec<String>,
    /// Connections that it ends.
    pub connections_cut: u64,
    /// Hash of what was in force; as in `status`.
    pub hash_before: String,
    /// Hash of the new one.
    pub hash: String,
    /// Why a restart of the whole service would not come back with it; `None`: it would, if the file is the one it reads.
    pub unsaved: Option<String>,
    /// The other nodes' part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Elsewhere<Self>>,
}

/// Body of `POST /v1/rollback`: what was in force before the trial comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// Only if this is the trial that runs; `null`: whichever does.
    #[serde(default)]
    pub trial: Option<TrialId>,
}

/// Body of `POST /v1/confirm`: what is on trial stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// Only if this is the configuration, by its hash; `null`: whichever is on trial. To confirm what is in force for good already is
    /// no mistake.
    #[serde(default)]
    pub hash: Option<String>,
}

/// The end of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// Hash of what is in force now.
    pub hash: String,
    /// The trial that ended; `null`: there was none to end.
    #[serde(default)]
    pub trial: Option<TrialId>,
    /// The other nodes' part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Elsewhere<Self>>,
}

/// Answer to `GET /v1/configuration`: what is in force, as a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationText {
    /// The answering node's clock.
    pub now: Moment,
    /// The file that the service starts with.
    pub file: PathBuf,
    /// What is in force, which is not what the file says when it came from another node.
    pub text: String,
}

/// One key that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigChange {
    /// With its tables: `backends.masters.balance`.
    pub field: String,
    /// As it was, in TOML; `None`: it was not there.
    pub before: Option<String>,
    /// As it is; `None`: it is gone.
    pub after: Option<String>,
}

/// What a configuration does to the election.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ElectionChange {
    /// Nothing.
    Nothing,
    /// Taken over in place: no address moves, no advertisement is missed.
    InPlace,
    /// Who takes part, where or as whom is another: the addresses that this node owns move to another node first.
    Anew,
}
