//! Differences between our configuration and what others send: told once, not with every packet. [core]

use std::net::Ipv4Addr;

use super::action::{Alarm, Outbox};
use super::parameters::Parameters;
use crate::packet::Advertisement;
use crate::priority::Priority;

/// What was told last of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Notices {
    interval: Option<(Ipv4Addr, u16)>,
    addresses: Option<Ipv4Addr>,
    priority: Option<Ipv4Addr>,
    path_broken: Option<u8>,
}

impl Notices {
    /// RFC 9568 §7.1 and §8.3.2: an interval, an address list or an equal priority is worth a line, and nothing more.
    pub(super) fn compare(
        &mut self,
        advertisement: &Advertisement,
        source: Ipv4Addr,
        ours: &Parameters,
        our_priority: Priority,
        outbox: &mut Outbox,
    ) {
        let theirs = advertisement.interval.get();
        if differs_newly(&mut self.interval, advertisement.interval != ours.interval, (source, theirs)) {
            outbox.alarm(Alarm::IntervalDiffers { source, theirs });
        }
        let other_list = advertisement.addresses.as_slice() != [ours.address];
        if differs_newly(&mut self.addresses, other_list, source) {
            outbox.alarm(Alarm::AddressListDiffers(source));
        }
        if differs_newly(&mut self.priority, advertisement.priority == our_priority, source) {
            outbox.alarm(Alarm::EqualPriority(source));
        }
    }

    /// Advertisements of the node of `rank` do not arrive though it is alive.
    pub(super) fn path_is_broken(&mut self, rank: u8, outbox: &mut Outbox) {
        if differs_newly(&mut self.path_broken, true, rank) {
            outbox.alarm(Alarm::AdvertisementPathBroken(rank));
        }
    }

    /// An advertisement arrived.
    pub(super) fn path_works(&mut self) {
        self.path_broken = None;
    }
}

/// Remembers `what` while it differs; true when that is news.
fn differs_newly<T: PartialEq + Copy>(told: &mut Option<T>, differs: bool, what: T) -> bool {
    if !differs {
        *told = None;
        return false;
    }
    told.replace(what) != Some(what)
}
