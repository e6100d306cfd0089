//! The virtual router of RFC 9568 §6.4, as a value: events in, actions out, time an argument. [core]
//!
//! ```text
//!                    +--------------+
//!        +---------->|  Initialize  |<----------- any obstacle (stopped, link down, no proxy, no address)
//!        |           +--------------+
//!        |        no obstacle | listen
//!        |                    v
//!        |           +--------------+  Active_Down_Timer, or asked to   +--------------+
//!  shut  |           |    Backup    |---------------------------------->|    Active    |
//!  down  |           |              |<----------------------------------|              |
//!        |           +--------------+  outranked, displaced, stalled    +--------------+
//!        |                    ^                                           |          ^
//!        |                    | another one advertises              leave |          | nobody came
//!        |                    |                                           v          |
//!        |                    |                                         +--------------+
//!        +--------------------+-----------------------------------------|   Leaving    |
//!                                                                       +--------------+
//! ```
//!
//! Leaving is ours: the router has resigned, or asked one node to claim, and serves on until somebody else advertises.
//!
//! Where this differs from the RFC, and why:
//! - Fitness selects a priority tier. Between nodes of `[nodes]` a better tier always preempts and inside a tier the fail-back
//!   rule decides; from any other router plain preemption by number applies.
//! - Start-up listens at least 250 ms, plus one interval a rank, so that equals do not claim together at fast intervals.
//! - A Backup gives the Backups ahead of it that are heard by heartbeat 10 ms to claim first.
//! - A priority change in Backup moves the running timer by the difference of skews; a resignation never lengthens it.
//! - A heartbeat that says "I am Active" holds back a claim when advertisements stop; nothing else does.
//! - An Active router that was stalled so long that another may have taken over listens for an interval and a half before it speaks.
//! - An Active router whose address expires, or does not come in half a lease, resigns; in the second case it takes no part
//!   until the request is answered.
//!
//! Events are described by the methods of [`VirtualRouter`]; the driver drains [`VirtualRouter::poll_action`] after each one.

mod accept;
mod action;
mod active;
mod address;
mod backup;
mod event;
mod explanation;
mod leaving;
#[cfg(test)]
mod model;
mod notice;
mod parameters;
mod peers;
mod request;
pub mod role;
#[cfg(test)]
mod simulation;
mod statistics;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

pub use action::{Action, Alarm};
pub use explanation::Explanation;
pub use parameters::{MAX_PEERS, Parameters, Peer};
pub use request::{AddressLoss, ClaimRefused, Linger, Link, MoveRefused};
pub use statistics::Statistics;

use crate::boot_instant::BootInstant;
use crate::heartbeat::PeerReport;
use crate::packet::{Advertisement, Discarded, IpMeta};
use crate::priority::Priority;
use crate::tier::{Cause, Fitness, Tier};
use action::Outbox;
use active::Active;
use address::FIGHTS;
use backup::Backup;
use event::{Event, Heard, PeerHeard};
use leaving::Leaving;
use notice::Notices;
use peers::Peers;
use role::{Obstacle, Reason, Rival, Role, RoleChange};

/// One virtual router on one node.
#[derive(Debug, Clone)]
pub struct VirtualRouter {
    parameters: Parameters,
    state: State,
    /// The tier that is advertised; below it [`Self::fitness`] may be waiting to act.
    tier: Tier,
    fitness: Fitness,
    peers: Peers,
    run: Run,
    link: Link,
    contested_until: Option<BootInstant>,
    /// When somebody else removed the address, of late.
    removals: ArrayVec<BootInstant, FIGHTS>,
    /// The address was asked for and did not come: no claim before the request is answered.
    unanswered: bool,
    /// An operator moved the address away: no fail-back of our own accord until this router was Active again.
    sent_away: bool,
    since: BootInstant,
    reason: Reason,
    /// The last other router that advertised the address.
    rival: Option<Rival>,
    notices: Notices,
    statistics: Statistics,
    outbox: Outbox,
}

/// Whether the router is meant to take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Run {
    Stopped,
    Running,
    /// Shut down, but lingering until another node has taken over.
    Stopping,
}

/// The timers live inside the states: a timer that has no meaning has no place.
#[derive(Debug, Clone, Copy)]
enum State {
    Initialize(Obstacle),
    Backup(Backup),
    Active(Active),
    Leaving(Leaving),
}

impl VirtualRouter {
    /// A router that takes no part until [`Self::startup`], and until [`Self::set_fitness`] says that a proxy answers.
    pub fn new(parameters: Parameters, now: BootInstant) -> Self {
        Self {
            state: State::Initialize(Obstacle::Stopped),
            tier: Fitness::NOT_SERVING.tier,
            fitness: Fitness::NOT_SERVING,
            peers: Peers::new(&parameters),
            parameters,
            run: Run::Stopped,
            link: Link::Up,
            contested_until: None,
            removals: ArrayVec::new(),
            unanswered: false,
            sent_away: false,
            since: now,
            reason: Reason::Obstacle(Obstacle::Stopped),
            rival: None,
            notices: Notices::default(),
            statistics: Statistics::default(),
            outbox: Outbox::default(),
        }
    }

    /// Startup event.
    pub fn startup(&mut self, now: BootInstant) {
        self.run = Run::Running;
        self.reconsider(now);
    }

    /// Shutdown event. With [`Linger::UntilTaken`] an Active router resigns and serves until another advertises or its
    /// patience ends; it is over when [`Self::role`] is [`Role::Initialize`].
    pub fn shutdown(&mut self, linger: Linger, now: BootInstant) {
        self.run =
            if linger == Linger::UntilTaken && self.role().holds_address() { Run::Stopping } else { Run::Stopped };
        self.step(Event::ShutdownRequested, now);
        self.reconsider(now);
    }

    /// An advertisement that was decoded. What is discarded has had no effect.
    ///
    /// The driver drains its socket before it runs deadlines, and may keep only the newest advertisement of each source.
    pub fn handle_advertisement(
        &mut self,
        advertisement: &Advertisement,
        ip: &IpMeta,
        now: BootInstant,
    ) -> Result<(), Discarded> {
        self.accepts(advertisement, ip)?;
        let heard = self.heard(advertisement, ip.source);
        self.statistics.received(advertisement.priority);
        self.step(Event::Heard(heard), now);
        Ok(())
    }

    /// [`Self::next_deadline`] has passed. `late_by`: how much later than asked for the driver woke up.
    pub fn handle_deadline(&mut self, now: BootInstant, late_by: Duration) {
        if self.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.step(Event::Deadline { late_by }, now);
        }
    }

    /// A fresh heartbeat of the node of `rank` said this of this virtual router. A request to take over in it is obeyed.
    pub fn handle_peer(&mut self, rank: u8, report: PeerReport, now: BootInstant) {
        let Some(before) = self.peers.heard(rank, report, now) else { return };
        self.step(Event::Peer(PeerHeard { rank, report, before }), now);
        if report.claim == Some(self.parameters.rank) {
            self.step(Event::ClaimRequested(rank), now);
        }
    }

    /// The interface came up or went down.
    pub fn handle_link(&mut self, link: Link, now: BootInstant) {
        self.link = link;
        self.reconsider(now);
    }

    /// How fit this node is now. A rise acts at once; a fall by [`Cause::Local`] too; a fall by [`Cause::Backend`] at once in
    /// Backup, and in Active only when a live peer stays better for the settle time, or none was heard for that time.
    pub fn set_fitness(&mut self, fitness: Fitness, now: BootInstant) {
        if fitness == self.fitness {
            return;
        }
        self.fitness = fitness;
        let advertised_before = self.tier;
        let waits = matches!(self.state, State::Active(_)) && fitness.cause == Cause::Backend && fitness.serving;
        if !waits || fitness.tier > self.tier {
            self.tier = fitness.tier;
        }
        self.outbox.heartbeat();
        if fitness.serving {
            self.step(Event::FitnessChanged { advertised_before }, now);
        }
        self.reconsider(now);
    }

    /// A planned move, to the node of rank `to` or to whoever is next. The address is served until another advertises;
    /// when nobody does the router stays Active and raises [`Alarm::NobodyTookOver`].
    pub fn resign(&mut self, to: Option<u8>, now: BootInstant) -> Result<(), MoveRefused> {
        match self.state {
            State::Active(_) => self.peers.can_take(to, self.fitness.tier, now)?,
            State::Leaving(_) => return Err(MoveRefused::Leaving),
            State::Initialize(_) | State::Backup(_) => return Err(MoveRefused::NotActive),
        }
        self.step(Event::MoveRequested(to), now);
        Ok(())
    }

    /// Take over now, at the request of the node of rank `asked_by`. Nothing happens when this router is Active already.
    pub fn claim(&mut self, asked_by: u8, now: BootInstant) -> Result<(), ClaimRefused> {
        match self.state {
            State::Initialize(obstacle) => Err(ClaimRefused(obstacle)),
            State::Backup(_) | State::Active(_) | State::Leaving(_) => {
                self.step(Event::ClaimRequested(asked_by), now);
                Ok(())
            }
        }
    }

    /// A reload that keeps the virtual router's identifier and address: nothing moves and the cadence stays.
    pub fn set_parameters(&mut self, parameters: Parameters, now: BootInstant) {
        let before = self.priority();
        self.peers.reconfigure(&parameters);
        self.parameters = parameters;
        if let State::Backup(backup) = &mut self.state {
            let Parameters { version, priorities, .. } = self.parameters;
            backup.priority_changed(version, before, priorities.of(self.tier), now);
        }
        if let State::Active(active) = &mut self.state {
            active.adver_at = active.adver_at.min(now + self.parameters.interval.duration());
        }
        self.outbox.heartbeat();
    }

    /// The next thing to perform; drained by the driver after each event, in this order.
    pub fn poll_action(&mut self) -> Option<Action> {
        let action = self.outbox.pop();
        if let Some(Action::SendAdvertisement(priority)) = action {
            self.statistics.sent(priority);
        }
        action
    }

    /// When [`Self::handle_deadline`] is due.
    pub fn next_deadline(&self) -> Option<BootInstant> {
        match &self.state {
            State::Initialize(Obstacle::AddressContested) => self.contested_until,
            State::Initialize(_) => None,
            State::Backup(backup) => Some(backup.active_down_at),
            State::Active(active) => Some(active.next_deadline()),
            State::Leaving(leaving) => Some(leaving.until),
        }
    }

    /// What it is.
    pub fn role(&self) -> Role {
        match self.state {
            State::Initialize(_) => Role::Initialize,
            State::Backup(_) => Role::Backup,
            State::Active(_) => Role::Active,
            State::Leaving(_) => Role::Leaving,
        }
    }

    /// The priority of the advertised tier.
    pub fn priority(&self) -> Priority {
        self.parameters.priorities.of(self.tier)
    }

    /// What it was configured with.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The advertisement for [`Action::SendAdvertisement`].
    pub fn advertisement(&self, priority: Priority) -> Advertisement {
        let Parameters { virtual_router_id, interval, address, ref others, .. } = self.parameters;
        Advertisement::of_one(virtual_router_id, priority, interval, address).and(others)
    }

    /// Where the advertisements of the node of `rank` come from.
    pub fn source_of(&self, rank: u8) -> Option<IpAddr> {
        self.peers.source_of(rank)
    }

    /// Its line of this node's heartbeat.
    pub fn report(&self) -> PeerReport {
        let claim = match self.state {
            State::Leaving(Leaving { to, .. }) => to,
            State::Initialize(_) | State::Backup(_) | State::Active(_) => None,
        };
        PeerReport {
            virtual_router_id: self.parameters.virtual_router_id.get(),
            address: self.parameters.address,
            source: self.parameters.source,
            role: self.role(),
            tier: self.fitness.tier,
            serving: self.fitness.serving && !self.unanswered,
            priority: self.priority(),
            claim,
        }
    }

    /// Why it is what it is, since when, and what it waits for.
    pub fn explain(&self) -> Explanation {
        Explanation::of(self)
    }

    /// Counters since the router was made.
    pub fn statistics(&self) -> Statistics {
        Statistics { lost_reports: self.outbox.lost_reports(), ..self.statistics }
    }

    fn heard(&self, advertisement: &Advertisement, source: IpAddr) -> Heard {
        let tier = self.peers.knows(source).then(|| self.parameters.priorities.tier_of(advertisement.priority));
        let rival = Rival { source, priority: advertisement.priority };
        Heard { rival, interval: advertisement.interval, tier }
    }

    /// The one place where the state becomes another one's.
    fn enter(&mut self, state: State, reason: Reason, now: BootInstant) {
        let from = self.role();
        self.state = state;
        (self.since, self.reason) = (now, reason);
        self.outbox.heartbeat();
        self.outbox.role_changed(RoleChange { from, to: self.role(), reason, at: now });
    }

    fn reconsider(&mut self, now: BootInstant) {
        match self.obstacle(now) {
            Some(obstacle) => self.step(Event::Blocked(obstacle), now),
            None => self.step(Event::Cleared, now),
        }
    }

    fn obstacle(&self, now: BootInstant) -> Option<Obstacle> {
        if self.run == Run::Stopped {
            Some(Obstacle::Stopped)
        } else if self.link == Link::Down {
            Some(Obstacle::LinkDown)
        } else if !self.fitness.serving {
            Some(Obstacle::NotServing)
        } else if self.unanswered {
            Some(Obstacle::AddressUnanswered)
        } else {
            self.contested_until.filter(|until| now < *until).map(|_| Obstacle::AddressContested)
        }
    }

    /// Every state and every event (RFC 9568 §6.4.1 to §6.4.3).
    fn step(&mut self, event: Event, now: BootInstant) {
        self.notice_own_stall(now);
        match (self.state, event) {
            (State::Initialize(_), Event::Cleared) => self.listen(Reason::Ready, now),
            (State::Initialize(_), Event::Blocked(obstacle)) => self.stay_out(obstacle),
            (State::Initialize(_), Event::Deadline { .. }) => self.reconsider_contested(now),
            (
                State::Initialize(_),
                Event::Heard(_)
                | Event::Peer(_)
                | Event::FitnessChanged { .. }
                | Event::AddressLost(_)
                | Event::ShutdownRequested
                | Event::MoveRequested(_)
                | Event::ClaimRequested(_),
            ) => {}

            (State::Backup(_), Event::Blocked(obstacle)) => self.drop_out(obstacle, now),
            (State::Backup(backup), Event::Heard(heard)) => self.backup_hears(backup, heard, now),
            (State::Backup(backup), Event::Deadline { late_by }) => self.backup_timer(backup, late_by, now),
            (State::Backup(backup), Event::Peer(peer)) => self.backup_hears_peer(backup, peer, now),
            (State::Backup(backup), Event::FitnessChanged { advertised_before }) => {
                self.backup_changes_tier(backup, advertised_before, now);
            }
            (State::Backup(_), Event::ClaimRequested(rank)) => self.take_over_from(rank, now),
            (
                State::Backup(_),
                Event::Cleared | Event::AddressLost(_) | Event::ShutdownRequested | Event::MoveRequested(_),
            ) => {}

            (State::Active(_), Event::Blocked(obstacle)) => self.drop_out(obstacle, now),
            (State::Active(_), Event::ShutdownRequested) if self.run == Run::Stopping => {
                self.leave(None, Reason::ShuttingDown, now);
            }
            (State::Active(active), Event::Heard(heard)) => self.active_hears(active, heard, now),
            (State::Active(active), Event::Deadline { late_by }) => self.active_timer(active, late_by, now),
            (State::Active(active), Event::Peer(peer)) => self.active_hears_peer(active, peer, now),
            (State::Active(active), Event::FitnessChanged { advertised_before }) => {
                self.active_changes_tier(active, advertised_before, now);
            }
            (State::Active(active), Event::AddressLost(loss)) => self.active_loses_address(active, loss, now),
            (State::Active(_), Event::MoveRequested(to)) => self.move_away(to, now),
            (State::Active(_), Event::Cleared | Event::ShutdownRequested | Event::ClaimRequested(_)) => {}

            (State::Leaving(_), Event::Blocked(obstacle)) => self.drop_out(obstacle, now),
            (State::Leaving(_), Event::Heard(heard)) => self.leaving_hears(heard, now),
            (State::Leaving(leaving), Event::Deadline { late_by }) => self.leaving_timer(leaving, late_by, now),
            (State::Leaving(_), Event::Peer(peer)) => self.leaving_hears_peer(peer, now),
            (State::Leaving(_), Event::AddressLost(loss)) => self.leaving_loses_address(loss, now),
            (
                State::Leaving(_),
                Event::Cleared
                | Event::FitnessChanged { .. }
                | Event::ShutdownRequested
                | Event::MoveRequested(_)
                | Event::ClaimRequested(_),
            ) => {}
        }
    }
}
