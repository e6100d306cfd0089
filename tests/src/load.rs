//! A steady load of new connections, and what became of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::exchange::{Attempt, Target, attempt};
use crate::namespace::Namespace;

/// The moment of a move is known to 2 ms or so on an idle machine; the rest is for a busy one.
const UNDER_WAY: Duration = Duration::from_millis(8);

/// New connections at a steady pace, each a whole exchange. In flight at once: the pace times the target's patience.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Record>,
}

impl Load {
    /// Starts: from `machine`, a connection to `target` each `pace`.
    pub fn start(machine: &Namespace, target: Target, pace: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = machine.thread(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(run(target, pace, stopped))
        });
        Self { stop, thread }
    }

    /// Ends it and waits for the connections under way.
    ///
    /// # Panics
    /// When the load's own thread did.
    pub fn stop(self) -> Record {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

async fn run(target: Target, pace: Duration, stop: Arc<AtomicBool>) -> Record {
    let mut ticks = tokio::time::interval(pace);
    // A late tick is not made up for: a burst would measure the burst.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut under_way = JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let target = target.clone();
        under_way.spawn(async move { attempt(&target).await });
    }
    let mut attempts = under_way.join_all().await;
    attempts.sort_by_key(|attempt| attempt.started);
    Record { attempts }
}

/// What a load saw, in the order of starting.
#[derive(Debug)]
pub struct Record {
    attempts: Vec<Attempt>,
}

impl Record {
    /// Every connection.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// Those that failed.
    pub fn failures(&self) -> Vec<&Attempt> {
        self.attempts.iter().filter(|attempt| attempt.outcome.is_err()).collect()
    }

    /// Those that failed although they started after `moment`.
    pub fn failures_since(&self, moment: Instant) -> usize {
        self.failures().iter().filter(|attempt| attempt.started >= moment).count()
    }

    /// How many each server answered.
    pub fn spread(&self) -> BTreeMap<String, usize> {
        let mut spread = BTreeMap::new();
        for server in self.attempts.iter().filter_map(|attempt| attempt.outcome.as_ref().ok()) {
            *spread.entry(server.clone()).or_default() += 1;
        }
        spread
    }

    /// From `moment` to the end of the first connection that started after it and was served: what "served again" means.
    pub fn served_after(&self, moment: Instant) -> Option<Duration> {
        let later = self.served().filter(|attempt| attempt.started >= moment);
        later.map(|attempt| attempt.finished - moment).min()
    }

    /// The longest time in which no connection was served, from the first one's start to the last one's. A straggler
    /// that ends after that proves nothing: nobody came any more.
    pub fn longest_gap(&self) -> Duration {
        let (Some(first), Some(last)) = (self.attempts.first(), self.attempts.last()) else { return Duration::ZERO };
        let ends = self.served().map(|attempt| attempt.finished.min(last.started));
        let mut moments: Vec<Instant> = [first.started, last.started].into_iter().chain(ends).collect();
        moments.sort();
        moments.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The waiting time that `share` (0 to 1) of the served connections did not exceed.
    ///
    /// # Panics
    /// When none was served: no bound may pass for want of a measurement.
    pub fn latency(&self, share: f64) -> Duration {
        let mut latencies: Vec<Duration> = self.served().map(Attempt::latency).collect();
        assert!(!latencies.is_empty(), "none of {} connections was served, so none has a latency", self.attempts.len());
        latencies.sort();
        latencies[((latencies.len() - 1) as f64 * share) as usize]
    }

    /// The part that started between two moments.
    pub fn between(&self, from: Instant, to: Instant) -> Record {
        let within = self.attempts.iter().filter(|attempt| (from..to).contains(&attempt.started));
        Record { attempts: within.cloned().collect() }
    }

    /// Those that failed although they were not under way at any of `moments`, give or take 8 ms.
    pub fn failures_not_under_way_at(&self, moments: &[Instant]) -> Vec<&Attempt> {
        let failures = self.failures().into_iter();
        failures.filter(|attempt| !moments.iter().any(|&moment| under_way_at(attempt, moment))).collect()
    }

    /// # Panics
    /// When a connection failed, with the reason of each, or when there was none at all.
    pub fn assert_all_served(&self) {
        assert!(!self.attempts.is_empty(), "the load made no connection");
        let failures = self.failures();
        let reasons: Vec<_> = failures.iter().filter_map(|attempt| attempt.outcome.as_ref().err()).collect();
        assert!(failures.is_empty(), "{} of {} connections failed: {reasons:?}", failures.len(), self.attempts.len());
    }

    fn served(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.outcome.is_ok())
    }
}

/// A connection is under way from its start to its end, so that a slow one that is cut is explained. One that was never
/// established is so only at its start: a SYN that is lost after one move must not wait until the next excuses it.
fn under_way_at(attempt: &Attempt, moment: Instant) -> bool {
    let end = if attempt.connected.is_some() { attempt.finished } else { attempt.started };
    attempt.started <= moment + UNDER_WAY && moment <= end + UNDER_WAY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(origin: Instant, started: u64, connected: Option<u64>, finished: u64) -> Record {
        let at = |milliseconds| origin + Duration::from_millis(milliseconds);
        let outcome = Err("reset".to_owned());
        let attempt = Attempt { started: at(started), connected: connected.map(at), finished: at(finished), outcome };
        Record { attempts: vec![attempt] }
    }

    fn is_explained(record: &Record, moments: &[Instant]) -> bool {
        record.failures_not_under_way_at(moments).is_empty()
    }

    #[test]
    fn a_slow_connection_cut_by_a_move_is_explained_by_it() {
        let origin = Instant::now();
        let record = failed(origin, 100, Some(101), 160);
        assert!(is_explained(&record, &[origin + Duration::from_millis(150)]));
    }

    #[test]
    fn a_connection_that_ended_before_a_move_or_began_after_it_is_not_explained_by_it() {
        let origin = Instant::now();
        let move_at = [origin + Duration::from_millis(100)];
        assert!(!is_explained(&failed(origin, 109, Some(110), 115), &move_at));
        assert!(is_explained(&failed(origin, 108, Some(110), 115), &move_at));
        assert!(!is_explained(&failed(origin, 85, Some(86), 91), &move_at));
    }

    #[test]
    fn a_syn_lost_after_one_move_is_not_explained_by_the_next() {
        let origin = Instant::now();
        let moves = [100, 700].map(|milliseconds| origin + Duration::from_millis(milliseconds));
        assert!(!is_explained(&failed(origin, 120, None, 4120), &moves));
        assert!(is_explained(&failed(origin, 97, None, 4097), &moves));
    }

    #[test]
    #[should_panic(expected = "none of 1 connections was served")]
    fn a_record_in_which_nothing_was_served_has_no_latency() {
        failed(Instant::now(), 0, None, 1).latency(0.5);
    }
}
