//! Acts: what was done, by whom, when, and how it was before.

use std::collections::VecDeque;

use fmc_api::{Asked, Moment};
use serde::{Deserialize, Serialize};

use super::{Aspect, Order, Stamp, Standing};

/// Acts that can be taken back; the oldest leaves when one more comes.
const ACTS_KEPT: usize = 32;

/// A command that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Act {
    pub(crate) stamp: Stamp,
    pub(crate) at: Moment,
    pub(crate) uid: u32,
    /// As it would be typed.
    pub(crate) what: String,
    pub(super) aspect: Aspect,
    /// It can be taken back once.
    #[serde(default)]
    pub(super) taken_back: bool,
    /// Of each subject that it changed, what was in force until then.
    pub(crate) before: Vec<Standing>,
}

/// The last acts of all nodes, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Journal {
    /// The highest count heard of.
    pub(super) count: u64,
    /// In the order of their stamps.
    pub(super) acts: VecDeque<Act>,
}

impl Journal {
    pub(super) fn add(&mut self, what: String, order: &Order, aspect: Aspect, before: Vec<Standing>) {
        let Order { asked: Asked { at, uid }, stamp } = order.clone();
        self.take_in(Act { stamp, at, uid, what, aspect, taken_back: false, before });
    }

    /// What another node knows of acts; known ones are kept, but what was taken back there is taken back.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count = self.count.max(other.count);
        for act in &other.acts {
            match self.acts.iter_mut().find(|known| known.stamp == act.stamp) {
                Some(known) => known.taken_back |= act.taken_back,
                None => self.take_in(act.clone()),
            }
        }
    }

    pub(super) fn last(&self) -> Option<&Act> {
        self.acts.iter().rev().find(|act| !act.taken_back)
    }

    pub(super) fn take_last(&mut self) -> Option<Act> {
        let last = self.acts.iter_mut().rev().find(|act| !act.taken_back)?;
        last.taken_back = true;
        Some(last.clone())
    }

    fn take_in(&mut self, act: Act) {
        self.count = self.count.max(act.stamp.count);
        let place = self.acts.partition_point(|known| known.stamp < act.stamp);
        if self.acts.get(place).is_some_and(|known| known.stamp == act.stamp) {
            return;
        }
        self.acts.insert(place, act);
        if self.acts.len() > ACTS_KEPT {
            self.acts.pop_front();
        }
    }
}
