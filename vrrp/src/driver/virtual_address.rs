//! One VIP in the driver: its router, and what is known of its address.

use std::time::Duration;

use crate::boot_instant::BootInstant;
use crate::lease::{Epoch, InterfaceIndex};
use crate::router::{AddressLoss, VirtualRouter};

use super::settings::VipSettings;
use super::snapshot::{LastHeard, VipSnapshot};

/// A renewal is heard of each 250 ms; an address that vanishes this long after the last one was not renewed.
const RENEWED_WITHIN: Duration = crate::lease::LATEST_RENEWAL;

/// A VIP.
#[derive(Debug)]
pub(super) struct VirtualAddress {
    pub(super) settings: VipSettings,
    pub(super) on: InterfaceIndex,
    pub(super) router: VirtualRouter,
    pub(super) address: Address,
    /// Of the last command to the address thread.
    pub(super) epoch: Epoch,
    pub(super) last_heard: Option<LastHeard>,
    complained_at: Option<BootInstant>,
}

/// One line about an address that cannot be installed or removed in this time: the router tries again at each interval.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// The address, as the address thread and the kernel tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    /// Not on this node by our doing.
    Absent,
    /// The address thread was told to install it.
    Installing,
    /// It is installed. `present`: the kernel's last event says so too.
    Installed { renewed_at: BootInstant, present: bool },
    /// The address thread was told to remove it.
    Removing,
}

impl VirtualAddress {
    pub(super) fn new(settings: VipSettings, on: InterfaceIndex, router: VirtualRouter) -> Self {
        Self { settings, on, router, address: Address::Absent, epoch: 0, last_heard: None, complained_at: None }
    }

    /// Whether it is time for a line.
    pub(super) fn may_complain(&mut self, now: BootInstant) -> bool {
        let is_early = self.complained_at.is_some_and(|at| now.saturating_duration_since(at) < COMPLAIN_EVERY);
        if !is_early {
            self.complained_at = Some(now);
        }
        !is_early
    }

    /// The kernel added or renewed it.
    pub(super) fn seen(&mut self, now: BootInstant) {
        if let Address::Installed { renewed_at, present } = &mut self.address {
            (*renewed_at, *present) = (now, true);
        }
    }

    /// The kernel removed it.
    pub(super) fn gone(&mut self) {
        if let Address::Installed { present, .. } = &mut self.address {
            *present = false;
        }
    }

    /// How it was lost, when the kernel's last word is that it is gone.
    pub(super) fn loss(&self, now: BootInstant) -> Option<AddressLoss> {
        match self.address {
            Address::Installed { renewed_at, present: false } => {
                let is_fresh = now.saturating_duration_since(renewed_at) <= RENEWED_WITHIN;
                Some(if is_fresh { AddressLoss::Removed } else { AddressLoss::Expired })
            }
            _ => None,
        }
    }

    pub(super) fn snapshot(&self, interface: &str) -> VipSnapshot {
        let explanation = self.router.explain();
        let report = self.router.report();
        VipSnapshot {
            name: self.settings.name.clone(),
            address: self.settings.address,
            virtual_router_id: self.settings.virtual_router_id.get(),
            interface: interface.to_owned(),
            role: report.role,
            since: explanation.since,
            reason: explanation.reason,
            priority: report.priority.get(),
            tier: report.tier,
            installed: matches!(self.address, Address::Installed { .. }),
            last_heard: self.last_heard,
            statistics: self.router.statistics(),
        }
    }
}
