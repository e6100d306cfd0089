//! The routers, the packets between them, and every step that may come next.

use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::time::Duration;

use crate::boot_instant::BootInstant;
use crate::heartbeat::PeerReport;
use crate::priority::Priority;
use crate::router::role::Role;
use crate::router::tests::harness::{LEASE, LOCAL_UNFIT, START, address, multicast, parameters};
use crate::router::{Action, AddressLoss, VirtualRouter};
use crate::tier::Fitness;

/// What may be done to the routers, beside the passing of time and the arrival of packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    Lose,
    Kill,
    Start,
    Freeze,
    Cut,
    Resign,
    Fall,
}

/// One step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The packet at this place of the mail arrives.
    Deliver(usize),
    /// It does not.
    Lose(usize),
    /// Time passes until the deadline of this node, or its heartbeat, is due.
    Wait(usize),
    Kill(usize),
    Start(usize),
    Freeze(usize),
    Resume(usize),
    /// Nothing passes between the first node and the others.
    Cut,
    Heal,
    Resign(usize),
    Fall(usize),
    Recover(usize),
}

/// How long an old heartbeat may be; as the driver sends them.
const HEARTBEAT_EACH: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Life {
    Running,
    Frozen(BootInstant),
    Dead,
}

#[derive(Clone)]
struct Node {
    router: VirtualRouter,
    life: Life,
    /// What the kernel has, lease aside.
    installed: bool,
    heartbeat_at: BootInstant,
    /// What came while it was frozen.
    socket: Vec<Mail>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Mail {
    from: usize,
    to: usize,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Content {
    Advertisement(Priority),
    Heartbeat(PeerReport),
}

impl Mail {
    /// Packets of one flow stay in order; others overtake each other.
    fn is_of_flow(&self, other: &Self) -> bool {
        let same_kind = std::mem::discriminant(&self.content) == std::mem::discriminant(&other.content);
        (self.from, self.to) == (other.from, other.to) && same_kind
    }
}

/// All routers at one moment.
#[derive(Clone)]
pub(super) struct World {
    pub(super) now: BootInstant,
    nodes: Vec<Node>,
    mail: Vec<Mail>,
    is_cut: bool,
    heartbeats: bool,
    /// Disturbances that may still come.
    left: u8,
    pub(super) disturbed_at: BootInstant,
}

impl World {
    /// `count` nodes that started together and settled two seconds ago: the first is Active.
    pub(super) fn settled(count: u8, heartbeats: bool, left: u8) -> Self {
        let node = |rank| Node {
            router: VirtualRouter::new(parameters(rank, count), START),
            life: Life::Dead,
            installed: false,
            heartbeat_at: START,
            socket: Vec::new(),
        };
        let nodes = (0..count).map(node).collect();
        let mail = Vec::new();
        let mut world = Self { now: START, nodes, mail, is_cut: false, heartbeats, left, disturbed_at: START };
        (0..world.nodes.len()).for_each(|node| world.start(node));
        world.settle();
        assert_eq!(world.active(), [0]);
        world
    }

    /// The same, but the first died two seconds ago.
    pub(super) fn settled_without_the_first(count: u8, left: u8) -> Self {
        let mut world = Self::settled(count, true, left);
        world.kill(0);
        world.settle();
        assert_eq!(world.active(), [1]);
        world
    }

    fn settle(&mut self) {
        let end = self.now + Duration::from_secs(2);
        while self.now < end || !self.mail.is_empty() {
            let step = self.undisturbed().remove(0);
            self.take(step);
        }
        self.disturbed_at = self.now;
    }

    /// What happens by itself: mail first, of one flow in order; then the next timers.
    pub(super) fn undisturbed(&self) -> Vec<Step> {
        if !self.mail.is_empty() {
            return self.heads().map(Step::Deliver).collect();
        }
        let due = |node: usize| Some((self.due(node)?, node));
        let timers: Vec<_> = (0..self.nodes.len()).filter_map(due).collect();
        let first = timers.iter().map(|(at, _)| *at).min();
        timers.iter().filter(|(at, _)| Some(*at) == first).map(|(_, node)| Step::Wait(*node)).collect()
    }

    /// What may be done to it.
    pub(super) fn disturbed(&self, by: &[Disturbance]) -> Vec<Step> {
        let mut steps = Vec::new();
        for disturbance in by.iter().filter(|_| self.left > 0) {
            match disturbance {
                Disturbance::Lose => steps.extend(self.heads().map(Step::Lose)),
                Disturbance::Kill => steps.extend(self.running().map(Step::Kill)),
                Disturbance::Start => steps.extend(self.dead().map(Step::Start)),
                Disturbance::Freeze => steps.extend(self.running().map(Step::Freeze)),
                Disturbance::Cut => steps.push(if self.is_cut { Step::Heal } else { Step::Cut }),
                Disturbance::Resign => steps.extend(self.active().into_iter().map(Step::Resign)),
                Disturbance::Fall => steps.extend(self.running().map(|node| self.other_fitness(node))),
            }
        }
        steps
    }

    /// What ends a stall, however long it was.
    pub(super) fn resumed(&self) -> impl Iterator<Item = Step> + '_ {
        let is_frozen = |node: &usize| matches!(self.nodes[*node].life, Life::Frozen(_));
        (0..self.nodes.len()).filter(is_frozen).map(Step::Resume)
    }

    fn other_fitness(&self, node: usize) -> Step {
        if self.nodes[node].router.report().tier == Fitness::FIT.tier { Step::Fall(node) } else { Step::Recover(node) }
    }

    /// The first packet of each flow.
    fn heads(&self) -> impl Iterator<Item = usize> + '_ {
        let is_head = |at: &usize| !self.mail[..*at].iter().any(|earlier| earlier.is_of_flow(&self.mail[*at]));
        (0..self.mail.len()).filter(is_head)
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Deliver(at) => {
                let mail = self.mail.remove(at);
                self.arrive(mail);
            }
            Step::Wait(node) => self.wait(node),
            _ => self.disturb(step),
        }
    }

    fn disturb(&mut self, step: Step) {
        self.disturbed_at = self.now;
        if !matches!(step, Step::Resume(_)) {
            self.left -= 1;
        }
        match step {
            Step::Lose(at) => drop(self.mail.remove(at)),
            Step::Kill(node) => self.kill(node),
            Step::Start(node) => self.start(node),
            Step::Freeze(node) => self.nodes[node].life = Life::Frozen(self.now),
            Step::Resume(node) => self.resume(node),
            Step::Cut => (self.is_cut, self.mail) = (true, Vec::new()),
            Step::Heal => self.is_cut = false,
            Step::Resign(node) => drop(self.nodes[node].router.resign(None, self.now)),
            Step::Fall(node) => self.nodes[node].router.set_fitness(LOCAL_UNFIT, self.now),
            Step::Recover(node) => self.nodes[node].router.set_fitness(Fitness::FIT, self.now),
            Step::Deliver(_) | Step::Wait(_) => {}
        }
        (0..self.nodes.len()).for_each(|node| self.perform(node));
    }

    fn due(&self, node: usize) -> Option<BootInstant> {
        let Node { router, life, heartbeat_at, .. } = &self.nodes[node];
        let heartbeat = self.heartbeats.then_some(*heartbeat_at);
        router.next_deadline().into_iter().chain(heartbeat).min().filter(|_| *life == Life::Running)
    }

    fn wait(&mut self, node: usize) {
        self.now = self.now.max(self.due(node).unwrap_or(self.now));
        self.run_timers(node);
    }

    fn run_timers(&mut self, node: usize) {
        let running = &mut self.nodes[node];
        if let Some(deadline) = running.router.next_deadline().filter(|deadline| *deadline <= self.now) {
            running.router.handle_deadline(self.now, self.now.saturating_duration_since(deadline));
        }
        if running.heartbeat_at <= self.now {
            running.heartbeat_at = self.now + HEARTBEAT_EACH;
            self.post(node, Content::Heartbeat(self.nodes[node].router.report()));
        }
        self.perform(node);
    }

    fn start(&mut self, node: usize) {
        let parameters = self.nodes[node].router.parameters().clone();
        let mut router = VirtualRouter::new(parameters, self.now);
        router.startup(self.now);
        router.set_fitness(Fitness::FIT, self.now);
        self.nodes[node] =
            Node { router, life: Life::Running, installed: false, heartbeat_at: self.now, socket: Vec::new() };
        self.perform(node);
    }

    /// Its last packets have left; its kernel ends the lease by itself.
    fn kill(&mut self, node: usize) {
        self.nodes[node].life = Life::Dead;
    }

    /// The lease first, then the newest packet of each flow, then the timers: the order of the driver.
    fn resume(&mut self, node: usize) {
        let Life::Frozen(since) = self.nodes[node].life else { return };
        let has_expired = self.now.saturating_duration_since(since) >= LEASE;
        let Node { router, life, installed, socket, .. } = &mut self.nodes[node];
        *life = Life::Running;
        let backlog = std::mem::take(socket);
        if std::mem::take(installed) && has_expired {
            router.handle_address_lost(AddressLoss::Expired, self.now);
        }
        *installed = router.role().holds_address();
        self.perform(node);
        for (place, mail) in backlog.iter().enumerate() {
            if !backlog[place + 1..].iter().any(|later| later.is_of_flow(mail)) {
                self.arrive(*mail);
            }
        }
        self.run_timers(node);
    }

    fn arrive(&mut self, mail: Mail) {
        let Mail { from, to, content } = mail;
        match self.nodes[to].life {
            Life::Dead => return,
            Life::Frozen(_) => return self.nodes[to].socket.push(mail),
            Life::Running => {}
        }
        match content {
            Content::Advertisement(priority) => {
                let advertisement = self.nodes[from].router.advertisement(priority);
                let ip = multicast(address(from as u8));
                let heard = self.nodes[to].router.handle_advertisement(&advertisement, &ip, self.now);
                assert_eq!(heard, Ok(()));
            }
            Content::Heartbeat(report) => self.nodes[to].router.handle_peer(from as u8, report, self.now),
        }
        self.perform(to);
    }

    fn perform(&mut self, node: usize) {
        while let Some(action) = self.nodes[node].router.poll_action() {
            match action {
                Action::SendAdvertisement(priority) => self.post(node, Content::Advertisement(priority)),
                Action::SendHeartbeat => self.post(node, Content::Heartbeat(self.nodes[node].router.report())),
                Action::AddAddress => self.nodes[node].installed = true,
                Action::RemoveAddress => self.nodes[node].installed = false,
                Action::Announce | Action::RoleChanged(_) | Action::Alarm(_) => {}
            }
        }
    }

    fn post(&mut self, from: usize, content: Content) {
        if !self.heartbeats && matches!(content, Content::Heartbeat(_)) {
            return;
        }
        let is_apart = |to: usize| self.is_cut && (from == 0) != (to == 0);
        let reached =
            (0..self.nodes.len()).filter(|&to| to != from && !is_apart(to) && self.nodes[to].life != Life::Dead);
        self.mail.extend(reached.map(|to| Mail { from, to, content }));
    }

    fn running(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].life == Life::Running)
    }

    fn dead(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|&node| self.nodes[node].life == Life::Dead)
    }

    pub(super) fn active(&self) -> Vec<usize> {
        self.running().filter(|&node| self.nodes[node].router.role() == Role::Active).collect()
    }

    pub(super) fn is_whole(&self) -> bool {
        !self.is_cut && self.nodes.iter().all(|node| !matches!(node.life, Life::Frozen(_)))
    }

    pub(super) fn somebody_runs(&self) -> bool {
        self.running().next().is_some()
    }

    /// Of the running routers: the address is installed exactly while the role holds it.
    pub(super) fn addresses_follow_roles(&self) -> bool {
        self.running().all(|node| self.nodes[node].installed == self.nodes[node].router.role().holds_address())
    }

    pub(super) fn no_deadline_is_past(&self) -> bool {
        self.running().all(|node| self.nodes[node].router.next_deadline().is_none_or(|at| at >= self.now))
    }

    pub(super) fn somebody_serves(&self) -> bool {
        self.running().any(|node| self.nodes[node].installed)
    }

    /// The best tier of a running node, and of the Active one.
    pub(super) fn owner_is_of_the_best_tier(&self) -> bool {
        let tier = |node: usize| self.nodes[node].router.report().tier;
        self.active().iter().all(|owner| self.running().all(|node| tier(node) <= tier(*owner)))
    }
}

/// What decides how a run goes on. Words for people (reasons, notices) and counters do not.
impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        (self.now, self.is_cut, self.left, self.disturbed_at).hash(hasher);
        let mut text = Hashed(hasher);
        let written = self.nodes.iter().try_for_each(|node| node.tell(&mut text));
        written.and_then(|()| write!(text, "{:?}", self.mail)).expect("hashing cannot fail");
    }
}

/// The same in what [`Hash`] looks at.
impl PartialEq for World {
    fn eq(&self, other: &Self) -> bool {
        let told = |world: &Self| {
            let mut text = String::new();
            world.nodes.iter().try_for_each(|node| node.tell(&mut text)).map(|()| text)
        };
        let whole = |world: &Self| (world.now, world.is_cut, world.left, world.disturbed_at);
        whole(self) == whole(other) && self.mail == other.mail && told(self) == told(other)
    }
}

impl Node {
    fn tell(&self, to: &mut impl fmt::Write) -> fmt::Result {
        let VirtualRouter { state, tier, fitness, peers, run, sent_away, .. } = &self.router;
        write!(to, "{state:?} {tier:?} {fitness:?} {peers:?} {run:?} {sent_away}")?;
        write!(to, "{:?} {} {:?} {:?}", self.life, self.installed, self.heartbeat_at, self.socket)
    }
}

struct Hashed<'a, H>(&'a mut H);

impl<H: Hasher> fmt::Write for Hashed<'_, H> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.now.saturating_duration_since(START).as_secs_f64() * 1000.0;
        write!(f, "{at:.3} ms, {} packets", self.mail.len())?;
        for node in &self.nodes {
            let deadline = node.router.next_deadline().map(|at| at.saturating_duration_since(self.now));
            write!(f, "; {:?} {} next {deadline:?}", node.life, node.router.explain())?;
        }
        Ok(())
    }
}
