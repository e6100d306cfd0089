//! What one server's task and the people who ask about it share.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fmc_config::model::backend::{Backend, Server};
use fmc_config::model::health_check::HealthCheck;
use fmc_config::model::name::{BackendName, ServerName};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::{Inspected, ServerStatus};
use crate::check::Check;
use crate::outcome::Outcome;
use crate::verdict::Health;

/// One server: where it is, how it is asked, what is known of it.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) backend: BackendName,
    pub(super) server: ServerName,
    /// Backends whose server of that name has the verdict of this one.
    pub(super) followers: Vec<BackendName>,
    pub(super) addresses: Vec<SocketAddr>,
    /// The very ports and address that clients are sent to, and no others.
    pub(super) asks_where_clients_go: bool,
    /// As configured: two targets that are asked the same way are the same.
    pub(super) asked_by: HealthCheck,
    asked_at: IpAddr,
    check: Arc<Check>,
    permits: Arc<Semaphore>,
    /// Holds one wish at most: a thousand failed dials are one.
    failed_dial: Notify,
    /// Written by its task at each answer, read by everyone.
    health: Mutex<Health>,
    /// Another one has taken its place, or nobody needs it.
    retired: AtomicBool,
    /// False while an operator has the server out of service.
    attended: watch::Sender<bool>,
}

impl Target {
    pub(super) fn new(
        backend: &Backend,
        server: &Server,
        followers: Vec<BackendName>,
        permits: Arc<Semaphore>,
        now: Instant,
    ) -> Self {
        let asked_at = asked_at(server);
        Self {
            backend: backend.name.clone(),
            server: server.name.clone(),
            followers,
            addresses: addresses(backend, server),
            asks_where_clients_go: backend.check.port.is_none() && server.check_address.is_none(),
            check: Arc::new(Check::new(&backend.check, asked_at)),
            asked_by: backend.check.clone(),
            asked_at,
            permits,
            failed_dial: Notify::new(),
            retired: AtomicBool::new(false),
            health: Mutex::new(Health::new(backend.check.rise, backend.check.fall, now)),
            attended: watch::Sender::new(true),
        }
    }

    /// The same server of the same backend, wherever it is asked.
    pub(super) fn is_namesake_of(&self, other: &Self) -> bool {
        self.backend == other.backend && self.server == other.server
    }

    /// Nothing would change if one took the place of the other.
    pub(super) fn is_asked_like(&self, other: &Self) -> bool {
        self.is_namesake_of(other)
            && self.addresses == other.addresses
            && self.asked_by == other.asked_by
            && self.asked_at == other.asked_at
            && self.followers == other.followers
    }

    /// Believes what was believed of the same machine when it was asked in another way.
    pub(super) fn inheriting(self, before: &Self) -> Self {
        if self.asked_at == before.asked_at {
            let known = before.health().clone().measured_by(self.asked_by.rise, self.asked_by.fall);
            *self.health() = known;
        }
        self
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is known of it any more.
    pub(super) fn doubt(&self, now: Instant) {
        *self.health() = Health::new(self.asked_by.rise, self.asked_by.fall, now);
    }

    /// Ends its task, which a wait shall not hold up.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
        self.attend(true);
        self.ask_recheck();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Relaxed)
    }

    pub(super) fn ask_recheck(&self) {
        self.failed_dial.notify_one();
    }

    pub(super) async fn recheck_asked(&self) {
        self.failed_dial.notified().await;
    }

    pub(super) fn attend(&self, attended: bool) {
        self.attended.send_replace(attended);
    }

    pub(super) fn is_attended(&self) -> bool {
        *self.attended.borrow()
    }

    pub(super) async fn until_attended(&self) {
        // The sender lives in self, so that it cannot be gone.
        let _ = self.attended.subscribe().wait_for(|attended| *attended).await;
    }

    pub(super) fn status(&self) -> ServerStatus {
        let health = self.health();
        ServerStatus {
            backend: self.backend.clone(),
            server: self.server.clone(),
            addresses: self.addresses.clone(),
            verdict: health.verdict(),
            since: health.since(),
            contradicted: health.contradicted(),
            flaps: health.flaps(),
            history: health.history().cloned().collect(),
        }
    }

    /// Asks every port once, and tells every step.
    pub(super) async fn inspect(&self) -> Vec<Inspected> {
        let mut asking = JoinSet::new();
        for (order, &address) in self.addresses.iter().enumerate() {
            let check = self.check.clone();
            asking.spawn(async move { (order, address, check.inspect(address).await) });
        }
        let mut answers = Vec::with_capacity(self.addresses.len());
        while let Some(answer) = asking.join_next().await {
            // One that panicked has nothing to tell, and must not take its caller along.
            answers.extend(answer.ok());
        }
        answers.sort_by_key(|(order, ..)| *order);
        let inspected = |(_, address, (outcome, steps))| Inspected { address, outcome, steps };
        answers.into_iter().map(inspected).collect()
    }

    /// Asks every port at the same time. Each waits for a permit first and has its whole timeout after that. A port whose
    /// probe panicked says nothing about the server, and the next round asks again.
    pub(super) async fn probe(&self) -> Outcome {
        let mut asking = JoinSet::new();
        for (order, &address) in self.addresses.iter().enumerate() {
            let (check, permits) = (self.check.clone(), self.permits.clone());
            asking.spawn(async move {
                let _permit = permits.acquire_owned().await;
                (order, address.port(), check.probe(address).await)
            });
        }
        let mut answers = Vec::with_capacity(self.addresses.len());
        while let Some(answer) = asking.join_next().await {
            answers.push(answer.unwrap_or_else(|_panicked| (usize::MAX, 0, Check::defect())));
        }
        answers.sort_by_key(|(order, ..)| *order);
        let ports = answers.into_iter().map(|(_, port, outcome)| (port, outcome)).collect();
        Outcome::of_all_ports(ports).unwrap_or_else(Check::defect)
    }
}

fn asked_at(server: &Server) -> IpAddr {
    server.check_address.unwrap_or(server.address)
}

/// The check's own port, or every port that clients are sent to, or the one that was typed.
fn addresses(backend: &Backend, server: &Server) -> Vec<SocketAddr> {
    let ports = match backend.check.port {
        Some(port) => vec![port],
        None if server.serving_ports.is_empty() => server.port.into_iter().collect(),
        None => server.serving_ports.clone(),
    };
    ports.into_iter().map(|port| SocketAddr::from((asked_at(server), port.get()))).collect()
}
