//! The loop of the address thread.

use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use fmc_config::model::family::Family;

use super::leftovers::{is_ours, label};
use super::newest::Newest;
use super::{
    AddressCommand, AddressReport, Epoch, FAREWELL, FRESH, Holding, Home, InterfaceIndex, LATEST_RENEWAL, LEASE,
    Outcome, Outfit, Port, RENEWAL, Seen, VipIndex, VirtualInterfaceError,
};
use crate::arp::{Form, gratuitous};
use crate::boot_instant::BootInstant;
use crate::clock;
use crate::kernel::{Address, Grant, Interface, KernelError};
use crate::ndp;
use crate::realtime;
use crate::router::AddressLoss;
use crate::socket::{AdvertSocket, AnnouncementSocket};
use crate::virtual_mac::VirtualMac;

/// While the election's tick is stale or the kernel refuses, a due renewal is tried again this often.
const RETRY: Duration = Duration::from_millis(50);

/// Without leases there is nothing to do until a command comes.
const IDLE: Duration = Duration::from_secs(3600);

/// Where reports go.
pub(super) struct Desk {
    pub(super) reports: SyncSender<AddressReport>,
    pub(super) waker: UnixStream,
    pub(super) newest: Newest,
}

impl Desk {
    /// A full socket means that a wake-up is on its way already.
    fn report(&self, report: AddressReport) {
        if self.reports.send(report).is_ok() {
            let _ = (&self.waker).write(&[1]);
        }
    }
}

/// Runs until the election drops its end; then removes what is installed.
pub(super) fn run(outfit: Outfit, commands: &Receiver<AddressCommand>, desk: &Desk) {
    if outfit.realtime {
        // A refusal is reported by the election thread, which wishes for the same.
        realtime::schedule(realtime::ADDRESS_PRIORITY);
    }
    let count = outfit.holdings.len();
    let mut thread = Thread { outfit, leases: vec![None; count], epochs: vec![0; count], desk };
    loop {
        match commands.recv_timeout(thread.until_due(clock::now())) {
            Ok(command) => thread.perform(command),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return thread.end(),
        }
        thread.renew_due();
    }
}

/// An installed address.
#[derive(Debug, Clone, Copy)]
struct Lease {
    renewed_at: BootInstant,
    try_at: BootInstant,
    /// Set once: an address that leaves is not renewed.
    leave_at: Option<BootInstant>,
}

impl Lease {
    fn from(now: BootInstant) -> Self {
        Self { renewed_at: now, try_at: now + RENEWAL, leave_at: None }
    }

    fn due_at(&self) -> BootInstant {
        self.leave_at.unwrap_or(self.try_at)
    }
}

struct Thread<'a> {
    outfit: Outfit,
    leases: Vec<Option<Lease>>,
    epochs: Vec<Epoch>,
    desk: &'a Desk,
}

impl Thread<'_> {
    fn until_due(&self, now: BootInstant) -> Duration {
        let next = self.leases.iter().flatten().map(Lease::due_at).min();
        next.map_or(IDLE, |at| at.saturating_duration_since(now))
    }

    fn perform(&mut self, command: AddressCommand) {
        match command {
            AddressCommand::Install(vip, epoch) => {
                self.epochs[vip] = epoch;
                self.install(vip);
            }
            AddressCommand::Remove(vip, epoch) => {
                self.epochs[vip] = epoch;
                self.remove(vip);
            }
            AddressCommand::Leave(vip, epoch) => {
                self.epochs[vip] = epoch;
                self.leave(vip);
            }
            AddressCommand::Announce(vip) => self.announce(vip),
            AddressCommand::Hold(vip, holding) => self.hold(vip, holding),
            AddressCommand::Verify => self.verify(),
            AddressCommand::Reopen(port) => self.reopen(port),
        }
    }

    /// Places are given out in their order, so that there is at most one more than there were.
    fn hold(&mut self, vip: VipIndex, holding: Holding) {
        self.note_id(&holding);
        if vip == self.leases.len() {
            self.leases.push(None);
            self.epochs.push(0);
            self.outfit.holdings.push(holding);
        } else {
            self.delete(vip);
            self.outfit.holdings[vip] = holding;
        }
    }

    fn note_id(&mut self, holding: &Holding) {
        let Some(first) = holding.homes.first() else { return };
        let ids = &mut self.outfit.ports[first.on].virtual_router_ids;
        if !ids.contains(&holding.virtual_router_id) {
            ids.push(holding.virtual_router_id);
        }
    }

    /// A command that waited while the whole process was frozen may be out of date: the election decides anew.
    fn install(&mut self, vip: VipIndex) {
        // Before the request: the kernel counts from some moment after it.
        let asked_at = clock::now();
        if self.is_overtaken(vip) {
            return;
        }
        if self.outfit.tick.age(asked_at) > FRESH {
            return self.report(vip, Outcome::Lost(AddressLoss::Expired));
        }
        match self.add(vip) {
            Ok(()) => {
                self.leases[vip] = Some(Lease::from(asked_at));
                if self.is_overtaken(vip) {
                    self.delete(vip);
                } else if self.is_in_time(vip, asked_at) {
                    self.report(vip, Outcome::Installed);
                }
            }
            Err(sentence) => {
                self.forget(vip);
                self.report(vip, Outcome::Failed(sentence));
            }
        }
    }

    /// The election has given a newer command for this address, which says what becomes of it.
    fn is_overtaken(&self, vip: VipIndex) -> bool {
        self.desk.newest.overtakes(vip, self.epochs[vip])
    }

    /// A freeze between a look at the clock and the request can bring an expired address back: then it goes at once.
    fn is_in_time(&mut self, vip: VipIndex, last_renewal: BootInstant) -> bool {
        let in_time = clock::now().saturating_duration_since(last_renewal) <= LATEST_RENEWAL;
        if !in_time {
            self.delete(vip);
            self.report(vip, Outcome::Lost(AddressLoss::Expired));
        }
        in_time
    }

    fn remove(&mut self, vip: VipIndex) {
        self.delete(vip);
        self.report(vip, Outcome::Removed);
    }

    fn leave(&mut self, vip: VipIndex) {
        match &mut self.leases[vip] {
            Some(lease) => lease.leave_at = Some(clock::now() + FAREWELL),
            None => self.remove(vip),
        }
    }

    fn report(&self, vip: VipIndex, outcome: Outcome) {
        self.desk.report(AddressReport::Address(vip, self.epochs[vip], outcome));
    }

    /// All or none.
    fn add(&mut self, vip: VipIndex) -> Result<(), String> {
        let homes = self.homes(vip);
        for (place, home) in homes.iter().enumerate() {
            if let Err(sentence) = self.add_one(*home) {
                let others = if self.leases[vip].is_some() { &homes[..] } else { &homes[..place] };
                others.iter().filter(|other| *other != home).for_each(|other| self.delete_one(*other));
                return Err(sentence);
            }
        }
        Ok(())
    }

    fn homes(&self, vip: VipIndex) -> Vec<Home> {
        self.outfit.holdings[vip].homes.clone()
    }

    fn add_one(&mut self, home: Home) -> Result<(), String> {
        self.raise(home).map_err(|error| error.to_string())?;
        let grant = self.grant(home);
        let recorded = self.outfit.record.insert(&grant.interface.name, grant.address);
        if let (Err(error), None) = (recorded, &grant.label) {
            return Err(format!("recording {} as ours: {error}", grant.address));
        }
        match self.outfit.kernel.add_address(&grant) {
            Err(KernelError::Exists { .. }) => self.take_over(home, &grant),
            answer => answer.map_err(|error| error.to_string()),
        }
    }

    fn raise(&mut self, home: Home) -> Result<(), VirtualInterfaceError> {
        let Some(mac) = home.virtual_mac else { return Ok(()) };
        let Outfit { virtual_interfaces, kernel, ports, .. } = &mut self.outfit;
        virtual_interfaces.raise(kernel, (home.on, &ports[home.on].interface), mac)
    }

    /// It is there already: ours when it carries our mark, otherwise not to be touched.
    fn take_over(&mut self, home: Home, grant: &Grant) -> Result<(), String> {
        let held = self.find(home).map_err(|error| error.to_string())?;
        match held {
            Some(held) if !is_ours(&grant.interface.name, &held, &self.outfit.record) => {
                let interface = grant.interface.name.clone();
                let foreign = super::Foreign { address: held.address, interface, prefix_length: held.prefix_length };
                Err(foreign.to_string())
            }
            _ => self.outfit.kernel.renew_address(grant).map_err(|error| error.to_string()),
        }
    }

    fn find(&mut self, home: Home) -> Result<Option<Address>, KernelError> {
        let mut all = self.outfit.kernel.addresses()?.into_iter();
        Ok(all.find(|held| self.is_at(held, home)))
    }

    fn is_at(&self, held: &Address, home: Home) -> bool {
        held.address == home.address && held.index == self.interface_of(home).index
    }

    /// Where the address is, above the interface of its port where a virtual MAC address is in use.
    fn interface_of(&self, home: Home) -> &Interface {
        let own = home.virtual_mac.and_then(|mac| self.outfit.virtual_interfaces.of(home.on, mac));
        own.unwrap_or(&self.outfit.ports[home.on].interface)
    }

    fn grant(&self, home: Home) -> Grant {
        let interface = self.interface_of(home).clone();
        let label = label(&interface.name).filter(|_| home.address.is_ipv4());
        Grant { interface, address: home.address, label, lifetime_seconds: LEASE.as_secs() as u32 }
    }

    /// What cannot be deleted ends by itself: it is not renewed any more. Only what we installed is deleted.
    fn delete(&mut self, vip: VipIndex) {
        if self.leases[vip].is_some() {
            self.homes(vip).into_iter().for_each(|home| self.delete_one(home));
        }
        self.forget(vip);
    }

    fn delete_one(&mut self, home: Home) {
        let Grant { interface, address, label, .. } = self.grant(home);
        let held = Address {
            index: interface.index,
            address,
            prefix_length: Family::of(address).bits(),
            label: label.unwrap_or_default(),
            permanent: false,
            secondary: false,
            usable: true,
        };
        if let Err(error) = self.outfit.kernel.delete_address(&held, &interface.name) {
            tracing::debug!(%error, "a lease ends by itself");
        }
    }

    fn forget(&mut self, vip: VipIndex) {
        self.leases[vip] = None;
        for home in self.homes(vip) {
            let interface = self.interface_of(home).name.clone();
            // A stale line is harmless: it names an address that is absent, or permanent and so not ours.
            let _ = self.outfit.record.remove(&interface, home.address);
            let Outfit { virtual_interfaces, kernel, .. } = &mut self.outfit;
            home.virtual_mac.into_iter().for_each(|mac| virtual_interfaces.lower(kernel, home.on, mac));
        }
    }

    /// Only an installed address is announced (RFC 9568 §8.1.2), and none that was given up while the announcement waited.
    fn announce(&mut self, vip: VipIndex) {
        if self.leases[vip].is_none_or(|lease| lease.leave_at.is_some()) || self.is_overtaken(vip) {
            return;
        }
        let failed = self.outfit.holdings[vip].homes.iter().find_map(|home| self.announce_one(*home).err());
        failed.into_iter().for_each(|error| self.desk.report(AddressReport::Unannounced(vip, error)));
    }

    fn announce_one(&self, home: Home) -> io::Result<()> {
        let Port { announcer, interface, .. } = &self.outfit.ports[home.on];
        let hardware = home.virtual_mac.map_or(interface.mac, VirtualMac::octets);
        match home.address {
            IpAddr::V4(address) => {
                let send = |form| announcer.send(&gratuitous(form, address, hardware));
                [Form::Request, Form::Reply].into_iter().try_for_each(send)
            }
            IpAddr::V6(address) => announcer.send(&ndp::unsolicited(address, hardware)),
        }
    }

    fn renew_due(&mut self) {
        for vip in 0..self.leases.len() {
            let now = clock::now();
            match self.leases[vip] {
                Some(lease) if lease.due_at() > now => {}
                Some(Lease { leave_at: Some(_), .. }) => self.remove(vip),
                Some(lease) => self.renew(vip, lease, now),
                None => {}
            }
        }
    }

    fn renew(&mut self, vip: VipIndex, lease: Lease, now: BootInstant) {
        if !self.is_in_time(vip, lease.renewed_at) {
            return;
        }
        let is_wanted = self.outfit.tick.age(now) <= FRESH && !self.is_overtaken(vip);
        if is_wanted && self.renew_all(vip) && self.is_in_time(vip, lease.renewed_at) {
            self.leases[vip] = Some(Lease::from(now));
        } else if let Some(lease) = &mut self.leases[vip] {
            lease.try_at = now + RETRY;
        }
    }

    fn renew_all(&mut self, vip: VipIndex) -> bool {
        let mut homes = self.homes(vip).into_iter();
        homes.all(|home| {
            let grant = self.grant(home);
            self.outfit.kernel.renew_address(&grant).is_ok()
        })
    }

    fn verify(&mut self) {
        let Ok(held) = self.outfit.kernel.addresses() else { return };
        for vip in 0..self.leases.len() {
            let is_held = |home: &Home| held.iter().any(|address| self.is_at(address, *home) && address.usable);
            let all_held = self.outfit.holdings[vip].homes.iter().all(is_held);
            if self.leases[vip].is_some() && !all_held {
                self.delete(vip);
                self.report(vip, Outcome::Lost(AddressLoss::Removed));
            }
        }
        (0..self.outfit.ports.len()).for_each(|port| self.look(port));
    }

    fn look(&mut self, port: InterfaceIndex) {
        let known = &self.outfit.ports[port].interface;
        match self.outfit.kernel.interface_by_name(&known.name) {
            Ok(interface) if interface.index != known.index => self.reopen(port),
            Ok(interface) => {
                self.outfit.ports[port].interface = interface.clone();
                let seen = Seen { has_primary: self.has_primary(port), interface, adverts: None };
                self.desk.report(AddressReport::Interface(port, Ok(Box::new(seen))));
            }
            Err(error) => self.desk.report(AddressReport::Interface(port, Err(error.to_string()))),
        }
    }

    fn reopen(&mut self, port: InterfaceIndex) {
        let seen = self.open(port).map(Box::new);
        self.desk.report(AddressReport::Interface(port, seen));
    }

    fn open(&mut self, index_of: InterfaceIndex) -> Result<Seen, String> {
        let port = &mut self.outfit.ports[index_of];
        let interface = self.outfit.kernel.interface_by_name(&port.interface.name).map_err(|e| e.to_string())?;
        let (name, index) = (&interface.name, interface.index);
        port.announcer = AnnouncementSocket::open(name, index).map_err(|e| e.to_string())?;
        let adverts = AdvertSocket::open(name, index, port.primary, &port.virtual_router_ids);
        port.interface = interface.clone();
        let has_primary = self.has_primary(index_of);
        Ok(Seen { has_primary, interface, adverts: Some(adverts.map_err(|e| e.to_string())?) })
    }

    fn has_primary(&mut self, port: InterfaceIndex) -> bool {
        let Port { interface, primary, .. } = &self.outfit.ports[port];
        let is_it = |held: &Address| held.address == *primary && held.index == interface.index && held.usable;
        self.outfit.kernel.addresses().is_ok_and(|all| all.iter().any(is_it))
    }

    fn end(&mut self) {
        (0..self.leases.len()).for_each(|vip| self.delete(vip));
        let Outfit { virtual_interfaces, kernel, .. } = &mut self.outfit;
        if let Err(error) = virtual_interfaces.remove_all(kernel) {
            tracing::warn!(%error, "what a virtual MAC address needed is left; the next start, or `fmc-lb cleanup`, removes it");
        }
    }
}
