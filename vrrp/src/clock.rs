//! The only reading of clocks in this crate.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::boot_instant::BootInstant;

/// Now on CLOCK_BOOTTIME (clock_gettime(2)): it never jumps with wall time and goes on while the machine sleeps.
pub fn now() -> BootInstant {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("every kernel since 2.6.39 has CLOCK_BOOTTIME");
    BootInstant::from_nanos(Duration::from(time).as_nanos() as u64)
}

/// The date, as the time since 1970, on CLOCK_REALTIME. It jumps, and two machines have two of it: nothing waits for it, and nothing
/// of another machine is measured with it. The sequence of signed advertisements begins there.
pub fn utc() -> Duration {
    clock_gettime(ClockId::CLOCK_REALTIME).expect("every kernel has CLOCK_REALTIME").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What proc_uptime(5) shows: seconds since boot, with the time suspended, in hundredths.
    fn uptime() -> Duration {
        let text = std::fs::read_to_string("/proc/uptime").unwrap();
        Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap())
    }

    /// Proves V-37.
    #[test]
    fn the_clock_counts_from_boot_like_the_uptime_of_the_machine_and_not_from_a_date() {
        let before = uptime();
        let now = Duration::from_nanos(now().as_nanos());
        let after = uptime() + Duration::from_millis(10);
        assert!(before <= now && now <= after, "{before:?} {now:?} {after:?}");
    }
}
