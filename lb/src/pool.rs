//! The servers of a backend: one immutable snapshot at a time, read without a lock, changed at one point.

mod prospect;
mod queue;
mod snapshot;
mod status;
mod warm_up;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use fmc_config::model;
use fmc_config::model::backend::Weight;
use fmc_config::model::name::BackendName;

use crate::pulse::Ticks;
use crate::server::InFlight;

pub use prospect::Prospect;
pub(crate) use queue::Queue;
pub(crate) use snapshot::Occasion;
pub use snapshot::{Administrative, AgentWish, Health, Member, Policy, Snapshot};
pub use status::{PoolStatus, ServerStatus};

/// The servers of one backend.
///
/// The relay loop reads, the control thread changes. A connection loads the snapshot once, so that everything it decides
/// rests on one consistent set.
#[derive(Debug)]
pub struct Pool {
    name: BackendName,
    snapshot: ArcSwap<Snapshot>,
    /// Held from load to store by every change: two changes at once would lose one.
    change: Mutex<()>,
    turn: AtomicU32,
    queue: Arc<Queue>,
}

impl Pool {
    /// A pool whose servers are all unknown and ready.
    pub fn new(backend: &model::backend::Backend) -> Self {
        let queue = Arc::new(Queue::default());
        Self {
            name: backend.name.clone(),
            snapshot: ArcSwap::from_pointee(Snapshot::new(backend, &queue)),
            change: Mutex::new(()),
            turn: AtomicU32::new(0),
            queue,
        }
    }

    /// As typed in `[backends.NAME]`.
    pub fn name(&self) -> &BackendName {
        &self.name
    }

    /// The servers as of now, for as long as the caller holds it.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Changes the pool: `change` gets a copy of the newest snapshot, and readers see all of it or nothing.
    ///
    /// Changes exclude one another, so none is lost. Called from any thread; `change` must not call it again.
    pub fn update<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        let _alone = self.change.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Snapshot::clone(&self.snapshot.load());
        let result = change(&mut next);
        next.renew_sources();
        self.snapshot.store(Arc::new(next));
        self.queue.look_again();
        result
    }

    /// Sets what the health check believes of a server, and says what it believed before; `None`: no such server.
    pub fn set_health(&self, server: &str, health: Health) -> Option<Health> {
        self.update(|pool| {
            let member = pool.member_mut(server)?;
            if health == Health::Healthy {
                member.server.trust();
            }
            Some(std::mem::replace(&mut member.health, health))
        })
    }

    /// Tells that a health check of a server just passed: clients may be sent there first again.
    pub fn check_passed(&self, server: &str) {
        if let Some(member) = self.snapshot().member(server) {
            member.server.trust();
        }
    }

    /// Tells that a server came back into service at `now`: it takes its share step by step, if the backend says so.
    pub fn warm_up(&self, server: &str, now: Ticks) {
        self.update(|pool| {
            if let Some(member) = pool.member_mut(server) {
                member.warming_since = Some(now);
            }
        });
    }

    /// Sets what the operator wants of a server, and says what it was before; `None`: no such server.
    pub fn set_administrative(&self, server: &str, state: Administrative) -> Option<Administrative> {
        self.update(|pool| Some(std::mem::replace(&mut pool.member_mut(server)?.administrative, state)))
    }

    /// Sets a server's share of new connections, and says what it was before; `None`: no such server.
    pub fn set_weight(&self, server: &str, weight: Weight) -> Option<Weight> {
        self.update(|pool| Some(std::mem::replace(&mut pool.member_mut(server)?.weight, weight)))
    }

    /// Sets what a server's agent wants, and says what it wanted before; `None`: no such server.
    pub fn set_agent(&self, server: &str, wish: AgentWish) -> Option<AgentWish> {
        self.update(|pool| Some(std::mem::replace(&mut pool.member_mut(server)?.agent, wish)))
    }

    /// Takes over a new configuration of this backend. A server with the same name, address and port keeps its health, its
    /// administrative state and its counters. `adjust` adds what is asked at run time before anybody sees the result.
    pub fn reconfigure(&self, backend: &model::backend::Backend, adjust: impl FnOnce(&mut Snapshot)) {
        self.update(|pool| {
            *pool = pool.reconfigured(backend, &self.queue);
            adjust(pool);
        });
    }

    /// Every server with its state and counters, for `backends`, `/v1` and the status page.
    pub fn status(&self, now: Ticks) -> PoolStatus {
        PoolStatus::new(&self.name, &self.snapshot(), self.queue.waiting(), now)
    }

    /// Where clients wait for room.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Chooses for one connection, never one of the positions in `tried`, and counts it on the chosen server.
    pub(crate) fn choose(&self, snapshot: &Snapshot, tried: &[usize], occasion: Occasion) -> Option<(usize, InFlight)> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        snapshot.choose(tried, turn, occasion)
    }
}

#[cfg(test)]
mod tests;
