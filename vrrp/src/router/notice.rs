//! A broken path of advertisements: told once, not with every heartbeat. [core]

use super::action::{Alarm, Outbox};

/// What was told last.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Notices {
    path_broken: Option<u8>,
}

impl Notices {
    /// Advertisements of the node of `rank` do not arrive though it is alive.
    pub(super) fn path_is_broken(&mut self, rank: u8, outbox: &mut Outbox) {
        if self.path_broken.replace(rank) != Some(rank) {
            outbox.alarm(Alarm::AdvertisementPathBroken(rank));
        }
    }

    /// An advertisement arrived.
    pub(super) fn path_works(&mut self) {
        self.path_broken = None;
    }
}
