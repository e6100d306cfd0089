//! One consistent set of servers and rules.

use std::sync::Arc;
use std::time::Duration;

use fmc_config::model;
use fmc_config::model::backend::{Balance, ProxyProtocol, Weight};

use super::warm_up;
use crate::balance::{self, Candidate};
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
    /// When it last came back into service; `None`: it has been in service from the start.
    pub warming_since: Option<Ticks>,
}

/// How a backend's servers are chosen and reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How one is chosen.
    pub balance: Balance,
    /// One attempt may take this long.
    pub connect_timeout: Duration,
    /// Servers that one connection tries.
    pub attempts: u8,
    /// How long a server that came back takes less than its share.
    pub slow_start: Option<Duration>,
    /// What is written before the client's bytes.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// The order in which servers are asked; only the best rank present takes part in a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Healthy,
    Unknown,
    /// Passing or unknown, but a client's dial failed a moment ago.
    Suspected,
    Unhealthy,
    /// Failing its check and the clients.
    Dead,
}

impl Snapshot {
    pub(super) fn new(backend: &model::backend::Backend) -> Self {
        Self { members: backend.servers.iter().map(Member::new).collect(), policy: Policy::new(backend) }
    }

    pub(super) fn reconfigured(&self, backend: &model::backend::Backend) -> Self {
        let member = |server: &model::backend::Server| match self.same(server) {
            Some(known) => Member { weight: server.weight, ..known.clone() },
            None => Member::new(server),
        };
        Self { members: backend.servers.iter().map(member).collect(), policy: Policy::new(backend) }
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

    pub(super) fn choose(&self, tried: &[usize], turn: u32, now: Ticks) -> Option<(usize, InFlight)> {
        let mut candidates = self.candidates(tried, now);
        let chosen = balance::choose(self.policy.balance, &mut candidates, turn)?;
        for candidate in &candidates {
            self.members[candidate.position].server.set_credit(candidate.credit);
        }
        let server = &self.members[chosen].server;
        server.chosen(now);
        Some((chosen, server.enter()))
    }

    /// Those of the best rank that is left; of them, those that are warm enough for this choice, unless none is.
    fn candidates(&self, tried: &[usize], now: Ticks) -> Vec<Candidate> {
        let left = || {
            let untried = self.members.iter().enumerate().filter(|(position, _)| !tried.contains(position));
            untried.filter_map(|(position, member)| Some((member.rank(now)?, position, member)))
        };
        let best = left().map(|(rank, ..)| rank).min();
        let of_best_rank: Vec<_> = left().filter(|(rank, ..)| Some(*rank) == best).collect();
        let warm_enough = |(.., member): &&(Rank, usize, &Member)| member.takes_part(self.policy.slow_start, now);
        let candidate = |(_, position, member): &(Rank, usize, &Member)| member.candidate(*position);
        let warm: Vec<_> = of_best_rank.iter().filter(warm_enough).map(candidate).collect();
        if warm.is_empty() { of_best_rank.iter().map(candidate).collect() } else { warm }
    }
}

impl Member {
    fn new(server: &model::backend::Server) -> Self {
        Self {
            server: Arc::new(Server::new(server)),
            health: Health::Unknown,
            administrative: Administrative::Ready,
            weight: server.weight,
            warming_since: None,
        }
    }

    /// True when the operator lets it take new connections.
    pub fn takes_new_connections(&self) -> bool {
        self.administrative == Administrative::Ready && self.weight.get() > 0
    }

    /// Whether it takes part in this choice: in all of them but while it warms up.
    fn takes_part(&self, slow_start: Option<Duration>, now: Ticks) -> bool {
        let (Some(since), Some(slow_start)) = (self.warming_since, slow_start) else { return true };
        match warm_up::share(since, slow_start, now) {
            warm_up::WHOLE => true,
            part => self.server.is_due(part, warm_up::WHOLE),
        }
    }

    fn rank(&self, now: Ticks) -> Option<Rank> {
        if !self.takes_new_connections() {
            return None;
        }
        Some(match (self.health, self.server.is_suspected(now)) {
            (Health::Healthy, false) => Rank::Healthy,
            (Health::Unknown, false) => Rank::Unknown,
            (Health::Healthy | Health::Unknown, true) => Rank::Suspected,
            (Health::Unhealthy, false) => Rank::Unhealthy,
            (Health::Unhealthy, true) => Rank::Dead,
        })
    }

    fn candidate(&self, position: usize) -> Candidate {
        let Self { server, weight, health: _, administrative: _, warming_since: _ } = self;
        Candidate { position, weight: *weight, in_flight: server.in_flight(), credit: server.credit() }
    }
}

impl Policy {
    fn new(backend: &model::backend::Backend) -> Self {
        Self {
            balance: backend.balance,
            connect_timeout: backend.connect_timeout,
            attempts: backend.attempts,
            slow_start: backend.slow_start,
            proxy_protocol: backend.proxy_protocol,
        }
    }
}
