//! The two derived times of RFC 9568 §6.1, exact to the nanosecond. [core]

use std::time::Duration;

use fmc_config::model::election::Centiseconds;

use crate::priority::Priority;

/// Nanoseconds of one hundredth of a second.
const CENTISECOND: u64 = 10_000_000;

/// Skew_Time = ((256 - Priority) × Active_Adver_Interval) / 256 (RFC 9568 §6.1), rounded down to the nanosecond.
///
/// In whole centiseconds, as some implementations have it, every router at 10 ms adverts would get the same skew of zero.
pub const fn skew_time(priority: Priority, active_adver_interval: Centiseconds) -> Duration {
    let distance = 256 - priority.get() as u64;
    Duration::from_nanos(distance * active_adver_interval.get() as u64 * CENTISECOND / 256)
}

/// Active_Down_Interval = 3 × Active_Adver_Interval + Skew_Time (RFC 9568 §6.1).
pub const fn active_down_interval(priority: Priority, active_adver_interval: Centiseconds) -> Duration {
    let three = Duration::from_nanos(3 * active_adver_interval.get() as u64 * CENTISECOND);
    three.saturating_add(skew_time(priority, active_adver_interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centiseconds(value: u16) -> Centiseconds {
        Centiseconds::new(value).unwrap()
    }

    #[test]
    fn skew_is_the_formula_for_every_priority_and_interval() {
        for interval in [1_u16, 2, 10, 100, 4095] {
            for priority in 1..=255_u8 {
                let exact = (256.0 - f64::from(priority)) * f64::from(interval) * 1e7 / 256.0;
                let skew = skew_time(Priority::new(priority), centiseconds(interval)).as_nanos();
                assert_eq!(skew, exact.floor() as u128, "priority {priority}, {interval} cs");
            }
        }
    }

    #[test]
    fn a_better_priority_always_fires_first_even_at_one_centisecond() {
        for priority in 1..=254_u8 {
            let down = |p| active_down_interval(Priority::new(p), centiseconds(1));
            assert!(down(priority + 1) < down(priority), "priority {priority}");
        }
    }

    #[test]
    fn the_measured_takeover_times_of_keepalived_are_these() {
        let down = |priority, interval| active_down_interval(Priority::new(priority), centiseconds(interval));
        assert_eq!(down(100, 100), Duration::from_nanos(3_609_375_000));
        assert_eq!(down(100, 10), Duration::from_nanos(360_937_500));
        assert_eq!(down(254, 10), Duration::from_nanos(300_781_250));
        assert_eq!(down(100, 1), Duration::from_nanos(36_093_750));
    }
}
