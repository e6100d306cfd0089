//! The only reading of a clock in this crate.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::boot_instant::BootInstant;

/// Now on CLOCK_BOOTTIME (clock_gettime(2)): it never jumps with wall time and goes on while the machine sleeps.
pub fn now() -> BootInstant {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("every kernel since 2.6.39 has CLOCK_BOOTTIME");
    BootInstant::from_nanos(Duration::from(time).as_nanos() as u64)
}
