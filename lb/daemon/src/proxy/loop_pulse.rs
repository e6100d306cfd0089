//! Does the relay loop turn? A loop that waits for a CPU is late, not frozen.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fmc_lb::Handle;
use nix::unistd::Pid;

use crate::message::{FROZEN_AFTER, LATE_TURN};

/// A younger stamp is not looked into.
const SUSPICIOUS: Duration = Duration::from_millis(50);

/// However long the loop waited for a CPU, a stamp older than this means that clients are not served.
const STARVED_TO_DEATH: Duration = Duration::from_secs(1);

/// The age of the loop's stamp, without the time in which the thread was ready to run and got no CPU, and without the time in
/// which this whole process did not run. Judged by the link thread at each heartbeat, read by everyone.
pub(crate) struct LoopPulse {
    handle: Handle,
    /// `None` where the kernel does not say (CONFIG_SCHED_INFO): then a starved loop counts as frozen.
    schedstat: Option<File>,
    judge: Mutex<Judge>,
    /// Milliseconds, of the last judgement.
    judged: AtomicU64,
}

#[derive(Debug)]
struct Judge {
    /// Run delay when the stamp was last young.
    baseline: Duration,
    last_turn: Instant,
    /// When this process last came back from a stall: the loop's silence counts from then.
    thawed: Instant,
}

impl LoopPulse {
    /// Watches the loop of `handle`, which runs on `thread` of this process.
    pub(crate) fn new(handle: Handle, thread: Pid) -> Self {
        let schedstat = File::open(format!("/proc/self/task/{thread}/schedstat")).ok();
        let now = Instant::now();
        let judge = Mutex::new(Judge { baseline: Duration::ZERO, last_turn: now, thawed: now });
        Self { handle, schedstat, judge, judged: AtomicU64::new(0) }
    }

    /// How long the loop has not turned although it could have. Called by the link thread at each of its turns.
    pub(crate) fn judge(&self) -> Duration {
        let (age, delay, now) = (self.handle.pulse().age(), self.run_delay(), Instant::now());
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        if age < SUSPICIOUS {
            judge.baseline = delay;
        }
        let age = judge.age_since_thaw(age, now);
        let fair = fair_age(age, delay.saturating_sub(judge.baseline));
        self.judged.store(u64::try_from(fair.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        fair
    }

    /// By the last judgement, the loop turns.
    pub(crate) fn is_alive(&self) -> bool {
        Duration::from_millis(self.judged.load(Ordering::Relaxed)) <= FROZEN_AFTER
    }

    /// Time the thread has spent waiting on a run queue (proc_pid_schedstat: the second number, nanoseconds).
    fn run_delay(&self) -> Duration {
        let mut text = [0; 64];
        let read = self.schedstat.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        let second = std::str::from_utf8(&text[..read]).ok().and_then(|text| text.split(' ').nth(1)?.parse().ok());
        Duration::from_nanos(second.unwrap_or(0))
    }
}

impl Judge {
    fn age_since_thaw(&mut self, age: Duration, now: Instant) -> Duration {
        if now.saturating_duration_since(self.last_turn) > LATE_TURN {
            self.thawed = now;
        }
        self.last_turn = now;
        age.min(now.saturating_duration_since(self.thawed))
    }
}

fn fair_age(age: Duration, waited_for_cpu: Duration) -> Duration {
    if age > STARVED_TO_DEATH { age } else { age.saturating_sub(waited_for_cpu) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn waiting_for_a_cpu_is_not_held_against_the_loop() {
        assert_eq!(fair_age(ms(400), ms(380)), ms(20));
        assert_eq!(fair_age(ms(400), ms(0)), ms(400), "a loop that sleeps or spins is frozen");
    }

    #[test]
    fn after_a_stall_of_the_whole_process_the_loop_gets_its_time_to_stamp() {
        let start = Instant::now();
        let mut judge = Judge { baseline: ms(0), last_turn: start, thawed: start };
        let thaw = start + ms(3_000);
        assert_eq!(judge.age_since_thaw(ms(3_000), thaw), ms(0));
        let turns = (1..=10).map(|turn| judge.age_since_thaw(ms(3_000 + turn * 20), thaw + ms(turn * 20)));
        assert_eq!(turns.last(), Some(ms(200)), "a loop that did not thaw with the rest is found");
    }

    #[test]
    fn a_loop_without_a_cpu_for_a_second_serves_nobody() {
        assert_eq!(fair_age(ms(1_001), ms(1_000)), ms(1_001));
    }
}
