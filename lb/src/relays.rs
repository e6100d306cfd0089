//! Every open relay of the loop, and the epoll(7) instance that says which of them can go on.
//!
//! One task of the runtime serves them all. A task for each would take three times the memory of what a relay is (its cell, and two
//! registrations with the reactor of 256 bytes), and wakers that an idle relay never uses. The instance is one descriptor that the runtime
//! watches; who is ready is read from it in one call, and a relay stays a plain record: two sockets, two directions, who it belongs to.

mod pacing;
mod throttle;

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};
use slab::Slab;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::connection::{Opened, Surroundings};
use crate::ended_by::EndedBy;
use crate::relay::{Means, PipeCounts, Relay, Side, Socket, Turn};

use pacing::Pacing;
pub(crate) use throttle::{Bounds, Way};

/// Sockets that one look at the instance names at most.
const BATCH: usize = 256;

/// Relays that use up their turn before the other tasks of the loop have theirs: a millisecond or two of bulk.
const SPENT_TURNS: usize = 4;

/// The open relays. Only the loop's thread locks them; the lock is what makes that safe code.
pub(crate) struct Relays {
    epoll: OwnedFd,
    open: Mutex<Open>,
    /// A relay that came in had more to move than its first turn.
    more: Notify,
    bell: Arc<Bell>,
    /// The bell, as every session knows it.
    ring: Waker,
}

struct Open {
    relays: Slab<Opened>,
    /// Those whose turn it is, in order: a socket became ready, or they had more to move when their last turn was over. One that has ended
    /// meanwhile may still be named.
    due: VecDeque<usize>,
    means: Means,
    pacing: Pacing,
}

/// Rung by whoever asks a session to end.
#[derive(Default)]
struct Bell(Notify);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

impl Relays {
    /// # Errors
    /// No descriptor or no memory is left (epoll_create1(2)).
    pub(crate) fn new(counts: Arc<PipeCounts>) -> std::io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let bell = Arc::new(Bell::default());
        let ring = Waker::from(Arc::clone(&bell));
        let open = Open { relays: Slab::new(), due: VecDeque::new(), means: Means::new(counts), pacing: Pacing::new() };
        Ok(Self { epoll, open: Mutex::new(open), more: Notify::new(), bell, ring })
    }

    /// Takes a relay over and gives it its first turn. When it has ended it is closed, and its log line written.
    pub(crate) fn adopt(&self, opened: Opened, surroundings: &Surroundings) {
        let mut open = self.lock();
        let next = open.pacing.next();
        let key = open.relays.insert(opened);
        match watch(&self.epoll, key, open.relays[key].relay()) {
            Ok(()) => _ = open.turn(key, surroundings),
            Err(error) => {
                tracing::error!(%error, "cannot watch the sockets of a relay");
                open.end(key, EndedBy::LocalFault, surroundings);
            }
        }
        self.end_if_asked(&mut open, key, surroundings);
        if !open.due.is_empty() || open.pacing.next() != next {
            self.more.notify_one();
        }
    }

    /// Serves the relays for ever. Ends only when the epoll instance is unusable, which is a defect.
    pub(crate) async fn run(&self, surroundings: &Surroundings) -> std::io::Error {
        let watched = match watch_readiness(self.epoll.as_fd()) {
            Ok(watched) => watched,
            Err(error) => return error,
        };
        let mut more = false;
        loop {
            let next = self.lock().pacing.next();
            let served = tokio::select! {
                biased;
                () = self.bell.0.notified() => {
                    self.end_those_asked(surroundings);
                    continue;
                }
                () = self.more.notified() => self.serve(surroundings),
                () = yield_now(), if more => self.serve(surroundings),
                ready = watched.readable(), if !more => ready.and_then(|mut ready| {
                    let served = self.serve(surroundings)?;
                    // Whoever becomes ready after that look is told by a new edge.
                    if !served.is_batch_full {
                        ready.clear_ready();
                    }
                    Ok(served)
                }),
                () = until(next), if !more && next.is_some() => self.serve(surroundings),
            };
            more = match served {
                Ok(served) => served.is_batch_full || served.are_due,
                Err(error) => return error,
            };
        }
    }

    /// One look at which sockets are ready, and turns for those whose turn it is.
    fn serve(&self, surroundings: &Surroundings) -> std::io::Result<Served> {
        let mut open = self.lock();
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        let (events, _) = epoll::wait(&self.epoll, &mut events, Some(&Timespec::default()))?;
        // A loop that ends turns does turn, however long the queue of tasks is before the pulse's own.
        surroundings.sessions.pulse().beat();
        events.iter().for_each(|event| open.tell(*event));
        open.wake();
        open.take_turns(surroundings);
        Ok(Served { is_batch_full: events.len() == BATCH, are_due: !open.due.is_empty() })
    }

    /// Writes down those that last; the look before was `since` ago.
    pub(crate) fn record(&self, now: Instant, since: Duration) {
        let open = self.lock();
        open.relays.iter().for_each(|(key, opened)| opened.record(open.pacing.waited(key), now, since));
    }

    fn end_those_asked(&self, surroundings: &Surroundings) {
        let mut open = self.lock();
        let keys: Vec<usize> = open.relays.iter().map(|(key, _)| key).collect();
        keys.into_iter().for_each(|key| self.end_if_asked(&mut open, key, surroundings));
    }

    fn end_if_asked(&self, open: &mut Open, key: usize, surroundings: &Surroundings) {
        let Some(opened) = open.relays.get(key) else { return };
        let asked = opened.session().poll_end(&Context::from_waker(&self.ring));
        if let Poll::Ready(reason) = asked {
            open.end(key, reason, surroundings);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Both sockets of a relay may be named in one batch; it has one turn for them.
    fn tell(&mut self, event: epoll::Event) {
        let (key, side) = who(event.data);
        let Some(opened) = self.relays.get_mut(key) else { return };
        opened.relay_mut().socket_mut(side).told(event.flags);
        self.make_due(key);
    }

    /// Those that a bandwidth limit has kept waiting long enough.
    fn wake(&mut self) {
        for key in self.pacing.wake() {
            if self.relays.contains(key) {
                self.make_due(key);
            }
        }
    }

    fn make_due(&mut self, key: usize) {
        if self.relays[key].relay_mut().make_due() {
            self.due.push_back(key);
        }
    }

    /// Until nobody is due, or some have used up all of their turn.
    fn take_turns(&mut self, surroundings: &Surroundings) {
        let mut spent = 0;
        while spent < SPENT_TURNS {
            let Some(key) = self.due.pop_front() else { return };
            if self.turn(key, surroundings) == Some(Turn::Spent) {
                spent += 1;
            }
        }
    }

    /// A panic is one relay's, and ends that relay alone.
    fn turn(&mut self, key: usize, surroundings: &Surroundings) -> Option<Turn> {
        let opened = self.relays.get_mut(key)?;
        let (means, pacing) = (&mut self.means, &mut self.pacing);
        let now = surroundings.sessions.pulse().now();
        let turn = catch_unwind(AssertUnwindSafe(|| pacing.turn(key, opened, means, now)));
        let turn = turn.unwrap_or(Turn::Ended(EndedBy::InternalError));
        match turn {
            Turn::Waiting => {}
            Turn::Spent => self.make_due(key),
            Turn::Ended(ended_by) => self.end(key, ended_by, surroundings),
        }
        Some(turn)
    }

    fn end(&mut self, key: usize, ended_by: EndedBy, surroundings: &Surroundings) {
        let throttled = self.pacing.forget(key);
        self.relays.remove(key).close(ended_by, throttled, surroundings);
    }
}

/// Dropped and made anew at each look: there is one timer, and none while nothing waits for a limit.
async fn until(moment: Option<Instant>) {
    if let Some(moment) = moment {
        tokio::time::sleep_until(moment.into()).await;
    }
}

/// How a look at the relays ended.
struct Served {
    /// More sockets may be ready than were looked at.
    is_batch_full: bool,
    /// Relays wait for their turn.
    are_due: bool,
}

/// Closing a socket takes it out of the instance (epoll(7)): nobody else holds its open file description.
fn watch(epoll: &OwnedFd, key: usize, relay: &Relay) -> rustix::io::Result<()> {
    for side in [Side::Client, Side::Server] {
        epoll::add(epoll, relay.socket(side), data(key, side), Socket::INTEREST)?;
    }
    Ok(())
}

fn data(key: usize, side: Side) -> epoll::EventData {
    epoll::EventData::new_u64((key as u64) << 1 | side as u64)
}

fn who(data: epoll::EventData) -> (usize, Side) {
    let side = if data.u64() & 1 == Side::Client as u64 { Side::Client } else { Side::Server };
    ((data.u64() >> 1) as usize, side)
}

/// tokio watches sockets and pipes of its own; a foreign descriptor is watched as it is.
fn watch_readiness(epoll: BorrowedFd<'_>) -> std::io::Result<AsyncFd<BorrowedFd<'_>>> {
    #[expect(deprecated, reason = "its fault concerns types whose descriptor may change; a borrowed one cannot")]
    AsyncFd::with_interest(epoll, Interest::READABLE)
}
