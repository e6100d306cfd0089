//! Where clients wait, first come first served, while every server that works has its `max_connections`.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use fmc_config::model::backend::Queue as Bounds;
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout_at};

/// The clients of one backend that wait for room.
///
/// The gate is a fair lock: whoever holds it is the first in line, tries at each sign of room, and leaves with a server or with its
/// patience at an end. Dropping the future leaves the line.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    gate: Mutex<()>,
    /// A connection has left a server, or the pool has changed.
    room: Notify,
    waiting: AtomicU32,
    waited: AtomicU64,
    turned_away: AtomicU64,
}

/// Why a client did not get a server by waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// So many wait already.
    QueueFull,
    /// It has waited as long as it may.
    TimedOut,
}

/// A place in the line, until dropped.
struct Place<'a>(&'a Queue);

impl Queue {
    /// Clients that wait now.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Clients that have waited since the start.
    pub(crate) fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    /// Of those who found no server with room, how many waited in vain or found the queue full.
    pub(crate) fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// There may be room: the first in line looks. Costs a load while nobody waits.
    pub(crate) fn look_again(&self) {
        if self.waiting() > 0 {
            self.room.notify_one();
        }
    }

    /// Waits in line until `look` finds a server.
    ///
    /// # Errors
    /// The line is as long as it may be, or `bounds.timeout` is over.
    pub(crate) async fn wait<T>(&self, bounds: Bounds, look: impl FnMut() -> Option<T>) -> Result<T, NoRoom> {
        let waited = self.wait_in_line(bounds, look).await;
        if waited.is_err() {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        waited
    }

    async fn wait_in_line<T>(&self, bounds: Bounds, mut look: impl FnMut() -> Option<T>) -> Result<T, NoRoom> {
        let _place = self.enter(bounds.length).ok_or(NoRoom::QueueFull)?;
        let by = Instant::now() + bounds.timeout;
        let first_in_line = async {
            let _turn = self.gate.lock().await;
            loop {
                let room = self.room.notified();
                if let Some(found) = look() {
                    return found;
                }
                // What leaves between the look and this is remembered (notify_one).
                room.await;
            }
        };
        let found = timeout_at(by, first_in_line).await.map_err(|_| NoRoom::TimedOut);
        // More than one may have left; whoever is next has not heard of it.
        self.room.notify_one();
        found
    }

    fn enter(&self, length: u32) -> Option<Place<'_>> {
        let one_more = |waiting: u32| (waiting < length).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        self.waited.fetch_add(1, Ordering::Relaxed);
        Some(Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const BOUNDS: Bounds = Bounds { length: 3, timeout: Duration::from_secs(60) };

    /// Servers' seats, as far as the line can tell.
    #[derive(Default)]
    struct Seats(AtomicU32);

    impl Seats {
        fn take(&self) -> Option<()> {
            self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| free.checked_sub(1)).ok().map(|_| ())
        }

        fn give(&self, queue: &Queue) {
            self.0.fetch_add(1, Ordering::AcqRel);
            queue.look_again();
        }
    }

    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_came_first_is_served_first() {
        let (queue, seats, served) =
            (Arc::new(Queue::default()), Arc::new(Seats::default()), Arc::new(Mutex::default()));
        for number in 0..3 {
            let (queue, seats, served) = (queue.clone(), seats.clone(), Arc::clone(&served));
            tokio::spawn(async move {
                queue.wait(BOUNDS, || seats.take()).await.expect("a seat");
                let served: &Mutex<Vec<i32>> = &served;
                served.lock().await.push(number);
            });
            settle().await;
        }
        assert_eq!(queue.waiting(), 3);
        // Two at once: nobody must be forgotten because one sign was given for two seats.
        seats.0.fetch_add(1, Ordering::AcqRel);
        seats.give(&queue);
        settle().await;
        assert_eq!(*served.lock().await, [0, 1]);
        seats.give(&queue);
        settle().await;
        assert_eq!((served.lock().await.clone(), queue.waiting()), (vec![0, 1, 2], 0));
    }

    #[tokio::test]
    async fn the_line_has_an_end_and_patience_too() {
        let (queue, seats) = (Arc::new(Queue::default()), Seats::default());
        let short = Bounds { length: 1, timeout: Duration::from_millis(20) };
        assert_eq!(queue.wait(short, || seats.take()).await, Err(NoRoom::TimedOut));
        let waits = queue.clone();
        let first =
            tokio::spawn(async move { waits.wait(Bounds { timeout: BOUNDS.timeout, ..short }, || None::<()>).await });
        settle().await;
        assert_eq!(queue.wait(short, || seats.take()).await, Err(NoRoom::QueueFull));
        first.abort();
        settle().await;
        assert_eq!((queue.waiting(), queue.waited(), queue.turned_away()), (0, 2, 2));
    }

    #[tokio::test]
    async fn whoever_gives_up_in_front_lets_the_next_one_look() {
        let (queue, seats) = (Arc::new(Queue::default()), Arc::new(Seats::default()));
        let patience = |milliseconds| Bounds { length: 3, timeout: Duration::from_millis(milliseconds) };
        let impatient = {
            let (queue, seats) = (queue.clone(), seats.clone());
            tokio::spawn(async move { queue.wait(patience(20), || seats.take()).await })
        };
        settle().await;
        let patient = {
            let (queue, seats) = (queue.clone(), seats.clone());
            tokio::spawn(async move { queue.wait(patience(60_000), || seats.take()).await })
        };
        settle().await;
        assert_eq!(impatient.await.unwrap(), Err(NoRoom::TimedOut));
        seats.give(&queue);
        assert_eq!(timeout(Duration::from_secs(5), patient).await.expect("served").unwrap(), Ok(()));
    }
}
