//! Every live connection: listed, counted, and ended on request.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fmc_config::model::frontend::PortRoute;

use crate::ended_by::EndedBy;
use crate::frontend::Frontend;
use crate::pulse::{PULSE_INTERVAL, Pulse, Ticks};
use crate::session::Session;

/// Sessions copied under one hold of the lock: the relay loop, which needs it at each accept, never waits for a whole listing.
const BATCH: usize = 256;

/// How often idle and half-closed relays are looked for; their timeouts are late by no more than this.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_millis(250);

/// The live connections of the process; there are never more than its limit on connections.
#[derive(Debug)]
pub struct Sessions {
    live: Mutex<BTreeMap<u64, Arc<Session>>>,
    next_id: AtomicU64,
    pulse: Arc<Pulse>,
}

impl Sessions {
    pub(crate) fn new(pulse: Arc<Pulse>) -> Self {
        Self { live: Mutex::default(), next_id: AtomicU64::new(1), pulse }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The session of that id.
    pub fn find(&self, id: u64) -> Option<Arc<Session>> {
        self.lock().get(&id).cloned()
    }

    /// Those that `keep` keeps, oldest first.
    pub fn list(&self, mut keep: impl FnMut(&Session) -> bool) -> Vec<Arc<Session>> {
        let mut kept = Vec::new();
        self.for_each(|session| {
            if keep(session) {
                kept.push(Arc::clone(session));
            }
        });
        kept
    }

    /// The oldest that `wanted` wants.
    pub fn oldest(&self, wanted: impl Fn(&Session) -> bool) -> Option<Arc<Session>> {
        let mut after = 0;
        loop {
            let batch = self.batch(after);
            after = batch.last()?.id();
            if let Some(found) = batch.iter().find(|session| wanted(session)) {
                return Some(Arc::clone(found));
            }
        }
    }

    /// Ends one; false when there is none of that id, or it is ending already.
    pub fn end(&self, id: u64, reason: EndedBy) -> bool {
        self.find(id).is_some_and(|session| session.end(reason))
    }

    /// Ends every session that `chosen` chooses, and says how many.
    pub fn end_all(&self, mut chosen: impl FnMut(&Session) -> bool, reason: EndedBy) -> usize {
        let mut ended = 0;
        self.for_each(|session| {
            if chosen(session) && session.end(reason) {
                ended += 1;
            }
        });
        ended
    }

    /// Ends the relays to a server that has been gone for `gone_for`, and says how many. Those on which a byte moved since
    /// are left alone: somebody is there after all, as while a server stops with grace.
    pub fn end_gone(&self, backend: &str, server: &str, gone_for: Duration) -> usize {
        let now = self.pulse.precise_now();
        // A stamp is up to one beat of the pulse older than the byte it stands for.
        let quiet = gone_for + PULSE_INTERVAL;
        let nobody_there =
            |session: &Session| session.goes_to(backend, server) && now.since(session.last_activity()) >= quiet;
        self.end_all(nobody_there, EndedBy::ServerGone)
    }

    /// Ends those that were quiet for too long.
    pub(crate) fn sweep(&self, now: Ticks) {
        self.for_each(|session| {
            if let Some(reason) = session.overdue(now) {
                session.end(reason);
            }
        });
    }

    pub(crate) fn open(self: &Arc<Self>, frontend: &Arc<Frontend>, route: PortRoute, peer: SocketAddr) -> Registration {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::new(id, Arc::clone(frontend), route, peer, self.pulse.now()));
        frontend.traffic().open.fetch_add(1, Ordering::Relaxed);
        frontend.first().accepted();
        self.lock().insert(id, Arc::clone(&session));
        Registration { sessions: Arc::clone(self), session, ended_by: None }
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    fn for_each(&self, mut visit: impl FnMut(&Arc<Session>)) {
        let mut after = 0;
        loop {
            let batch = self.batch(after);
            let Some(last) = batch.last() else { return };
            after = last.id();
            batch.iter().for_each(&mut visit);
        }
    }

    fn batch(&self, after: u64) -> Vec<Arc<Session>> {
        let live = self.lock();
        live.range((Bound::Excluded(after), Bound::Unbounded))
            .take(BATCH)
            .map(|(_, session)| Arc::clone(session))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Session>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's place in the registry, until dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    ended_by: Option<EndedBy>,
}

impl Registration {
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(crate) fn pulse(&self) -> &Pulse {
        &self.sessions.pulse
    }

    pub(crate) fn close(mut self, ended_by: EndedBy) {
        self.ended_by = Some(ended_by);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // Without an end the task was dropped: by a panic, or with its runtime.
        let unfinished = if std::thread::panicking() { EndedBy::InternalError } else { EndedBy::Shutdown };
        let traffic = self.session.frontend().traffic();
        traffic.open.fetch_sub(1, Ordering::Relaxed);
        traffic.count_end(self.ended_by.unwrap_or(unfinished));
        self.sessions.lock().remove(&self.session.id());
    }
}
