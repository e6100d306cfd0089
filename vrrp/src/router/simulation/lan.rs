//! The virtual LAN: nodes, a queue of packets in flight, and what is checked after each step.

use std::fmt::Write as _;
use std::mem::discriminant;
use std::time::Duration;

use super::clock::Clock;
use super::watch::Watch;
use super::wire::{Packet, VERSION, Wire};
use crate::boot_instant::BootInstant;
use crate::packet::{Advertisement, Discarded};
use crate::priority::Priority;
use crate::router::role::Role;
use crate::router::tests::harness::{FOREIGN_HIGH, LEASE, START, address, multicast, parameters};
use crate::router::{Action, AddressLoss, Linger, Parameters, VirtualRouter};
use crate::tier::Fitness;

/// A small generator (splitmix64): the seed is the whole scenario.
#[derive(Debug, Clone)]
pub(super) struct Seeded(u64);

impl Seeded {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    fn span(&mut self, bound: Duration) -> Duration {
        Duration::from_nanos(self.below(bound.as_nanos() as u64 + 1))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Running,
    /// Scheduled nowhere; packets queue in its socket.
    Frozen {
        since: BootInstant,
    },
    Dead {
        since: BootInstant,
    },
}

pub(super) struct Node {
    pub(super) router: VirtualRouter,
    pub(super) life: Life,
    /// What the kernel has, lease aside.
    installed: bool,
    heartbeat_at: BootInstant,
    socket: Vec<(usize, Packet)>,
    pub(super) clock: Clock,
    watch: Watch,
    pub(super) announced_at: Option<BootInstant>,
    pub(super) promotions: u32,
}

pub(super) struct Lan {
    pub(super) now: BootInstant,
    pub(super) nodes: Vec<Node>,
    pub(super) random: Seeded,
    /// Packets lost, in thousandths.
    pub(super) loss: u64,
    /// Advertisements that arrive twice, in thousandths.
    pub(super) duplication: u64,
    pub(super) heartbeats: bool,
    pub(super) advertisements: bool,
    cut: Vec<(usize, usize)>,
    pub(super) wire: Wire,
    log: String,
    /// Set by a scenario that must never be without the address.
    pub(super) never_unserved: bool,
    seed: u64,
}

impl Lan {
    /// `count` nodes in order of rank, all off.
    pub(super) fn new(seed: u64, count: u8) -> Self {
        Self::with(seed, count, |parameters| parameters)
    }

    pub(super) fn with(seed: u64, count: u8, change: impl Fn(Parameters) -> Parameters) -> Self {
        let node = |rank| Node {
            router: VirtualRouter::new(change(parameters(rank, count)), START),
            life: Life::Dead { since: START },
            installed: false,
            heartbeat_at: START,
            socket: Vec::new(),
            clock: Clock::TRUE,
            watch: Watch::default(),
            announced_at: None,
            promotions: 0,
        };
        Self {
            now: START,
            nodes: (0..count).map(node).collect(),
            random: Seeded::new(seed),
            loss: 0,
            duplication: 0,
            heartbeats: true,
            advertisements: true,
            cut: Vec::new(),
            wire: Wire::default(),
            log: String::new(),
            never_unserved: false,
            seed,
        }
    }

    /// All nodes started together and settled: node 0 is Active.
    pub(super) fn settled(seed: u64, count: u8) -> Self {
        let mut lan = Self::new(seed, count);
        lan.start_all();
        lan
    }

    /// The same where the heartbeat's port is closed from the first day.
    pub(super) fn settled_without_heartbeats(seed: u64, count: u8) -> Self {
        let mut lan = Self::new(seed, count);
        lan.heartbeats = false;
        lan.start_all();
        lan
    }

    pub(super) fn start_all(&mut self) {
        for node in 0..self.nodes.len() {
            self.start(node);
        }
        self.run(Duration::from_secs(2));
        assert_eq!(self.active(), [0], "{}", self.story());
    }

    pub(super) fn start(&mut self, node: usize) {
        self.tell(&format!("node {node} starts"));
        let (now, shown) = (self.now, self.shown(node));
        let parameters = self.nodes[node].router.parameters().clone();
        let fresh = &mut self.nodes[node];
        let router = VirtualRouter::new(parameters, shown);
        *fresh = Node { router, life: Life::Running, heartbeat_at: now, ..fresh.off() };
        fresh.router.startup(shown);
        self.set_fitness(node, Fitness::FIT);
    }

    pub(super) fn set_fitness(&mut self, node: usize, fitness: Fitness) {
        self.tell(&format!("node {node} is {fitness:?}"));
        let shown = self.shown(node);
        self.nodes[node].router.set_fitness(fitness, shown);
        self.perform(node);
    }

    pub(super) fn resign(&mut self, node: usize, to: Option<u8>) -> bool {
        self.tell(&format!("node {node} is asked to leave to {to:?}"));
        let shown = self.shown(node);
        let begun = self.nodes[node].router.resign(to, shown).is_ok();
        self.perform(node);
        begun
    }

    pub(super) fn shutdown(&mut self, node: usize) {
        self.tell(&format!("node {node} shuts down"));
        let shown = self.shown(node);
        self.nodes[node].router.shutdown(Linger::UntilTaken, shown);
        self.perform(node);
    }

    /// SIGKILL of everything: no word is said, and the kernel ends the lease.
    pub(super) fn kill(&mut self, node: usize) {
        self.tell(&format!("node {node} is killed"));
        self.nodes[node].life = Life::Dead { since: self.now };
    }

    pub(super) fn freeze(&mut self, node: usize) {
        if self.nodes[node].life == Life::Running {
            self.tell(&format!("node {node} freezes"));
            self.nodes[node].life = Life::Frozen { since: self.now };
        }
    }

    /// What a driver does on waking up: drain the kernel's events and the socket, newest advertisement of each source, then
    /// the timers, all at one reading of the clock.
    pub(super) fn resume(&mut self, node: usize) {
        let Life::Frozen { .. } = self.nodes[node].life else { return };
        self.tell(&format!("node {node} resumes"));
        let expired = self.nodes[node].installed && !self.holds(node);
        self.nodes[node].life = Life::Running;
        if expired {
            self.nodes[node].installed = false;
            let shown = self.shown(node);
            self.nodes[node].router.handle_address_lost(AddressLoss::Expired, shown);
            self.perform(node);
        }
        let backlog = std::mem::take(&mut self.nodes[node].socket);
        for (place, (from, packet)) in backlog.iter().enumerate() {
            let newer = |(other, later): &(usize, Packet)| other == from && discriminant(later) == discriminant(packet);
            if !backlog[place + 1..].iter().any(newer) {
                self.deliver(*from, node, packet.clone());
            }
        }
    }

    /// No packet passes between the two, either way.
    pub(super) fn cut(&mut self, a: usize, b: usize) {
        self.tell(&format!("{a} and {b} are cut off from each other"));
        self.cut.push((a, b));
    }

    pub(super) fn heal(&mut self) {
        self.tell("the network is whole");
        self.cut.clear();
    }

    /// Until `span` has passed, event by event, checking after each.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.next_event().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
            self.check();
        }
        self.now = end;
    }

    fn next_event(&self) -> Option<BootInstant> {
        let deadline = |node: usize| Some(self.nodes[node].clock.when(self.nodes[node].router.next_deadline()?));
        let timers = self.running().filter_map(deadline);
        let heartbeats = self.running().filter(|_| self.heartbeats).map(|node| self.nodes[node].heartbeat_at);
        timers.chain(heartbeats).chain(self.wire.next_at()).min()
    }

    /// What the clock of `node` shows.
    fn shown(&self, node: usize) -> BootInstant {
        self.nodes[node].clock.shows(self.now)
    }

    fn step(&mut self) {
        while let Some(flight) = self.wire.arrived(self.now) {
            self.arrive(flight.from, flight.to, flight.packet);
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].life == Life::Running {
                self.run_timers(node);
            }
        }
    }

    fn run_timers(&mut self, node: usize) {
        let shown = self.shown(node);
        if let Some(deadline) = self.nodes[node].router.next_deadline().filter(|deadline| *deadline <= shown) {
            let late_by = shown.saturating_duration_since(deadline);
            self.nodes[node].router.handle_deadline(shown, late_by);
            self.perform(node);
        }
        if self.nodes[node].heartbeat_at <= self.now {
            self.nodes[node].heartbeat_at = self.now + self.nodes[node].router.parameters().interval.duration();
            self.send_heartbeat(node);
        }
    }

    fn perform(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].router.poll_action() {
            match action {
                Action::SendAdvertisement(priority) => self.advertise(node, priority),
                Action::AddAddress => self.nodes[node].installed = true,
                Action::RemoveAddress => self.nodes[node].installed = false,
                Action::Announce => {
                    self.nodes[node].announced_at = Some(self.now);
                    let announced = self.nodes[node].watch.announces(self.now);
                    announced.unwrap_or_else(|wrong| panic!("node {node}: {wrong}\n{}", self.story()));
                }
                Action::SendHeartbeat => self.send_heartbeat(node),
                Action::RoleChanged(change) => {
                    self.nodes[node].promotions += u32::from(change.to == Role::Active);
                    self.nodes[node].watch.becomes(change.to);
                    self.tell(&format!("node {node}: {} -> {} because {}", change.from, change.to, change.reason));
                }
                Action::Alarm(alarm) => self.tell(&format!("node {node}: {alarm:?}")),
            }
        }
    }

    fn advertise(&mut self, node: usize, priority: Priority) {
        let Node { router, watch, .. } = &mut self.nodes[node];
        let interval = router.parameters().interval.duration();
        let advertised = watch.advertises(priority, router.role(), interval, self.now);
        let packet = Packet::of(&router.advertisement(priority), multicast(address(node as u8)));
        advertised.unwrap_or_else(|wrong| panic!("node {node}: {wrong}\n{}", self.story()));
        if self.advertisements {
            self.send(node, &packet);
        }
    }

    /// A stranger says to every node what no node may take; nothing may come of it (P-02).
    pub(super) fn inject_junk(&mut self) {
        let good = Packet::of(&self.nodes[0].router.advertisement(Priority::OWNER), multicast(FOREIGN_HIGH));
        let Packet::Advertisement(ip, mut octets) = good else { return };
        let place = self.random.below(octets.len() as u64) as usize;
        octets[place] ^= 1 << self.random.below(8);
        for node in 0..self.nodes.len() {
            let shown = self.shown(node);
            let router = &mut self.nodes[node].router;
            let before = format!("{router:?}");
            let heard = Advertisement::decode(&ip, VERSION, &octets)
                .and_then(|received| router.handle_advertisement(&received.advertisement, &ip, shown));
            // One changed bit breaks the checksum, whatever else it breaks.
            let is_new_reason = |reason| matches!(reason, Discarded::OwnAddress | Discarded::Stranger);
            assert!(heard.is_err_and(|reason| !is_new_reason(reason)), "{heard:?}");
            assert_eq!(before, format!("{:?}", self.nodes[node].router), "junk had an effect\n{}", self.story());
        }
    }

    fn send_heartbeat(&mut self, node: usize) {
        if self.heartbeats {
            let report = self.nodes[node].router.report();
            self.send(node, &Packet::Heartbeat(report));
        }
    }

    fn send(&mut self, from: usize, packet: &Packet) {
        for to in (0..self.nodes.len()).filter(|&to| to != from) {
            let lost = self.random.below(1000) < self.loss;
            let delay = Duration::from_micros(50) + self.random.span(Duration::from_millis(1));
            // A heartbeat that comes twice is refused by its sequence.
            let may_repeat = matches!(packet, Packet::Advertisement(..)) && self.duplication > 0;
            let copies = 1 + u64::from(may_repeat && self.random.below(1000) < self.duplication);
            if !lost && !self.is_cut(from, to) {
                (0..copies).for_each(|_| self.wire.send(from, to, packet.clone(), self.now + delay));
            }
        }
    }

    fn arrive(&mut self, from: usize, to: usize, packet: Packet) {
        match self.nodes[to].life {
            Life::Running => self.deliver(from, to, packet),
            Life::Frozen { .. } => self.nodes[to].socket.push((from, packet)),
            Life::Dead { .. } => {}
        }
    }

    fn deliver(&mut self, from: usize, to: usize, packet: Packet) {
        let shown = self.shown(to);
        let router = &mut self.nodes[to].router;
        match packet {
            Packet::Advertisement(ip, octets) => {
                let accepted = Advertisement::decode(&ip, VERSION, &octets)
                    .and_then(|received| router.handle_advertisement(&received.advertisement, &ip, shown));
                assert_eq!(accepted, Ok(()));
            }
            Packet::Heartbeat(report) => router.handle_peer(from as u8, report, shown),
        }
        self.perform(to);
    }

    fn is_cut(&self, a: usize, b: usize) -> bool {
        self.cut.contains(&(a, b)) || self.cut.contains(&(b, a))
    }

    fn running(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].life == Life::Running)
    }

    /// The running nodes that are Active.
    pub(super) fn active(&self) -> Vec<usize> {
        self.running().filter(|&node| self.nodes[node].router.role() == Role::Active).collect()
    }

    /// Whether the kernel of `node` has the address: a lease outlives its renewer by at most its length.
    pub(super) fn holds(&self, node: usize) -> bool {
        let renewed = match self.nodes[node].life {
            Life::Running => self.now,
            Life::Frozen { since } | Life::Dead { since } => since,
        };
        self.nodes[node].installed && self.now.saturating_duration_since(renewed) < LEASE
    }

    pub(super) fn holders(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&node| self.holds(node)).collect()
    }

    pub(super) fn promotions(&self) -> u32 {
        self.nodes.iter().map(|node| node.promotions).sum()
    }

    fn check(&self) {
        for node in self.running() {
            let Node { router, installed, .. } = &self.nodes[node];
            assert_eq!(*installed, router.role().holds_address(), "address and role of {node}\n{}", self.story());
            let deadline = router.next_deadline();
            assert!(
                deadline.is_none_or(|at| at >= self.shown(node)),
                "a deadline of {node} was left\n{}",
                self.story()
            );
        }
        assert!(!self.never_unserved || !self.holders().is_empty(), "nobody has the address\n{}", self.story());
    }

    pub(super) fn tell(&mut self, what: &str) {
        let at = self.now.saturating_duration_since(START);
        let _ = writeln!(self.log, "{:>12.3} ms  {what}", at.as_secs_f64() * 1000.0);
    }

    /// The seed and everything that happened, for the message of an assertion.
    pub(super) fn story(&self) -> String {
        format!("seed {}\n{}", self.seed, self.log)
    }
}

impl Node {
    /// A node as it is before it starts; it keeps only what is counted.
    fn off(&self) -> Self {
        Self {
            router: self.router.clone(),
            life: Life::Dead { since: self.heartbeat_at },
            installed: false,
            heartbeat_at: self.heartbeat_at,
            socket: Vec::new(),
            clock: self.clock,
            watch: Watch::default(),
            announced_at: None,
            promotions: self.promotions,
        }
    }
}
