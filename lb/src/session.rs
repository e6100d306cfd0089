//! One connection as others see it: a plain record of facts, counters and states.

mod waiting;

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fmc_config::model::frontend::PortRoute;

use crate::ended_by::EndedBy;
use crate::frontend::Frontend;
use crate::pool::Pool;
use crate::pulse::Ticks;
use crate::server::Server;

use waiting::Waiting;

/// A relay that is old ends in a pause of this length.
const PAUSE: Duration = Duration::from_secs(1);

/// No end was asked for.
const NO_END: u8 = u8::MAX;

/// One live connection. Its task on the relay loop writes, every other thread reads, or asks it to end.
#[derive(Debug)]
pub struct Session {
    id: u64,
    frontend: Arc<Frontend>,
    route: PortRoute,
    /// A `SocketAddr` is half as long again, for a flow and a scope that no peer of a VIP has.
    peer: (IpAddr, u16),
    /// As a trusted proxy told it.
    told: OnceLock<Box<SocketAddr>>,
    started: Instant,
    reached: OnceLock<Reached>,
    to_server: AtomicU64,
    to_client: AtomicU64,
    last_activity: AtomicU64,
    /// Microseconds from the accept to the first byte for the client; zero before it.
    first_byte: AtomicU32,
    waiting_for_server: Waiting,
    waiting_for_client: Waiting,
    phase: AtomicU8,
    /// Which of the frontend's pools it goes to.
    pool: AtomicU16,
    end: AtomicU8,
    /// The task to wake when the end is asked for. A lock, because it is taken once a turn by its owner and once a life by
    /// somebody else; no atomic protocol of our own.
    task: Mutex<Option<Waker>>,
}

/// The server that accepted, and what it took.
#[derive(Debug, Clone)]
pub struct Reached {
    /// The server.
    pub server: Arc<Server>,
    /// Attempts, this one included.
    pub attempts: u8,
    /// How long the successful attempt took.
    pub connect_time: Duration,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// A server is being looked for.
    Connecting,
    /// Both directions are open.
    Open,
    /// The client has sent FIN first; the server may still send.
    ClientFinished,
    /// The server has sent FIN first; the client may still send.
    ServerFinished,
}

impl Session {
    pub(crate) fn new(id: u64, frontend: Arc<Frontend>, route: PortRoute, peer: SocketAddr, now: Ticks) -> Self {
        Self {
            id,
            frontend,
            route,
            peer: (peer.ip(), peer.port()),
            told: OnceLock::new(),
            started: Instant::now(),
            reached: OnceLock::new(),
            to_server: AtomicU64::new(0),
            to_client: AtomicU64::new(0),
            last_activity: AtomicU64::new(now.0),
            first_byte: AtomicU32::new(0),
            waiting_for_server: Waiting::nothing(),
            waiting_for_client: Waiting::nothing(),
            pool: AtomicU16::new(0),
            phase: AtomicU8::new(Phase::Connecting as u8),
            end: AtomicU8::new(NO_END),
            task: Mutex::new(None),
        }
    }

    /// Unique in the life of the process; what `fmc-lbctl kill` takes.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The service it came in on.
    pub fn frontend(&self) -> &Arc<Frontend> {
        &self.frontend
    }

    /// The listener it came in on.
    pub fn route(&self) -> PortRoute {
        self.route
    }

    /// Who it is for: who connected, or whom a trusted proxy named.
    pub fn client(&self) -> SocketAddr {
        self.told.get().map_or_else(|| self.peer(), |told| **told)
    }

    /// Who connected.
    pub fn peer(&self) -> SocketAddr {
        self.peer.into()
    }

    /// The trusted proxy that it came through.
    pub fn via(&self) -> Option<SocketAddr> {
        self.told.get().map(|_| self.peer())
    }

    /// Notes whom the trusted proxy named. One header stands in front of a connection; a second call would be a defect.
    pub(crate) fn is_for(&self, client: SocketAddr) {
        let _ = self.told.set(Box::new(client));
    }

    /// What it connected to.
    pub fn vip(&self) -> SocketAddr {
        self.frontend.vip(self.route)
    }

    /// When it was accepted.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// Where it goes: the pool of the first route that it fits, else the frontend's own.
    pub fn pool(&self) -> &Arc<Pool> {
        let at = usize::from(self.pool.load(Ordering::Relaxed));
        self.frontend.pools().get(at).unwrap_or_else(|| self.frontend.pool())
    }

    /// It goes by the route at this place.
    pub(crate) fn take_route(&self, place: usize) {
        // More routes than this do not fit a file that anybody could read; those beyond would lead to the frontend's own pool.
        self.pool.store(u16::try_from(place + 1).unwrap_or(0), Ordering::Relaxed);
    }

    /// The server that accepted; `None` while one is being looked for.
    pub fn reached(&self) -> Option<&Reached> {
        self.reached.get()
    }

    /// True when it goes to that server of that backend.
    pub fn goes_to(&self, backend: &str, server: &str) -> bool {
        let named = |reached: &Reached| reached.server.name().as_str() == server;
        self.pool().name().as_str() == backend && self.reached().is_some_and(named)
    }

    /// Bytes written to the server.
    pub fn to_server(&self) -> u64 {
        self.to_server.load(Ordering::Relaxed)
    }

    /// Bytes written to the client.
    pub fn to_client(&self) -> u64 {
        self.to_client.load(Ordering::Relaxed)
    }

    /// From the accept to the first byte for the client; `None` before it.
    pub fn first_byte(&self) -> Option<Duration> {
        let took = self.first_byte.load(Ordering::Relaxed);
        (took > 0).then(|| Duration::from_micros(took.into()))
    }

    /// When a byte last moved; never while a bandwidth limit keeps some back.
    pub fn last_activity(&self) -> Ticks {
        Ticks(self.last_activity.load(Ordering::Relaxed))
    }

    /// True when both directions are open, nothing that was read waits to be written, no byte moved for `quiet`, and nobody
    /// asked for its end: closing it now with FIN loses nothing that was read from either side.
    pub fn is_idle(&self, now: Ticks, quiet: Duration) -> bool {
        let at_rest = self.phase() == Phase::Open && self.stuck_since().is_none();
        at_rest && now.since(self.last_activity()) >= quiet && self.end.load(Ordering::Relaxed) == NO_END
    }

    /// Since when bytes that were read wait for one of the two receivers, and it takes none of them; the longer of the two waits.
    pub fn stuck_since(&self) -> Option<Ticks> {
        let waits = [self.waiting_for_server.since(), self.waiting_for_client.since()];
        waits.into_iter().flatten().min_by_key(|ticks| ticks.0)
    }

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Connecting,
            1 => Phase::Open,
            2 => Phase::ClientFinished,
            _ => Phase::ServerFinished,
        }
    }

    /// Asks the connection to end for this reason; false when an end was asked for before. From any thread.
    pub fn end(&self, reason: EndedBy) -> bool {
        let first = self.end.compare_exchange(NO_END, reason.code(), Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.wake();
        }
        first
    }

    /// Ready when somebody asked for the end; otherwise the task is woken when they do.
    pub(crate) fn poll_end(&self, context: &Context<'_>) -> Poll<EndedBy> {
        {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            if !task.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                *task = Some(context.waker().clone());
            }
        }
        EndedBy::from_code(self.end.load(Ordering::Acquire)).map_or(Poll::Pending, Poll::Ready)
    }

    pub(crate) fn reach(&self, reached: Reached, now: Ticks) {
        self.phase.store(Phase::Open as u8, Ordering::Relaxed);
        self.touch(now);
        // One connection reaches one server; a second call would be a defect, and the first stays true.
        let _ = self.reached.set(reached);
    }

    pub(crate) fn touch(&self, now: Ticks) {
        self.last_activity.store(now.0, Ordering::Relaxed);
    }

    /// A limit keeps bytes back that are there to be read: until they move it is not quiet, however long that takes.
    pub(crate) fn is_throttled(&self) {
        self.touch(Ticks::NEVER_AGES);
    }

    /// Notes whether bytes are left for the server after a turn in which it took so many.
    pub(crate) fn left_for_server(&self, are_left: bool, taken: usize, now: Ticks) {
        self.waiting_for_server.note(are_left, taken, now);
    }

    /// The same for the client.
    pub(crate) fn left_for_client(&self, are_left: bool, taken: usize, now: Ticks) {
        self.waiting_for_client.note(are_left, taken, now);
    }

    pub(crate) fn moved_to_server(&self, bytes: usize) {
        self.to_server.fetch_add(bytes as u64, Ordering::Relaxed);
        self.frontend.traffic().to_server.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn moved_to_client(&self, bytes: usize) {
        if self.to_client.fetch_add(bytes as u64, Ordering::Relaxed) == 0 {
            // Over an hour is an hour: nobody looks for the milliseconds of that.
            let took = u32::try_from(self.started.elapsed().as_micros()).unwrap_or(u32::MAX);
            self.first_byte.store(took.max(1), Ordering::Relaxed);
        }
        self.frontend.traffic().to_client.fetch_add(bytes as u64, Ordering::Relaxed);
        self.frontend.first().answered(self.started);
    }

    /// Notes which side sent FIN first.
    pub(crate) fn finished_by(&self, side: Phase) {
        if self.phase() == Phase::Open {
            self.phase.store(side as u8, Ordering::Relaxed);
        }
    }

    /// True when its age passed a multiple of the frontend's `record_every` in the last `since`.
    pub(crate) fn is_due_for_a_record(&self, now: Instant, since: Duration) -> bool {
        let Some(every) = self.frontend.settings().record_every else { return false };
        let age = now.saturating_duration_since(self.started);
        let turns = |age: Duration| age.as_nanos() / every.as_nanos();
        turns(age) > turns(age.saturating_sub(since))
    }

    /// Why it has lasted too long without a byte, if it has.
    ///
    /// The half-close timeout counts from the last byte: a long answer to a client that has finished asking is not cut.
    pub(crate) fn overdue(&self, now: Ticks) -> Option<EndedBy> {
        let settings = self.frontend.settings();
        let quiet = now.since(self.last_activity());
        let half_closed = matches!(self.phase(), Phase::ClientFinished | Phase::ServerFinished);
        if self.phase() == Phase::Connecting {
            None
        } else if half_closed && quiet >= settings.half_close_timeout {
            Some(EndedBy::HalfCloseTimeout)
        } else {
            let is_idle_for_long = settings.idle_timeout.is_some_and(|timeout| quiet >= timeout);
            let end = if is_idle_for_long { EndedBy::IdleTimeout } else { EndedBy::MaxAge };
            (is_idle_for_long || self.is_old_and_pauses(now)).then_some(end)
        }
    }

    /// It may be told to come back elsewhere without cutting anything.
    fn is_old_and_pauses(&self, now: Ticks) -> bool {
        let Some(most) = self.frontend.settings().max_age else { return false };
        self.started.elapsed() >= self.own_age(most) && self.is_idle(now, PAUSE)
    }

    /// A tenth more or less, another for each connection: those that came together do not all come back together.
    fn own_age(&self, most: Duration) -> Duration {
        // Fibonacci hashing spreads numbers that follow one another.
        let spread = self.id.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44;
        most.mul_f64(0.9 + 0.2 * spread as f64 / f64::from(1 << 20))
    }
}
