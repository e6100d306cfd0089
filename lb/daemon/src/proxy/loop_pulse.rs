//! Does the relay loop turn? A loop that waits for a CPU is late, not frozen.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::time::Duration;

use fmc_lb::Handle;
use nix::unistd::Pid;

/// A younger stamp is not looked into.
const SUSPICIOUS: Duration = Duration::from_millis(50);

/// However long the loop waited for a CPU, a stamp older than this means that clients are not served.
const STARVED_TO_DEATH: Duration = Duration::from_secs(1);

/// The age of the loop's stamp, without the time in which the thread was ready to run and got no CPU.
pub(crate) struct LoopPulse {
    handle: Handle,
    /// `None` where the kernel does not say (CONFIG_SCHED_INFO): then a starved loop counts as frozen.
    schedstat: Option<File>,
    /// Run delay when the stamp was last young.
    baseline: Mutex<Duration>,
}

impl LoopPulse {
    /// Watches the loop of `handle`, which runs on `thread` of this process.
    pub(crate) fn new(handle: Handle, thread: Pid) -> Self {
        let schedstat = File::open(format!("/proc/self/task/{thread}/schedstat")).ok();
        Self { handle, schedstat, baseline: Mutex::new(Duration::ZERO) }
    }

    /// How long the loop has not turned although it could have.
    pub(crate) fn age(&self) -> Duration {
        let age = self.handle.pulse().age();
        let mut baseline = self.baseline.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let delay = self.run_delay();
        if age < SUSPICIOUS {
            *baseline = delay;
        }
        fair_age(age, delay.saturating_sub(*baseline))
    }

    /// Time the thread has spent waiting on a run queue (proc_pid_schedstat: the second number, nanoseconds).
    fn run_delay(&self) -> Duration {
        let mut text = [0; 64];
        let read = self.schedstat.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        let second = std::str::from_utf8(&text[..read]).ok().and_then(|text| text.split(' ').nth(1)?.parse().ok());
        Duration::from_nanos(second.unwrap_or(0))
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
    fn a_loop_without_a_cpu_for_a_second_serves_nobody() {
        assert_eq!(fair_age(ms(1_001), ms(1_000)), ms(1_001));
    }
}
