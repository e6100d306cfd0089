//! What one server's task and the people who ask about it share.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use fmc_config::model::backend::{Backend, Server};
use fmc_config::model::name::{BackendName, ServerName};
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;

use super::{Inspected, ServerStatus};
use crate::check::Check;
use crate::outcome::Outcome;
use crate::verdict::{Health, Verdict};

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
    check: Arc<Check>,
    permits: Arc<Semaphore>,
    /// Holds one wish at most: a thousand failed dials are one.
    failed_dial: Notify,
    status: watch::Sender<ServerStatus>,
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
        let addresses = addresses(backend, server);
        let status = ServerStatus {
            backend: backend.name.clone(),
            server: server.name.clone(),
            addresses: addresses.clone(),
            verdict: Verdict::Unknown,
            since: now,
            contradicted: (0, 1),
            flaps: 0,
            history: Vec::new(),
        };
        Self {
            backend: backend.name.clone(),
            server: server.name.clone(),
            followers,
            addresses,
            asks_where_clients_go: backend.check.port.is_none() && server.check_address.is_none(),
            check: Arc::new(Check::new(&backend.check, asked_at(server))),
            permits,
            failed_dial: Notify::new(),
            status: watch::Sender::new(status),
            attended: watch::Sender::new(true),
        }
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
        self.status.borrow().clone()
    }

    pub(super) fn publish(&self, health: &Health) {
        self.status.send_modify(|status| {
            status.verdict = health.verdict();
            status.since = health.since();
            status.contradicted = health.contradicted();
            status.flaps = health.flaps();
            status.history = health.history().cloned().collect();
        });
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

fn asked_at(server: &Server) -> Ipv4Addr {
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
