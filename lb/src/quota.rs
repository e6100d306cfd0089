//! How many connections may be open at once, of a frontend or of the process: a number that a reload may change.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// A bound on connections. Lowered under what is open, it takes nothing away: nobody new comes in until it holds again.
#[derive(Debug)]
pub(crate) struct Quota {
    most: AtomicUsize,
    open: AtomicUsize,
    /// Nobody new, whatever the bound says.
    held: AtomicBool,
    /// A seat was given back, or there are more of them.
    freed: Notify,
}

/// The right to one connection; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Quota>);

impl Quota {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most: AtomicUsize::new(most),
            open: AtomicUsize::new(0),
            held: AtomicBool::new(false),
            freed: Notify::new(),
        }
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    pub(crate) fn resize(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.freed.notify_waiters();
    }

    /// Lets nobody new in, or again those that the bound lets in.
    pub(crate) fn hold(&self, held: bool) {
        if self.held.swap(held, Ordering::AcqRel) && !held {
            self.freed.notify_waiters();
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.held.load(Ordering::Acquire) || self.open.load(Ordering::Acquire) >= self.most()
    }

    /// Waits for a seat. Dropping the future takes none.
    pub(crate) async fn seat(self: &Arc<Self>) -> Seat {
        loop {
            let mut freed = pin!(self.freed.notified());
            // Waits from here on: a seat that is given back after the look below is not missed.
            freed.as_mut().enable();
            if let Some(seat) = self.try_seat() {
                return seat;
            }
            freed.await;
        }
    }

    /// A seat, if one is free now.
    pub(crate) fn try_seat(self: &Arc<Self>) -> Option<Seat> {
        let one_more = |open| (open < self.most() && !self.held.load(Ordering::Acquire)).then_some(open + 1);
        let taken = self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        taken.is_ok().then(|| Seat(Arc::clone(self)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    async fn is_waiting(quota: &Arc<Quota>) -> bool {
        timeout(Duration::from_millis(5), quota.seat()).await.is_err()
    }

    #[tokio::test]
    async fn no_more_seats_are_taken_than_there_are_and_a_seat_that_is_given_back_is_taken_again() {
        let quota = Arc::new(Quota::new(2));
        let (first, _second) = (quota.seat().await, quota.seat().await);
        assert!(quota.is_full() && is_waiting(&quota).await);
        drop(first);
        assert!(!quota.is_full() && !is_waiting(&quota).await);
    }

    #[tokio::test]
    async fn a_lower_bound_takes_no_seat_away_and_a_higher_one_lets_the_waiting_in() {
        let quota = Arc::new(Quota::new(3));
        let (first, second, _third) = (quota.seat().await, quota.seat().await, quota.seat().await);
        quota.resize(2);
        drop(first);
        assert!(is_waiting(&quota).await, "two are open, and two may be");
        drop(second);
        assert!(!is_waiting(&quota).await);
        quota.resize(1);
        let (grow, waiting) = (quota.clone(), quota.clone());
        let waiting = tokio::spawn(async move { waiting.seat().await });
        tokio::task::yield_now().await;
        grow.resize(2);
        assert!(timeout(Duration::from_millis(5), waiting).await.is_ok());
    }

    #[tokio::test]
    async fn while_it_is_held_nobody_gets_in_and_then_everybody_who_waits() {
        let quota = Arc::new(Quota::new(3));
        quota.hold(true);
        assert!(quota.is_full() && is_waiting(&quota).await);
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                tokio::spawn({
                    let quota = quota.clone();
                    async move { quota.seat().await }
                })
            })
            .collect();
        tokio::task::yield_now().await;
        quota.hold(false);
        for seat in waiting {
            assert!(timeout(Duration::from_secs(1), seat).await.is_ok());
        }
    }

    #[tokio::test]
    async fn many_who_wait_all_get_their_turn() {
        let quota = Arc::new(Quota::new(1));
        let turn = |quota: Arc<Quota>| async move { drop(quota.seat().await) };
        let all: Vec<_> = (0..100).map(|_| tokio::spawn(turn(quota.clone()))).collect();
        for one in all {
            timeout(Duration::from_secs(1), one).await.expect("nobody is forgotten").unwrap();
        }
    }
}
