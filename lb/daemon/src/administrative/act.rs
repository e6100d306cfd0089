//! Acts: what was done, by whom, when, and how it was before.

use std::collections::VecDeque;

use fmc_api::{Asked, Moment};
use serde::{Deserialize, Serialize};

use super::Standing;

/// Acts that can be taken back; the oldest leaves when one more comes.
const ACTS_KEPT: usize = 32;

/// A command that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Act {
    /// Counts up from 1 over the node's life.
    pub(crate) number: u64,
    pub(crate) at: Moment,
    pub(crate) uid: u32,
    /// As it would be typed.
    pub(crate) what: String,
    /// Of each subject that it changed, what was in force until then.
    pub(crate) before: Vec<Standing>,
}

/// The last acts, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Journal {
    /// Acts ever done, those no longer kept and those taken back too.
    pub(super) done: u64,
    pub(super) acts: VecDeque<Act>,
}

impl Journal {
    pub(super) fn add(&mut self, what: String, asked: Asked, before: Vec<Standing>) {
        let Asked { at, uid } = asked;
        self.done += 1;
        self.acts.push_back(Act { number: self.done, at, uid, what, before });
        if self.acts.len() > ACTS_KEPT {
            self.acts.pop_front();
        }
    }

    pub(super) fn last(&self) -> Option<&Act> {
        self.acts.back()
    }

    pub(super) fn take_last(&mut self) -> Option<Act> {
        self.acts.pop_back()
    }
}
