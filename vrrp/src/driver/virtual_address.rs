//! One election in the driver: its router, and what is known of its address, or of its addresses.

use std::net::IpAddr;
use std::time::Duration;

use fmc_config::model::family::Family;
use fmc_config::model::name::VipName;

use crate::boot_instant::BootInstant;
use crate::lease::{Epoch, Holding, Home, InterfaceIndex, LEASE};
use crate::observer::Observer;
use crate::packet::sequence::Accepted;
use crate::router::role::Role;
use crate::router::{AddressLoss, Link, VirtualRouter};
use crate::virtual_mac::VirtualMac;

use super::mismatch::Mismatches;
use super::port::Port;
use super::settings::{FollowerSettings, VipSettings};
use super::snapshot::{LastHeard, VipSnapshot};

/// A renewal is heard of each 250 ms; an address that vanishes this long after the last one was not renewed.
const RENEWED_WITHIN: Duration = crate::lease::LATEST_RENEWAL;

/// An address that does not come in half a lease counts as lost. Meanwhile other nodes obey our adverts and nobody serves.
const INSTALLED_WITHIN: Duration = Duration::from_millis(LEASE.as_millis() as u64 / 2);

/// A VIP, with those that follow it.
#[derive(Debug)]
pub(super) struct VirtualAddress {
    pub(super) settings: VipSettings,
    /// Where it advertises.
    pub(super) on: InterfaceIndex,
    /// Where its addresses live, in the order of the settings.
    homes: Vec<Home>,
    pub(super) router: VirtualRouter,
    pub(super) address: Address,
    /// Of the last command to the address thread.
    pub(super) epoch: Epoch,
    pub(super) last_heard: Option<LastHeard>,
    /// The settings have it no more: it is given up in good order, and its place is free when it is gone.
    pub(super) is_leaving: bool,
    pub(super) mismatches: Mismatches,
    /// Of an observer: what it sees of the election.
    pub(super) observer: Observer,
    /// Signed adverts that have counted: a replay of one does not.
    pub(super) accepted: Accepted,
    complained_at: Option<BootInstant>,
}

/// One line about an address that cannot be installed or removed in this time: the router tries again at each interval.
const COMPLAIN_EVERY: Duration = Duration::from_secs(10);

/// The address, as the address thread and the kernel tell. Several come and go together: one that is missing is a loss of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Address {
    /// Not on this node by our doing.
    Absent,
    /// The address thread was told to install it, at this moment.
    Installing { since: BootInstant },
    /// It is installed. `missing`: a bit for each that is gone by the kernel's last event.
    Installed { renewed_at: BootInstant, missing: u64 },
    /// The address thread was told to remove it.
    Removing,
}

impl VirtualAddress {
    /// `ports`: where each of its addresses lives, its own first.
    pub(super) fn new(settings: VipSettings, ports: &[InterfaceIndex], router: VirtualRouter) -> Self {
        let mac = settings.virtual_mac.then(|| VirtualMac::new(settings.family(), settings.virtual_router_id));
        let shares = |address, on| ports.first() == Some(&on) && Family::of(address) == settings.family();
        let home = |(address, on): (IpAddr, &InterfaceIndex)| Home {
            address,
            on: *on,
            // Adverts tell switches where it is, so it serves only where and in which family they are sent.
            virtual_mac: mac.filter(|_| shares(address, *on)),
        };
        let homes = settings.addresses().zip(ports).map(home).collect();
        Self {
            settings,
            on: ports.first().copied().unwrap_or_default(),
            homes,
            router,
            address: Address::Absent,
            epoch: 0,
            last_heard: None,
            is_leaving: false,
            mismatches: Mismatches::default(),
            observer: Observer::default(),
            accepted: Accepted::default(),
            complained_at: None,
        }
    }

    /// Another one in the place of this one, which is gone; answers to what was asked for this one are not taken for the other's.
    pub(super) fn followed_by(&self, next: Self) -> Self {
        Self { epoch: self.epoch, ..next }
    }

    /// What the address thread has to know.
    pub(super) fn holding(&self) -> Holding {
        Holding { homes: self.homes.clone(), virtual_router_id: self.settings.virtual_router_id.get() }
    }

    /// Where adverts and its own address come from, unless from the card.
    pub(super) fn virtual_mac(&self) -> Option<VirtualMac> {
        self.homes.first().and_then(|home| home.virtual_mac)
    }

    /// Where each of its addresses lives, in the order of the settings.
    pub(super) fn ports(&self) -> impl Iterator<Item = InterfaceIndex> + '_ {
        self.homes.iter().map(|home| home.on)
    }

    /// Whether one of its addresses lives there.
    pub(super) fn lives_on(&self, port: InterfaceIndex) -> bool {
        self.homes.iter().any(|home| home.on == port)
    }

    /// Every interface must be up that it needs.
    pub(super) fn link(&self, ports: &[Port]) -> Link {
        let is_down = |home: &Home| ports[home.on].told == Some(Link::Down);
        if self.homes.iter().any(is_down) { Link::Down } else { Link::Up }
    }

    /// Whether the election is about the VIP of this name.
    pub(super) fn carries(&self, name: &VipName) -> bool {
        self.settings.names().any(|own| own == name)
    }

    /// Its bit in [`Address::Installed`], when the address there is one of its own.
    pub(super) fn bit(&self, ports: &[Port], index: u32, address: IpAddr) -> Option<u64> {
        // The interface of a virtual MAC address may be made anew; nobody else's holds the address, or we had not started.
        let is_there = |home: &Home| home.virtual_mac.is_some() || ports[home.on].index == index;
        let is_it = |home: &Home| home.address == address && is_there(home);
        self.homes.iter().position(is_it).map(|place| 1 << place)
    }

    /// Given up, and nothing of it is left.
    pub(super) fn is_gone(&self) -> bool {
        self.is_leaving && self.is_over()
    }

    /// Takes no part, and its address is not on this node.
    pub(super) fn is_over(&self) -> bool {
        self.router.role() == Role::Initialize && self.address == Address::Absent
    }

    /// Whether it is time for a line.
    pub(super) fn may_complain(&mut self, now: BootInstant) -> bool {
        let is_early = self.complained_at.is_some_and(|at| now.saturating_duration_since(at) < COMPLAIN_EVERY);
        if !is_early {
            self.complained_at = Some(now);
        }
        !is_early
    }

    /// The kernel added or renewed the one of this bit.
    pub(super) fn seen(&mut self, bit: u64, now: BootInstant) {
        if let Address::Installed { renewed_at, missing } = &mut self.address {
            (*renewed_at, *missing) = (now, *missing & !bit);
        }
    }

    /// The kernel removed the one of this bit.
    pub(super) fn gone(&mut self, bit: u64) {
        if let Address::Installed { missing, .. } = &mut self.address {
            *missing |= bit;
        }
    }

    /// How it was lost, when the kernel's last word is that it is gone, or one of several.
    pub(super) fn loss(&self, now: BootInstant) -> Option<AddressLoss> {
        match self.address {
            Address::Installed { renewed_at, missing: 1.. } => {
                let is_fresh = now.saturating_duration_since(renewed_at) <= RENEWED_WITHIN;
                Some(if is_fresh { AddressLoss::Removed } else { AddressLoss::Expired })
            }
            _ => None,
        }
    }

    /// When an answer to the request to install it is overdue.
    pub(super) fn answer_due(&self) -> Option<BootInstant> {
        match self.address {
            Address::Installing { since } => Some(since + INSTALLED_WITHIN),
            Address::Absent | Address::Installed { .. } | Address::Removing => None,
        }
    }

    /// One for each of its addresses.
    pub(super) fn snapshots(&self, ports: &[Port], now: BootInstant) -> Vec<VipSnapshot> {
        let own = self.snapshot(&ports[self.on].name, now);
        let follower = |(follower, home): (&FollowerSettings, &Home)| VipSnapshot {
            name: follower.name.clone(),
            address: follower.address,
            follows: Some(self.settings.name.clone()),
            interface: ports[home.on].name.clone(),
            ..own.clone()
        };
        let followers = self.settings.followers.iter().zip(&self.homes[1..]).map(follower);
        std::iter::once(own.clone()).chain(followers).collect()
    }

    fn snapshot(&self, interface: &str, now: BootInstant) -> VipSnapshot {
        let explanation = self.router.explain();
        let report = self.router.report();
        VipSnapshot {
            name: self.settings.name.clone(),
            address: self.settings.address,
            follows: None,
            virtual_router_id: self.settings.virtual_router_id.get(),
            interface: interface.to_owned(),
            role: report.role,
            since: explanation.since,
            reason: explanation.reason,
            priority: report.priority.get(),
            tier: report.tier,
            installed: matches!(self.address, Address::Installed { .. }),
            last_heard: self.last_heard,
            mismatches: self.mismatches.standing(self.router.parameters(), now).collect(),
            statistics: self.router.statistics(),
        }
    }
}

#[cfg(test)]
mod tests {
    use fmc_config::model::election::{Centiseconds, ChecksumForm, Failback, Transport, Version};
    use fmc_config::model::vip::VirtualRouterId;

    use super::*;
    use crate::router::Parameters;
    use crate::tier::TierPriorities;

    const START: BootInstant = BootInstant::from_nanos(1_000_000_000);

    fn virtual_address() -> VirtualAddress {
        let virtual_router_id = VirtualRouterId::new(32).unwrap();
        let (address, settle) = ([192, 168, 0, 32].into(), Duration::from_secs(2));
        let parameters = Parameters {
            virtual_router_id,
            address,
            others: Vec::new(),
            source: [192, 168, 0, 30].into(),
            rank: 0,
            version: Version::V3(ChecksumForm::PseudoHeader),
            transport: Transport::Multicast,
            interval: Centiseconds::new(10).unwrap(),
            priorities: TierPriorities::new(254, 0).unwrap(),
            failback: Failback::Never,
            settle,
            lease: LEASE,
            peers: [].into_iter().collect(),
        };
        let name = "api".parse().unwrap();
        let (interface, virtual_mac, followers) = (None, false, Vec::new());
        let settings = VipSettings { name, address, virtual_router_id, interface, virtual_mac, settle, followers };
        VirtualAddress::new(settings, &[0], VirtualRouter::new(parameters, START))
    }

    #[test]
    fn only_an_installation_waits_for_an_answer_and_for_half_a_lease() {
        let mut vip = virtual_address();
        let installed = Address::Installed { renewed_at: START, missing: 0 };
        for address in [Address::Absent, installed, Address::Removing] {
            vip.address = address;
            assert_eq!(vip.answer_due(), None, "{address:?}");
        }
        vip.address = Address::Installing { since: START };
        assert_eq!(vip.answer_due(), Some(START + Duration::from_millis(500)));
    }

    #[test]
    fn an_address_that_vanished_was_removed_when_its_lease_was_fresh_and_expired_when_it_was_not() {
        let mut vip = virtual_address();
        vip.address = Address::Installed { renewed_at: START, missing: 0 };
        assert_eq!(vip.loss(START + Duration::from_secs(9)), None);
        vip.gone(1);
        assert_eq!(vip.loss(START + Duration::from_millis(750)), Some(AddressLoss::Removed));
        assert_eq!(vip.loss(START + Duration::from_millis(751)), Some(AddressLoss::Expired));
    }
}
