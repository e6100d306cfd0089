//! What the kernel granted, read from outside.

use std::time::Duration;

use crate::child::Process;
use crate::lab::{API, eventually, pair};

/// SCHED_FIFO in the `policy` field of proc_pid_stat(5).
const FIFO: u32 = 1;

#[test]
fn the_election_is_real_time_the_address_thread_below_it_and_memory_is_locked() {
    let [one, _two] = pair();
    let process = Process::start(&one, 0);
    eventually("it owns the address", Duration::from_secs(5), || one.holds(API));
    let threads = process.threads();
    let fifo: Vec<_> = threads.iter().filter(|thread| thread.policy == FIFO).collect();
    let mut priorities: Vec<_> = fifo.iter().map(|thread| thread.priority).collect();
    priorities.sort_unstable();
    assert_eq!(priorities, [49, 50], "{threads:?}");
    assert!(fifo.iter().any(|thread| thread.priority == 49 && thread.name == "address"), "{threads:?}");
    let locked = process.status("VmLck");
    assert!(locked.trim_end_matches(" kB").parse::<u64>().unwrap() > 0, "{locked}");
    assert_eq!(process.limit("Max realtime timeout"), ["500000", "500000"]);
}
