//! What comes in: the kernel, the address thread, other routers, other nodes, commands.

use std::net::IpAddr;

use arrayvec::ArrayVec;
use fmc_config::model::election::{AuthMode, Version};
use fmc_config::model::family::Family;
use fmc_config::model::name::{NodeName, VipName};

use super::control::{Command, Control, LogLevel, Report};
use super::port::{PACKETS_A_TURN, Port};
use super::snapshot::LastHeard;
use super::virtual_address::{Address, VirtualAddress};
use super::{Keeper, REMOVAL_WITHIN};
use crate::boot_instant::BootInstant;
use crate::heartbeat::Heartbeat;
use crate::kernel::KernelEvent;
use crate::lease::{AddressCommand, AddressReport, InterfaceIndex, Outcome, Seen, VipIndex};
use crate::packet::auth_hmac::{self, Authenticator, SignatureFault};
use crate::packet::sequence::{Accepted, Sequence};
use crate::packet::{self, Advertisement, Discarded, IpMeta, Received};
use crate::router::role::Rival;
use crate::router::{AddressLoss, Linger, MAX_PEERS};
use crate::tier::Fitness;

/// Datagrams of kernel events in one turn; a storm of them must not delay an advert.
const EVENTS_A_TURN: usize = 256;

/// Commands in one turn.
const COMMANDS_A_TURN: usize = 64;

impl Keeper {
    /// The reports first: an address is in the kernel's events before its installation is in a report, so that after both are
    /// read the last event tells whether an installed address is still there.
    pub(super) fn hear_kernel(&mut self, now: BootInstant, control: &mut impl Control) {
        self.addresses.silence();
        while let Some(report) = self.addresses.report() {
            self.take_report(report, now, control);
        }
        if self.read_events(now) && !self.must_verify {
            self.judge_addresses(now, control);
        }
        if self.must_verify && self.addresses.command(AddressCommand::Verify).is_ok() {
            self.must_verify = false;
        }
        self.tell_links(now, control);
    }

    /// Whether every event has been read. Events only note; what follows from them is decided when all are noted.
    fn read_events(&mut self, now: BootInstant) -> bool {
        let Self { events, vips, ports, must_verify, addresses, .. } = self;
        for _ in 0..EVENTS_A_TURN {
            let more = events.read(|event| match event {
                KernelEvent::LinkUp { index, name } => {
                    let named = ports.iter_mut().enumerate().filter(|(_, port)| port.name == name.as_str());
                    named.for_each(|(at, port)| match port.index == index {
                        true => port.running = true,
                        false => *must_verify |= addresses.command(AddressCommand::Reopen(at)).is_err(),
                    });
                }
                KernelEvent::LinkDown { index } => of_index(ports, index).for_each(|port| port.running = false),
                KernelEvent::AddressAdded { index, address } => {
                    // A recreated interface may get its address before we know its new index.
                    let owning = ports.iter_mut().filter(|port| port.is_its_own(index, address));
                    owning.for_each(|port| port.has_primary = true);
                    held_on(vips, ports, index, address).for_each(|(vip, bit)| vip.seen(bit, now));
                }
                KernelEvent::AddressRemoved { index, address } => {
                    let lost = of_index(ports, index).filter(|port| port.primary == address);
                    lost.for_each(|port| port.has_primary = false);
                    held_on(vips, ports, index, address).for_each(|(vip, bit)| vip.gone(bit));
                }
                KernelEvent::Overrun => *must_verify = true,
            });
            if !more {
                return true;
            }
        }
        false
    }

    fn judge_addresses(&mut self, now: BootInstant, control: &mut impl Control) {
        for vip in 0..self.vips.len() {
            if let Some(loss) = self.vips[vip].loss(now) {
                self.lost(vip, loss, now, control);
            }
        }
    }

    fn lost(&mut self, vip: VipIndex, loss: AddressLoss, now: BootInstant, control: &mut impl Control) {
        self.lose(vip, loss, now);
        self.publish_each(vip, |vip| Report::AddressRemoved { vip }, control);
        self.perform(vip, now, control);
    }

    /// Tells the routers of each interface whose state has changed.
    pub(super) fn tell_links(&mut self, now: BootInstant, control: &mut impl Control) {
        for port in 0..self.ports.len() {
            let link = self.ports[port].link(now);
            if self.ports[port].told.replace(link) == Some(link) {
                continue;
            }
            for vip in 0..self.vips.len() {
                if self.vips[vip].lives_on(port) {
                    let link = self.vips[vip].link(&self.ports);
                    self.vips[vip].router.handle_link(link, now);
                    self.perform(vip, now, control);
                }
            }
        }
    }

    fn take_report(&mut self, report: AddressReport, now: BootInstant, control: &mut impl Control) {
        match report {
            AddressReport::Address(vip, epoch, outcome) if epoch == self.vips[vip].epoch => {
                self.take_outcome(vip, outcome, now, control);
            }
            // An answer to a command that a later one has overtaken.
            AddressReport::Address(..) => {}
            AddressReport::Unannounced(vip, error) => {
                self.sends_failed += 1;
                let name = &self.vips[vip].settings.name;
                self.log(LogLevel::Warn, format!("announcing {name}: {error}"), control);
            }
            AddressReport::Interface(port, Ok(seen)) => self.take_interface(port, *seen),
            AddressReport::Interface(port, Err(sentence)) => {
                self.ports[port].running = false;
                self.log(LogLevel::Warn, sentence, control);
            }
        }
    }

    fn take_outcome(&mut self, vip: VipIndex, outcome: Outcome, now: BootInstant, control: &mut impl Control) {
        match outcome {
            Outcome::Installed => {
                self.vips[vip].address = Address::Installed { renewed_at: now, missing: 0 };
                self.publish_each(vip, |vip| Report::AddressInstalled { vip, at: now }, control);
            }
            Outcome::Removed => {
                self.vips[vip].address = Address::Absent;
                self.publish_each(vip, |vip| Report::AddressRemoved { vip }, control);
                self.vips[vip].router.handle_address_answered(now);
                self.perform(vip, now, control);
            }
            Outcome::Lost(loss) => self.lost(vip, loss, now, control),
            Outcome::Failed(sentence) => {
                self.complain(vip, sentence, now, control);
                self.lose(vip, AddressLoss::Removed, now);
                self.perform(vip, now, control);
            }
        }
    }

    fn take_interface(&mut self, port: InterfaceIndex, seen: Seen) {
        let observe = self.settings.observe;
        let port = &mut self.ports[port];
        let Seen { interface, has_primary, adverts } = seen;
        (port.index, port.running, port.has_primary) = (interface.index, interface.up, has_primary);
        if let Some(socket) = adverts.filter(|_| !observe) {
            port.socket = socket;
        }
    }

    pub(super) fn hear_adverts(&mut self, now: BootInstant, control: &mut impl Control) {
        for port in 0..self.ports.len() {
            let (mut budget, mut is_drained) = (PACKETS_A_TURN, false);
            while budget > 0 && !is_drained {
                let Self { ports, vips, settings, authenticator, .. } = self;
                let spoken = Spoken { version: settings.version, authenticator: authenticator.as_ref() };
                let judge = |ip: &IpMeta, bytes: &[u8]| match settings.observe {
                    true => overheard(vips, port, ip, bytes),
                    false => judge(vips, port, spoken, ip, bytes, now),
                };
                is_drained = ports[port].drain(&mut budget, judge, now, |text| control.publish(warning(text)));
                self.hand_adverts_over(port, now, control);
            }
        }
    }

    fn hand_adverts_over(&mut self, port: InterfaceIndex, now: BootInstant, control: &mut impl Control) {
        while let Some((ip, advertisement)) = self.ports[port].take_newest() {
            let is_it = |vip: &VirtualAddress| {
                let is_its = vip.settings.virtual_router_id == advertisement.virtual_router_id;
                vip.on == port && is_its && !vip.is_gone()
            };
            let Some(vip) = self.vips.iter().position(is_it) else { continue };
            if self.settings.observe {
                self.observe(vip, ip.source, &advertisement, now, control);
                continue;
            }
            match self.vips[vip].router.handle_advertisement(&advertisement, &ip, now) {
                Ok(()) => {
                    let rival = Rival { source: ip.source, priority: advertisement.priority };
                    self.vips[vip].last_heard = Some(LastHeard { rival, at: now });
                    self.perform(vip, now, control);
                }
                Err(reason) => {
                    let line = self.ports[port].discard(ip.source, reason, now);
                    line.into_iter().for_each(|text| control.publish(warning(text)));
                }
            }
        }
    }

    /// Whoever takes no part tells what the others do.
    fn observe(
        &mut self,
        vip: VipIndex,
        source: IpAddr,
        advertisement: &Advertisement,
        now: BootInstant,
        control: &mut impl Control,
    ) {
        let Advertisement { priority, interval, .. } = *advertisement;
        self.vips[vip].last_heard = Some(LastHeard { rival: Rival { source, priority }, at: now });
        if let Some(sighting) = self.vips[vip].observer.hear(source, priority, interval, now) {
            self.publish_each(vip, |vip| Report::Sighted { vip, sighting }, control);
        }
    }

    /// The newest of each node, when all that wait are read: those that were held up on the way, until an address was resolved say, come
    /// all at once, and what the older ones say is over.
    pub(super) fn hear_heartbeats(&mut self, now: BootInstant, control: &mut impl Control) {
        let mut newest: ArrayVec<(u8, Heartbeat), MAX_PEERS> = ArrayVec::new();
        while let Some((rank, heartbeat)) = self.pair.receive(now, |text| control.publish(warning(text))) {
            heartbeat.accepted.into_iter().for_each(|accepted| self.sequences.learn(accepted));
            newest.retain(|(other, _)| *other != rank);
            newest.push((rank, heartbeat));
        }
        for (rank, heartbeat) in &newest {
            self.hear_heartbeat(*rank, heartbeat, now, control);
        }
    }

    fn hear_heartbeat(&mut self, rank: u8, heartbeat: &Heartbeat, now: BootInstant, control: &mut impl Control) {
        for report in &heartbeat.virtual_routers {
            let is_it = |vip: &VirtualAddress| report.is_of(vip.settings.virtual_router_id, vip.settings.address);
            if let Some(vip) = self.vips.iter().position(is_it) {
                self.vips[vip].router.handle_peer(rank, *report, now);
                self.perform(vip, now, control);
            }
        }
    }

    pub(super) fn hear_commands(&mut self, now: BootInstant, control: &mut impl Control) {
        for _ in 0..COMMANDS_A_TURN {
            let Some(command) = control.receive(now) else { return };
            self.obey(command, now, control);
        }
    }

    fn obey(&mut self, command: Command, now: BootInstant, control: &mut impl Control) {
        match command {
            Command::Fitness { vip, fitness } => match self.named(&vip) {
                Some(vip) => self.set_fitness(vip, fitness, now, control),
                None => self.log(LogLevel::Error, format!("fitness of {vip}, which is no VIP here"), control),
            },
            Command::ProxyLost => {
                (0..self.vips.len()).for_each(|vip| self.set_fitness(vip, Fitness::NOT_SERVING, now, control));
            }
            Command::Resign { vip, to } => self.resign(vip, to.as_ref(), now, control),
            Command::Hold { duration } => {
                self.hold(Some(now + duration).filter(|until| *until > now), now, control);
            }
            Command::Retune(settings) => self.retune(*settings, now, control),
            Command::Shutdown { linger } => self.shut_down(linger, now, control),
            Command::Status => control.publish(Report::Snapshot(Box::new(self.snapshot(now)))),
        }
    }

    fn set_fitness(&mut self, vip: VipIndex, fitness: Fitness, now: BootInstant, control: &mut impl Control) {
        self.vips[vip].router.set_fitness(fitness, now);
        self.perform(vip, now, control);
    }

    fn resign(&mut self, vip: Option<VipName>, to: Option<&NodeName>, now: BootInstant, control: &mut impl Control) {
        let rank = match to.map(|node| self.settings.peers.iter().find(|peer| peer.name == *node).ok_or(node)) {
            None => None,
            Some(Ok(peer)) => Some(peer.rank),
            Some(Err(node)) => {
                let text = format!("{node} is not another node of [nodes]: nothing is moved");
                return self.log(LogLevel::Error, text, control);
            }
        };
        for index in 0..self.vips.len() {
            let virtual_address = &mut self.vips[index];
            let is_meant = match &vip {
                _ if virtual_address.is_leaving => false,
                Some(name) => virtual_address.carries(name),
                None => virtual_address.router.role().holds_address(),
            };
            if !is_meant {
                continue;
            }
            if let Err(refusal) = virtual_address.router.resign(rank, now) {
                self.publish_each(index, |vip| Report::MoveRefused { vip, why: refusal }, control);
            }
            self.perform(index, now, control);
        }
    }

    fn shut_down(&mut self, linger: bool, now: BootInstant, control: &mut impl Control) {
        let patience = self.settings.interval.duration() * 2 + REMOVAL_WITHIN;
        self.ends_by = Some(self.ends_by.unwrap_or(now + patience));
        let linger = if linger { Linger::UntilTaken } else { Linger::None };
        for vip in 0..self.vips.len() {
            self.vips[vip].router.shutdown(linger, now);
            self.perform(vip, now, control);
        }
    }

    fn named(&self, name: &VipName) -> Option<VipIndex> {
        self.vips.iter().position(|vip| vip.carries(name) && !vip.is_leaving)
    }
}

/// One that names an address of ours, by whatever identifier: as if it were for the virtual router that has it here.
fn overheard(
    vips: &[VirtualAddress],
    on: InterfaceIndex,
    ip: &IpMeta,
    bytes: &[u8],
) -> Result<Advertisement, Discarded> {
    let seen = Advertisement::glance(Family::of(ip.source), bytes).ok_or(Discarded::Length(bytes.len() as u16))?;
    let is_its = |vip: &&VirtualAddress| vip.settings.addresses().any(|address| seen.addresses.contains(&address));
    let found = vips.iter().filter(|vip| vip.on == on && !vip.is_gone()).find(is_its);
    let vip = found.ok_or(Discarded::VirtualRouterId(seen.virtual_router_id.get()))?;
    Ok(Advertisement { virtual_router_id: vip.settings.virtual_router_id, ..seen })
}

/// How adverts are read.
#[derive(Clone, Copy)]
struct Spoken<'a> {
    version: Version,
    authenticator: Option<&'a Authenticator>,
}

impl Spoken<'_> {
    /// Every router should sign by now, though who does not is heard.
    fn expects_signatures(self) -> bool {
        self.authenticator.is_some_and(|keys| keys.mode() == AuthMode::Permissive)
    }
}

/// What the virtual router that it speaks to would take; and how its sender is configured otherwise.
fn judge(
    vips: &mut [VirtualAddress],
    on: InterfaceIndex,
    spoken: Spoken<'_>,
    ip: &IpMeta,
    bytes: &[u8],
    now: BootInstant,
) -> Result<Advertisement, Discarded> {
    let read = auth_hmac::decode(ip, spoken.version, spoken.authenticator, bytes);
    let id = packet::virtual_router_id(bytes);
    let is_it = |vip: &&mut VirtualAddress| vip.on == on && Some(vip.settings.virtual_router_id) == id;
    let Some(VirtualAddress { router, mismatches, accepted, .. }) = vips.iter_mut().find(is_it) else {
        return read
            .and_then(|(other, _)| Err(Discarded::VirtualRouterId(other.advertisement.virtual_router_id.get())));
    };
    let judged = read.and_then(|(Received { advertisement, .. }, sequence)| {
        router.accepts(&advertisement, ip)?;
        // Last, so that what is discarded for another reason does not make its sender's next one a replay.
        count_once(accepted, ip.source, sequence)?;
        if sequence.is_none() && spoken.expects_signatures() {
            mismatches.not_signed(ip.source, router.parameters(), now);
        }
        Ok(advertisement)
    });
    match &judged {
        Ok(advertisement) => {
            mismatches.accepted(ip.source, advertisement, router.parameters(), router.priority(), now);
        }
        Err(reason) => mismatches.discarded(ip.source, *reason, router.parameters(), now),
    }
    judged
}

fn count_once(accepted: &mut Accepted, source: IpAddr, sequence: Option<Sequence>) -> Result<(), SignatureFault> {
    let Some(sequence) = sequence else { return Ok(()) };
    if !accepted.is_new(source, sequence) {
        return Err(SignatureFault::Replayed);
    }
    accepted.note(source, sequence);
    Ok(())
}

fn of_index(ports: &mut [Port], index: u32) -> impl Iterator<Item = &mut Port> {
    ports.iter_mut().filter(move |port| port.index == index)
}

fn held_on<'a>(
    vips: &'a mut [VirtualAddress],
    ports: &'a [Port],
    index: u32,
    address: IpAddr,
) -> impl Iterator<Item = (&'a mut VirtualAddress, u64)> {
    vips.iter_mut().filter_map(move |vip| vip.bit(ports, index, address).map(|bit| (vip, bit)))
}

fn warning(text: String) -> Report {
    Report::Log { level: LogLevel::Warn, text }
}
