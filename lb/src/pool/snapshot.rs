//! One consistent set of servers and rules.

use std::sync::Arc;
use std::time::Duration;

use fmc_config::model;
use fmc_config::model::backend::{Balance, ProxyProtocol, Weight};

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

    /// True when a server is left beside those tried and the one at `position`.
    pub(crate) fn has_other(&self, tried: &[usize], position: usize) -> bool {
        let mut others =
            self.members.iter().enumerate().filter(|(other, _)| *other != position && !tried.contains(other));
        others.any(|(_, member)| member.takes_new_connections())
    }

    /// Those of the best rank that is left.
    fn candidates(&self, tried: &[usize], now: Ticks) -> Vec<Candidate> {
        let left = || {
            let untried = self.members.iter().enumerate().filter(|(position, _)| !tried.contains(position));
            untried.filter_map(|(position, member)| Some((member.rank(now)?, position, member)))
        };
        let best = left().map(|(rank, ..)| rank).min();
        let of_best_rank = left().filter(|(rank, ..)| Some(*rank) == best);
        of_best_rank.map(|(_, position, member)| member.candidate(position)).collect()
    }
}

impl Member {
    fn new(server: &model::backend::Server) -> Self {
        Self {
            server: Arc::new(Server::new(server)),
            health: Health::Unknown,
            administrative: Administrative::Ready,
            weight: server.weight,
        }
    }

    /// True when the operator lets it take new connections.
    pub fn takes_new_connections(&self) -> bool {
        self.administrative == Administrative::Ready && self.weight.get() > 0
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
        let Self { server, weight, health: _, administrative: _ } = self;
        Candidate { position, weight: *weight, in_flight: server.in_flight(), credit: server.credit() }
    }
}

impl Policy {
    fn new(backend: &model::backend::Backend) -> Self {
        Self {
            balance: backend.balance,
            connect_timeout: backend.connect_timeout,
            attempts: backend.attempts,
            proxy_protocol: backend.proxy_protocol,
        }
    }
}
