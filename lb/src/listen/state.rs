//! What a listener is doing, for fitness and for people.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use fmc_config::model::frontend::{PortRoute, Protocol};
use fmc_config::model::name::FrontendName;
use tokio::sync::watch;

use super::AcceptError;
use crate::frontend::Frontend;

/// What a listener is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ListenerState {
    /// Bound; clients wait in its queue until the loop runs.
    Bound,
    /// Accepts.
    Accepting,
    /// A limit on connections is reached; clients wait in its queue.
    AtLimit,
    /// Descriptors or memory ran out; clients wait in its queue.
    Paused,
    /// Closed on request.
    Closed,
    /// Its task ended on its own: nothing accepts here any more.
    Dead,
}

impl ListenerState {
    /// False when clients that connect are not, and will not be, accepted.
    pub const fn is_alive(self) -> bool {
        !matches!(self, Self::Closed | Self::Dead)
    }
}

/// One listener as of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerStatus {
    /// Its frontend.
    pub frontend: FrontendName,
    /// Where it is bound.
    pub address: SocketAddr,
    /// What it is doing.
    pub state: ListenerState,
    /// Accepts that failed, in the order of [`AcceptError::ALL`].
    pub errors: [u64; AcceptError::ALL.len()],
}

/// What a listener does with those who connect.
#[derive(Debug, Clone)]
pub(crate) struct Duty {
    pub(crate) frontend: Arc<Frontend>,
    pub(crate) route: PortRoute,
    /// False: it closes.
    pub(crate) accepts: bool,
}

/// Written by the accept loop, read by everyone; the duty is written by reloads and read by the loop.
#[derive(Debug)]
pub(crate) struct ListenerRecord {
    duty: watch::Sender<Duty>,
    address: SocketAddr,
    protocol: Protocol,
    state: AtomicU8,
    errors: [AtomicU64; AcceptError::ALL.len()],
}

impl ListenerRecord {
    pub(super) fn new(duty: Duty) -> Self {
        let (address, state) = (duty.frontend.vip(duty.route), AtomicU8::new(ListenerState::Bound as u8));
        let protocol = duty.frontend.settings().protocol;
        Self { duty: watch::Sender::new(duty), address, protocol, state, errors: Default::default() }
    }

    /// Gives it to another frontend, or to the same one by a new configuration; those who wait in its queue stay.
    pub(crate) fn assign(&self, frontend: &Arc<Frontend>, route: PortRoute) {
        self.duty.send_if_modified(|duty| {
            let is_same = Arc::ptr_eq(&duty.frontend, frontend) && duty.route == route && duty.accepts;
            *duty = Duty { frontend: Arc::clone(frontend), route, accepts: true };
            !is_same
        });
    }

    /// Ends it: the socket closes, those in its queue are reset.
    pub(crate) fn close(&self) {
        self.duty.send_modify(|duty| duty.accepts = false);
    }

    pub(super) fn duty(&self) -> watch::Receiver<Duty> {
        self.duty.subscribe()
    }

    /// Of its socket, whatever it serves.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn status(&self) -> ListenerStatus {
        ListenerStatus {
            frontend: self.duty.borrow().frontend.settings().name.clone(),
            address: self.address,
            state: self.state(),
            errors: self.errors.each_ref().map(|count| count.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.state().is_alive() && self.duty.borrow().accepts
    }

    fn state(&self) -> ListenerState {
        match self.state.load(Ordering::Relaxed) {
            0 => ListenerState::Bound,
            1 => ListenerState::Accepting,
            2 => ListenerState::AtLimit,
            3 => ListenerState::Paused,
            4 => ListenerState::Closed,
            _ => ListenerState::Dead,
        }
    }

    /// Accepting from now on, dead when the guard is dropped without having been closed.
    pub(super) fn run(&self) -> Running<'_> {
        self.accepting();
        Running(self)
    }

    pub(super) fn accepting(&self) {
        self.set(ListenerState::Accepting);
    }

    pub(super) fn at_limit(&self, frontend: &Frontend) {
        frontend.traffic().waits_at_limit.fetch_add(1, Ordering::Relaxed);
        self.set(ListenerState::AtLimit);
    }

    pub(super) fn paused(&self) {
        self.set(ListenerState::Paused);
    }

    pub(super) fn count(&self, error: AcceptError) {
        self.errors[error as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn set(&self, state: ListenerState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}

/// Held by a running accept loop.
pub(super) struct Running<'a>(&'a ListenerRecord);

impl Running<'_> {
    pub(super) fn closed(&self) {
        self.0.set(ListenerState::Closed);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.0.state() != ListenerState::Closed {
            self.0.set(ListenerState::Dead);
        }
    }
}
