//! What lets the keeper run on time beside a busy proxy: real-time scheduling with a fuse, and memory that stays in RAM.
//!
//! Each is wished for, none is needed: what the kernel refuses is reported and the keeper runs without it.

use std::fmt;

use nix::errno::Errno;
use nix::libc;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

/// The election thread's SCHED_FIFO priority: above everything ordinary, below the kernel's own threads (50 is theirs).
pub const ELECTION_PRIORITY: i32 = 50;

/// The address thread's: it renews leases on time too, but never delays an advert.
pub const ADDRESS_PRIORITY: i32 = 49;

/// CPU time a real-time thread of ours may use without once waiting, in microseconds; then the kernel ends the process
/// with SIGXCPU and the supervisor starts another. A loop of a correct keeper takes well under a millisecond.
const RTTIME_MICROSECONDS: u64 = 500_000;

/// Stack below the frame of the election's loop that is touched, and so locked, before it is needed. A [`Control`] that keeps its
/// messages there may use half of it, two buffers of 16 KiB; the election's own deepest call, a full heartbeat, takes
/// less than a quarter.
///
/// [`Control`]: crate::driver::Control
const STACK_LENGTH: usize = 64 * 1024;

/// What the kernel granted, for the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Realtime {
    /// SCHED_FIFO with its fuse.
    pub scheduling: Grant,
    /// Memory locked into RAM.
    pub memory: Grant,
}

/// Whether one wish was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Grant {
    /// It is in force.
    Granted,
    /// The kernel refused, with this errno.
    Refused(i32),
}

impl Realtime {
    /// One line for each refusal, for the log.
    pub fn warnings(self) -> impl Iterator<Item = String> {
        let scheduling = ("SCHED_FIFO", "adverts may be late on a busy node", "CAP_SYS_NICE");
        let memory = ("locked memory", "adverts may wait for swap", "CAP_IPC_LOCK");
        [(self.scheduling, scheduling), (self.memory, memory)].into_iter().filter_map(
            |(grant, (wish, effect, need))| {
                let Grant::Refused(errno) = grant else { return None };
                let errno = Errno::from_raw(errno);
                Some(format!("without {wish} {effect}: the kernel refuses ({errno:?}); give the keeper {need}"))
            },
        )
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Granted => f.write_str("yes"),
            Self::Refused(errno) => write!(f, "no ({:?})", Errno::from_raw(*errno)),
        }
    }
}

/// For the election thread, once, before its first deadline: locks memory, touches the stack, schedules itself.
pub fn enter() -> Realtime {
    let memory = lock_memory();
    touch_stack();
    Realtime { scheduling: schedule(ELECTION_PRIORITY), memory }
}

/// Schedules the calling thread SCHED_FIFO at `priority`; whatever it starts is ordinary again (SCHED_RESET_ON_FORK).
pub fn schedule(priority: i32) -> Grant {
    // The fuse first: a real-time thread without one could take the only CPU for ever.
    let fused = setrlimit(Resource::RLIMIT_RTTIME, RTTIME_MICROSECONDS, RTTIME_MICROSECONDS);
    grant(fused.and_then(|()| schedule_fifo(priority)))
}

/// Locks pages as they are touched: without MCL_ONFAULT every mapped page of the binary would be read in.
fn lock_memory() -> Grant {
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    grant(mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault))
}

/// Its frame is the array, below the caller's: every page down from there is written to.
#[inline(never)]
fn touch_stack() {
    std::hint::black_box(&mut [0u8; STACK_LENGTH]);
}

fn grant(answer: nix::Result<()>) -> Grant {
    match answer {
        Ok(()) => Grant::Granted,
        Err(errno) => Grant::Refused(errno as i32),
    }
}

/// sched_setscheduler(2) for the calling thread; needs CAP_SYS_NICE or RLIMIT_RTPRIO. Neither nix nor socket2 has it.
#[allow(unsafe_code)]
fn schedule_fifo(priority: i32) -> nix::Result<()> {
    let parameters = libc::sched_param { sched_priority: priority };
    // SAFETY: 0 names the calling thread, and `parameters` is a whole sched_param that outlives the call.
    let answer = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, &parameters) };
    Errno::result(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{UsageWho, getrusage};

    use super::*;

    /// As a deep call does that keeps messages on the stack.
    #[inline(never)]
    fn use_stack() {
        std::hint::black_box(&mut [1u8; STACK_LENGTH - PAGE]);
    }

    const PAGE: usize = 4096;

    fn page_faults() -> i64 {
        getrusage(UsageWho::RUSAGE_THREAD).unwrap().minor_page_faults()
    }

    #[test]
    fn a_deep_call_after_the_touch_meets_no_page_fault() {
        let faults = std::thread::spawn(|| {
            page_faults();
            touch_stack();
            let before = page_faults();
            use_stack();
            page_faults() - before
        });
        assert_eq!(faults.join().unwrap(), 0);
    }

    #[test]
    fn each_refusal_is_one_line_that_names_the_capability() {
        let granted = Realtime { scheduling: Grant::Granted, memory: Grant::Granted };
        assert_eq!(granted.warnings().count(), 0);
        let refused = Realtime { scheduling: Grant::Refused(libc::EPERM), memory: Grant::Refused(libc::ENOMEM) };
        let lines: Vec<_> = refused.warnings().collect();
        assert!(lines[0].contains("CAP_SYS_NICE") && lines[0].contains("EPERM"), "{lines:?}");
        assert!(lines[1].contains("CAP_IPC_LOCK") && lines[1].contains("ENOMEM"), "{lines:?}");
    }
}
