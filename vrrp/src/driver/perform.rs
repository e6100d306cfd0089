//! From actions of the routers to packets, commands and reports.

use fmc_config::model::name::VipName;

use super::Keeper;
use super::control::{Control, LogLevel, Report};
use super::virtual_address::Address;
use crate::boot_instant::BootInstant;
use crate::clock;
use crate::lease::{AddressCommand, VipIndex};
use crate::packet::MAX_LEN;
use crate::priority::Priority;
use crate::router::role::Reason;
use crate::router::{Action, AddressLoss};
use crate::virtual_mac::VirtualMac;

/// For the log, when the address does not come in time.
const UNANSWERED: &str = "the address was not installed in half a second: the kernel does not answer; this node resigns, and \
                          takes no part until it does";

impl Keeper {
    /// Does what the router of `vip` asks, in its order: advertisement, address, announcement, and the words about it.
    pub(super) fn perform(&mut self, vip: VipIndex, now: BootInstant, control: &mut impl Control) {
        while let Some(action) = self.vips[vip].router.poll_action() {
            match action {
                Action::SendAdvertisement(priority) => self.advertise(vip, priority, now, control),
                Action::AddAddress => self.install(vip, now, control),
                Action::RemoveAddress => self.remove(vip, now, control),
                Action::Announce => self.announce(vip),
                Action::SendHeartbeat => self.pair.is_urgent = true,
                Action::RoleChanged(change) => {
                    self.pair.is_urgent = true;
                    self.publish_each(vip, |vip| Report::RoleChanged { vip, change }, control);
                }
                Action::Alarm(alarm) => {
                    control.publish(Report::Alarm { vip: self.vips[vip].settings.name.clone(), alarm });
                }
            }
        }
    }

    /// What is true of every VIP that the election is about.
    pub(super) fn publish_each(&self, vip: VipIndex, of: impl Fn(VipName) -> Report, control: &mut impl Control) {
        self.vips[vip].settings.names().for_each(|name| control.publish(of(name.clone())));
    }

    fn advertise(&mut self, vip: VipIndex, priority: Priority, now: BootInstant, control: &mut impl Control) {
        let virtual_address = &self.vips[vip];
        let port = &mut self.ports[virtual_address.on];
        let mut message = [0; MAX_LEN];
        let advertisement = virtual_address.router.advertisement(priority);
        let from = virtual_address.virtual_mac().map(VirtualMac::octets);
        let mut failed = None;
        // One for every copy: the signature leaves the destination out.
        let sequence = self.authenticator.as_ref().map(|keys| (keys, self.sequences.next(clock::utc())));
        for to in self.settings.destinations(port.family()) {
            let mut length = advertisement.encode(port.primary, to, self.settings.version, &mut message);
            if let Some((keys, sequence)) = sequence {
                length = keys.sign((port.primary, to), sequence, length, &mut message);
            }
            failed = port.send(&message[..length], from, to, now).err().or(failed);
        }
        if let Some(error) = failed {
            self.sends_failed += 1;
            self.complain(vip, format!("adverts do not leave: {error}"), now, control);
        }
    }

    fn install(&mut self, vip: VipIndex, now: BootInstant, control: &mut impl Control) {
        let virtual_address = &mut self.vips[vip];
        virtual_address.epoch = virtual_address.epoch.wrapping_add(1);
        virtual_address.address = Address::Installing { since: now };
        if let Err(untaken) = self.addresses.command(AddressCommand::Install(vip, virtual_address.epoch)) {
            self.lose(vip, AddressLoss::Unanswered, now);
            self.complain(vip, untaken.to_string(), now, control);
        }
    }

    fn remove(&mut self, vip: VipIndex, now: BootInstant, control: &mut impl Control) {
        let virtual_address = &mut self.vips[vip];
        virtual_address.epoch = virtual_address.epoch.wrapping_add(1);
        virtual_address.address = Address::Removing;
        let command = match virtual_address.router.explain().reason {
            Reason::TakenOver(_) => AddressCommand::Leave(vip, virtual_address.epoch),
            _ => AddressCommand::Remove(vip, virtual_address.epoch),
        };
        if let Err(untaken) = self.addresses.command(command) {
            // The epoch has overtaken whatever the thread still has to do: it installs and renews nothing, and the lease ends.
            virtual_address.address = Address::Absent;
            self.complain(vip, untaken.to_string(), now, control);
        }
    }

    /// An announcement that is not taken is made up for by the refresh.
    fn announce(&mut self, vip: VipIndex) {
        self.sends_failed += u64::from(self.addresses.command(AddressCommand::Announce(vip)).is_err());
    }

    /// Tells the router that its address is gone. What it wants done then is performed by the caller.
    pub(super) fn lose(&mut self, vip: VipIndex, loss: AddressLoss, now: BootInstant) {
        self.vips[vip].address = Address::Absent;
        self.vips[vip].router.handle_address_lost(loss, now);
    }

    pub(super) fn run_deadlines(&mut self, now: BootInstant, control: &mut impl Control) {
        for vip in 0..self.vips.len() {
            self.run_answer_deadline(vip, now, control);
            if let Some(due) = self.vips[vip].router.next_deadline().filter(|due| *due <= now) {
                self.vips[vip].router.handle_deadline(now, now.saturating_duration_since(due));
                self.perform(vip, now, control);
            }
        }
        if self.held_until.is_some_and(|until| until <= now) {
            self.hold(None, now, control);
        }
    }

    /// A thread that did not take the removal either is asked again: what it answers lets the router take part anew.
    fn run_answer_deadline(&mut self, vip: VipIndex, now: BootInstant, control: &mut impl Control) {
        if self.vips[vip].answer_due().is_some_and(|due| due <= now) {
            self.complain(vip, UNANSWERED.to_owned(), now, control);
            self.lose(vip, AddressLoss::Unanswered, now);
            self.perform(vip, now, control);
        }
        if self.vips[vip].router.awaits_address_answer() && self.vips[vip].address == Address::Absent {
            self.remove(vip, now, control);
        }
    }

    /// While held, a VIP moves for a better tier only, whatever the configured fail-back.
    pub(super) fn hold(&mut self, until: Option<BootInstant>, now: BootInstant, control: &mut impl Control) {
        self.held_until = until;
        self.set_parameters(now, control);
    }

    /// Something does not work for this VIP, and will be tried again and again.
    pub(super) fn complain(&mut self, vip: VipIndex, text: String, now: BootInstant, control: &mut impl Control) {
        if self.vips[vip].may_complain(now) {
            self.log(LogLevel::Error, format!("{}: {text}", self.vips[vip].settings.name), control);
        }
    }

    pub(super) fn log(&self, level: LogLevel, text: String, control: &mut impl Control) {
        control.publish(Report::Log { level, text });
    }
}
