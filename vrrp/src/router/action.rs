//! What the driver is asked to perform, and the box it is kept in until then. [core]

use std::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::role::RoleChange;
use crate::priority::Priority;

/// Something the driver performs, in the order [`VirtualRouter::poll_action`](super::VirtualRouter::poll_action) gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Send one advertisement with this priority, made by [`VirtualRouter::advertisement`](super::VirtualRouter::advertisement).
    SendAdvertisement(Priority),
    /// Install the address, and keep renewing its lease.
    AddAddress,
    /// Stop renewing, and remove the address.
    RemoveAddress,
    /// Send one set of gratuitous ARP in both forms, after the address is installed.
    Announce,
    /// Send a heartbeat to every peer now: what it says has changed.
    SendHeartbeat,
    /// The role changed; for the log, the event list and the proxy.
    RoleChanged(RoleChange),
    /// Something an operator should know.
    Alarm(Alarm),
}

/// Something an operator should know; raised when it begins, not again while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Alarm {
    /// Advertisements of the node of this rank stopped, but its heartbeat says that it is Active: the VRRP path is broken.
    AdvertisementPathBroken(u8),
    /// Both this node and the node of this rank say that they are Active, and its advertisements do not arrive.
    TwoActive(u8),
    /// Our own timers were late by this much.
    Stalled(Duration),
    /// Somebody on this node removed the address; it was added again.
    AddressRemoved,
    /// The address was removed again and again.
    AddressContested,
    /// A planned move found no taker; this node serves on.
    NobodyTookOver,
}

/// Pending actions. Each kind has one place, so it is bounded by construction and the order of RFC 9568 §6.4.2
/// (advertisement, address, announcement) is the order of the fields.
#[derive(Debug, Clone, Default)]
pub(super) struct Outbox {
    advertisement: Option<Priority>,
    address: Option<Address>,
    announce: bool,
    heartbeat: bool,
    role_changes: ArrayVec<RoleChange, REPORTS>,
    alarms: ArrayVec<Alarm, REPORTS>,
    lost_reports: u64,
}

/// Role changes and alarms between two drains of the driver, which drains after each event; one event makes two at most.
/// When full the newest is dropped and counted: only the log is poorer.
const REPORTS: usize = 8;

#[derive(Debug, Clone, Copy)]
enum Address {
    Add,
    Remove,
}

impl Outbox {
    pub(super) fn advertise(&mut self, priority: Priority) {
        self.advertisement = Some(priority);
    }

    pub(super) fn add_address(&mut self) {
        self.address = Some(Address::Add);
    }

    pub(super) fn remove_address(&mut self) {
        self.address = Some(Address::Remove);
        self.announce = false;
    }

    pub(super) fn announce(&mut self) {
        self.announce = true;
    }

    pub(super) fn heartbeat(&mut self) {
        self.heartbeat = true;
    }

    pub(super) fn role_changed(&mut self, change: RoleChange) {
        self.lost_reports += u64::from(self.role_changes.try_push(change).is_err());
    }

    pub(super) fn alarm(&mut self, alarm: Alarm) {
        self.lost_reports += u64::from(self.alarms.try_push(alarm).is_err());
    }

    pub(super) fn lost_reports(&self) -> u64 {
        self.lost_reports
    }

    pub(super) fn pop(&mut self) -> Option<Action> {
        if let Some(priority) = self.advertisement.take() {
            return Some(Action::SendAdvertisement(priority));
        }
        match self.address.take() {
            Some(Address::Add) => return Some(Action::AddAddress),
            Some(Address::Remove) => return Some(Action::RemoveAddress),
            None => {}
        }
        if std::mem::take(&mut self.announce) {
            return Some(Action::Announce);
        }
        if std::mem::take(&mut self.heartbeat) {
            return Some(Action::SendHeartbeat);
        }
        let change = self.role_changes.pop_at(0).map(Action::RoleChanged);
        change.or_else(|| self.alarms.pop_at(0).map(Action::Alarm))
    }
}
