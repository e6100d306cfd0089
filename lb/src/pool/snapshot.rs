//! One consistent set of servers and rules.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use fmc_config::model;
use fmc_config::model::backend::{Balance, ProxyProtocol, Weight};

use super::{Queue, warm_up};
use crate::balance::{self, Candidate, Rule, SourceTable, TableEntry};
use crate::pulse::Ticks;
use crate::server::{InFlight, Server};

/// What the health check believes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// Not checked often enough to say.
    Unknown,
    /// It passes.
    Healthy,
    /// It fails. It still gets connections when no better server accepts: one wrong check must not take all down.
    Unhealthy,
}

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Administrative {
    /// Takes connections.
    Ready,
    /// Keeps those it has, takes no new one.
    Drain,
    /// Takes none, is not to be touched.
    Maint,
}

/// Everything a choice and a dial need, as of one moment.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// In the order of the configuration.
    pub members: Vec<Member>,
    /// The rules of the backend.
    pub policy: Policy,
    /// Where source hash sends each client; shared by every snapshot with the same names and weights, empty under other rules.
    pub(super) sources: Arc<SourceTables>,
}

/// The table of the servers that serve and, so that a stand-in takes no slot from them, one of the backups.
#[derive(Debug, Default)]
pub(super) struct SourceTables {
    regular: SourceTable,
    backups: SourceTable,
}

/// What a choice depends on beside the snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Occasion {
    /// 64 uniform bits, new for each choice.
    pub(crate) entropy: u64,
    /// Who connects.
    pub(crate) source: IpAddr,
    /// The flow of datagrams that it is for; `None`: a connection.
    pub(crate) flow: Option<SocketAddr>,
    pub(crate) now: Ticks,
}

/// One server's place in a snapshot.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its name, address and counters, shared by all snapshots.
    pub server: Arc<Server>,
    /// What the health check believes.
    pub health: Health,
    /// What the operator wants.
    pub administrative: Administrative,
    /// Its share of new connections.
    pub weight: Weight,
    /// Connections that it has at once; with so many it is passed over.
    pub max_connections: Option<NonZeroU32>,
    /// Takes connections only while no other server of the backend is ready and believed to work.
    pub backup: bool,
    /// What its agent wants; everything is possible when there is none.
    pub agent: AgentWish,
    /// When it last came back into service; `None`: it has been in service from the start.
    pub warming_since: Option<Ticks>,
}

/// What a server's own agent wants: an observation, beside what the operator asks and what the check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentWish {
    /// It takes new connections.
    pub takes_new: bool,
    /// It says that it does not serve, whatever its check finds.
    pub is_down: bool,
    /// Of its weight. Without effect under source hash, where every node must choose alike.
    pub percent: u16,
    /// Connections at once.
    pub max_connections: Option<u32>,
}

impl Default for AgentWish {
    fn default() -> Self {
        Self { takes_new: true, is_down: false, percent: 100, max_connections: None }
    }
}

impl AgentWish {
    /// At least 1 of what is more than nothing.
    fn of(self, weight: Weight) -> Weight {
        let part = (u32::from(weight.get()) * u32::from(self.percent)).div_ceil(100);
        Weight::new(u16::try_from(part).unwrap_or(256).min(256)).unwrap_or(weight)
    }
}

/// How a backend's servers are chosen and reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How one is chosen.
    pub balance: Balance,
    /// Flows of datagrams come here, and are chosen for by their own rule.
    pub has_flows: bool,
    /// One attempt may take this long.
    pub connect_timeout: Duration,
    /// An attempt that lasts this long has another one beside it; `None`: never.
    pub hedge_after: Option<Duration>,
    /// Servers that one connection tries.
    pub attempts: u8,
    /// What clients' failures say of a server.
    pub observe: Option<model::backend::Observe>,
    /// Who may wait for room.
    pub queue: model::backend::Queue,
    /// How long a server that came back takes less than its share.
    pub slow_start: Option<Duration>,
    /// What is written before the client's bytes.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// The order in which servers are asked; only the best rank present takes part in a choice.
///
/// Backups are asked only while no other ready server is healthy or unknown, and then before anybody who fails a check; those
/// who do fail come last, all of them: fail-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Regular(Working),
    Backup(Working),
    FailOpen(Failing, StandIn),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Working {
    Healthy,
    Unknown,
    /// Passing or unknown, but a client's dial failed a moment ago.
    Suspected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failing {
    /// Failing its check.
    Check,
    /// Failing its check and the clients.
    CheckAndClients,
}

/// Whether a server is a backup; it comes second.
pub(super) type StandIn = bool;

impl Snapshot {
    pub(super) fn new(backend: &model::backend::Backend, queue: &Arc<Queue>) -> Self {
        Self::of(backend.servers.iter().map(|server| Member::new(server, queue)).collect(), backend)
    }

    fn of(members: Vec<Member>, backend: &model::backend::Backend) -> Self {
        let mut snapshot = Self { members, policy: Policy::new(backend), sources: Arc::default() };
        snapshot.renew_sources();
        snapshot
    }

    pub(super) fn reconfigured(&self, backend: &model::backend::Backend, queue: &Arc<Queue>) -> Self {
        let member = |server: &model::backend::Server| match self.same(server) {
            Some(known) => known.reconfigured(server),
            None => Member::new(server, queue),
        };
        Self::of(backend.servers.iter().map(member).collect(), backend)
    }

    /// Fills the tables of source hash anew if a server came, went or changed its name, weight or place; else keeps them.
    pub(super) fn renew_sources(&mut self) {
        if self.policy.balance != Balance::SourceHash && !self.policy.has_flows {
            self.sources = Arc::default();
            return;
        }
        let (regular, backups) = (self.table_entries(false), self.table_entries(true));
        if !self.sources.regular.is_of(&regular) || !self.sources.backups.is_of(&backups) {
            let (regular, backups) = (SourceTable::new(regular), SourceTable::new(backups));
            self.sources = Arc::new(SourceTables { regular, backups });
        }
    }

    /// Health and administrative state are left out on purpose: who is away for a while keeps its slots, so that its clients
    /// go elsewhere and come back, and nobody else moves.
    fn table_entries(&self, backup: StandIn) -> Vec<TableEntry> {
        let members = self.members.iter().zip(0..u16::MAX).filter(|(member, _)| member.backup == backup);
        let entry = |(member, position): (&Member, u16)| TableEntry {
            position,
            name: member.server.name().clone(),
            weight: member.weight,
        };
        members.map(entry).collect()
    }

    fn same(&self, server: &model::backend::Server) -> Option<&Member> {
        self.member(server.name.as_str())
            .filter(|known| known.server.address() == server.address && known.server.port() == server.port)
    }

    /// The server of that name.
    pub fn member(&self, server: &str) -> Option<&Member> {
        self.members.iter().find(|m| m.server.name().as_str() == server)
    }

    /// The server of that name, to be changed.
    pub fn member_mut(&mut self, server: &str) -> Option<&mut Member> {
        self.members.iter_mut().find(|m| m.server.name().as_str() == server)
    }

    pub(super) fn choose(&self, tried: &[usize], turn: u32, occasion: Occasion) -> Option<(usize, InFlight)> {
        let mut candidates = self.candidates(tried, occasion.now);
        let chosen = balance::choose(self.rule(&candidates, turn, occasion), &mut candidates)?;
        for candidate in &candidates {
            self.members[candidate.position].server.set_credit(candidate.credit);
        }
        let server = &self.members[chosen].server;
        server.chosen(occasion.now);
        Some((chosen, server.enter()))
    }

    /// True when a server is left for a connection that has been to those in `tried`.
    pub(crate) fn has_other(&self, tried: &[usize], now: Ticks) -> bool {
        self.left(tried, now).next().is_some()
    }

    /// True when a server that works is left for a connection that has been to those in `tried`, and each of them is full: to wait
    /// is of use.
    pub(crate) fn is_full(&self, tried: &[usize]) -> bool {
        let untried = self.members.iter().enumerate().filter(|(position, _)| !tried.contains(position));
        let working = || untried.clone().filter(|(_, member)| member.is_believed_to_work());
        working().next().is_some() && working().all(|(_, member)| member.is_full())
    }

    fn rule(&self, candidates: &[Candidate], turn: u32, occasion: Occasion) -> Rule<'_> {
        let Occasion { entropy, source, flow, now: _ } = occasion;
        let backups = || candidates.iter().all(|candidate| self.members[candidate.position].backup);
        if let Some(client) = flow {
            let table = if backups() { &self.sources.backups } else { &self.sources.regular };
            return Rule::FlowHash { client, table };
        }
        match self.policy.balance {
            Balance::LeastConnections => Rule::LeastConnections { turn },
            Balance::RoundRobin => Rule::RoundRobin,
            Balance::PowerOfTwo => Rule::PowerOfTwo { entropy },
            Balance::SourceHash if backups() => Rule::SourceHash { source, table: &self.sources.backups },
            Balance::SourceHash => Rule::SourceHash { source, table: &self.sources.regular },
            Balance::First => Rule::First,
        }
    }

    /// Those of the best rank that is left; of them, those that are warm enough for this choice, unless none is.
    fn candidates(&self, tried: &[usize], now: Ticks) -> Vec<Candidate> {
        let best = self.left(tried, now).map(|(rank, ..)| rank).min();
        let of_best_rank: Vec<_> = self.left(tried, now).filter(|(rank, ..)| Some(*rank) == best).collect();
        let warm_enough = |(.., member): &&(Rank, usize, &Member)| member.takes_part(self.policy.slow_start, now);
        let candidate = |(_, position, member): &(Rank, usize, &Member)| member.candidate(*position);
        let warm: Vec<_> = of_best_rank.iter().filter(warm_enough).map(candidate).collect();
        if warm.is_empty() { of_best_rank.iter().map(candidate).collect() } else { warm }
    }

    /// Whoever may still get a connection that has been to those in `tried`. While one of them works and has only reached its
    /// limit, that does not open the door to those who fail their check: they are for when nobody works.
    pub(super) fn left(&self, tried: &[usize], now: Ticks) -> impl Iterator<Item = (Rank, usize, &Member)> {
        let backups_too = !self.is_served_regularly();
        let untried = move || {
            let untried = self.members.iter().enumerate().filter(|(position, _)| !tried.contains(position));
            untried.filter(move |(_, member)| !member.backup || backups_too)
        };
        let fail_open = !untried().any(|(_, member)| member.is_full() && member.is_believed_to_work());
        let able = untried().filter(|(_, member)| !member.is_full());
        let ranked = able.filter_map(move |(position, member)| Some((member.rank(now)?, position, member)));
        ranked.filter(move |(rank, ..)| fail_open || !matches!(rank, Rank::FailOpen(..)))
    }

    /// True while a server that is no backup is ready and not failing its check. Until it is not, no connection goes to a
    /// backup: a client that was unlucky with one dial must not be the only one on a stand-in.
    pub fn is_served_regularly(&self) -> bool {
        self.members.iter().any(|member| !member.backup && member.is_believed_to_work())
    }

    /// Those that new connections go to while all is well with their dials: the regular ones that are believed to work, or
    /// the backups while there is none. Empty when every server fails its check.
    pub fn in_service(&self) -> impl Iterator<Item = &Member> {
        let backups = !self.is_served_regularly();
        self.members.iter().filter(move |member| member.backup == backups && member.is_believed_to_work())
    }
}

impl Member {
    fn new(server: &model::backend::Server, queue: &Arc<Queue>) -> Self {
        Self {
            server: Arc::new(Server::new(server, Arc::clone(queue))),
            health: Health::Unknown,
            administrative: Administrative::Ready,
            weight: server.weight,
            max_connections: server.max_connections,
            backup: server.backup,
            agent: AgentWish::default(),
            warming_since: None,
        }
    }

    /// The same server with what the configuration says of it now.
    fn reconfigured(&self, server: &model::backend::Server) -> Self {
        let model::backend::Server { weight, max_connections, backup, .. } = server;
        Self { weight: *weight, max_connections: *max_connections, backup: *backup, ..self.clone() }
    }

    /// True when it has as many connections as it may have at once.
    pub fn is_full(&self) -> bool {
        let own = self.max_connections.map(NonZeroU32::get);
        let least = own.into_iter().chain(self.agent.max_connections).min();
        least.is_some_and(|limit| self.server.in_flight() >= limit)
    }

    fn is_believed_to_work(&self) -> bool {
        self.takes_new_connections() && self.believed() != Health::Unhealthy
    }

    /// What its check believes, unless its agent says that it does not serve.
    pub fn believed(&self) -> Health {
        if self.agent.is_down { Health::Unhealthy } else { self.health }
    }

    /// True when the operator lets it take new connections, and its agent too.
    pub fn takes_new_connections(&self) -> bool {
        let is_let = self.administrative == Administrative::Ready && self.agent.takes_new;
        is_let && self.weight.get() > 0 && self.agent.percent > 0
    }

    /// Whether it takes part in this choice: in all of them but while it warms up.
    fn takes_part(&self, slow_start: Option<Duration>, now: Ticks) -> bool {
        match self.warmth(slow_start, now) {
            warm_up::WHOLE => true,
            part => self.server.is_due(part, warm_up::WHOLE),
        }
    }

    /// True while it came back so lately that it takes less than its share.
    pub fn is_warming_up(&self, slow_start: Option<Duration>, now: Ticks) -> bool {
        self.warmth(slow_start, now) < warm_up::WHOLE
    }

    /// The part of its share that it takes, of [`warm_up::WHOLE`].
    fn warmth(&self, slow_start: Option<Duration>, now: Ticks) -> u32 {
        let since = self.warming_since.zip(slow_start);
        since.map_or(warm_up::WHOLE, |(since, slow_start)| warm_up::share(since, slow_start, now))
    }

    fn rank(&self, now: Ticks) -> Option<Rank> {
        if !self.takes_new_connections() {
            return None;
        }
        let working = |working| if self.backup { Rank::Backup(working) } else { Rank::Regular(working) };
        Some(match (self.believed(), self.server.is_suspected(now)) {
            (Health::Healthy, false) => working(Working::Healthy),
            (Health::Unknown, false) => working(Working::Unknown),
            (Health::Healthy | Health::Unknown, true) => working(Working::Suspected),
            (Health::Unhealthy, false) => Rank::FailOpen(Failing::Check, self.backup),
            (Health::Unhealthy, true) => Rank::FailOpen(Failing::CheckAndClients, self.backup),
        })
    }

    pub(super) fn candidate(&self, position: usize) -> Candidate {
        let Self { server, weight, agent, .. } = self;
        let weight = agent.of(*weight);
        Candidate { position, weight, in_flight: server.in_flight(), credit: server.credit() }
    }
}

impl Policy {
    fn new(backend: &model::backend::Backend) -> Self {
        Self {
            balance: backend.balance,
            has_flows: backend.has_flows,
            connect_timeout: backend.connect_timeout,
            hedge_after: backend.hedge_after,
            attempts: backend.attempts,
            observe: backend.observe,
            queue: backend.queue,
            // Which server a client has follows from its address alone, on every node: nobody's choice may depend on the time.
            slow_start: backend.slow_start.filter(|_| backend.balance != Balance::SourceHash),
            proxy_protocol: backend.proxy_protocol,
        }
    }
}
