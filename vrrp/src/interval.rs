//! The two derived times of RFC 9568 §6.1 and RFC 3768 §6.1, exact to the nanosecond. [core]

use std::time::Duration;

use fmc_config::model::election::{Centiseconds, Version};

use crate::priority::Priority;

/// Nanoseconds of one hundredth of a second.
const CENTISECOND: u64 = 10_000_000;
const SECOND: u64 = 1_000_000_000;

/// Skew_Time = ((256 - Priority) × Active_Adver_Interval) / 256 (RFC 9568 §6.1), rounded down to the nanosecond; in version 2
/// the same of one second, whatever the interval (RFC 3768 §6.1).
///
/// In whole centiseconds, as some implementations have it, every router at 10 ms adverts would get the same skew of zero.
pub const fn skew_time(version: Version, priority: Priority, active_adver_interval: Centiseconds) -> Duration {
    let distance = 256 - priority.get() as u64;
    let of = match version {
        Version::V3(_) => active_adver_interval.get() as u64 * CENTISECOND,
        Version::V2(_) => SECOND,
    };
    Duration::from_nanos(distance * of / 256)
}

/// Active_Down_Interval = 3 × Active_Adver_Interval + Skew_Time (RFC 9568 §6.1, RFC 3768 §6.1).
pub const fn active_down_interval(
    version: Version,
    priority: Priority,
    active_adver_interval: Centiseconds,
) -> Duration {
    let three = Duration::from_nanos(3 * active_adver_interval.get() as u64 * CENTISECOND);
    three.saturating_add(skew_time(version, priority, active_adver_interval))
}

#[cfg(test)]
mod tests {
    use fmc_config::model::election::ChecksumForm;

    use super::*;

    const V3: Version = Version::V3(ChecksumForm::PseudoHeader);
    const V2: Version = Version::V2(None);

    fn centiseconds(value: u16) -> Centiseconds {
        Centiseconds::new(value).unwrap()
    }

    /// Proves V-30.
    #[test]
    fn skew_is_the_formula_for_every_priority_and_interval() {
        for interval in [1_u16, 2, 10, 100, 4095] {
            for priority in 1..=255_u8 {
                let exact = (256.0 - f64::from(priority)) * f64::from(interval) * 1e7 / 256.0;
                let skew = skew_time(V3, Priority::new(priority), centiseconds(interval)).as_nanos();
                assert_eq!(skew, exact.floor() as u128, "priority {priority}, {interval} cs");
            }
        }
    }

    #[test]
    fn a_better_priority_always_fires_first_even_at_one_centisecond() {
        for priority in 1..=254_u8 {
            let down = |p| active_down_interval(V3, Priority::new(p), centiseconds(1));
            assert!(down(priority + 1) < down(priority), "priority {priority}");
        }
    }

    /// Proves V-32.
    #[test]
    fn the_skew_of_version_2_is_a_part_of_a_second_whatever_the_interval() {
        for priority in 1..=254_u8 {
            let exact = Duration::from_nanos((256 - u64::from(priority)) * 1_000_000_000 / 256);
            for seconds in [1_u16, 2, 40] {
                let interval = centiseconds(seconds * 100);
                assert_eq!(skew_time(V2, Priority::new(priority), interval), exact);
                let down = active_down_interval(V2, Priority::new(priority), interval);
                assert_eq!(down, Duration::from_secs(3 * u64::from(seconds)) + exact);
            }
        }
    }

    /// Proves V-31.
    #[test]
    fn the_measured_takeover_times_of_keepalived_are_these() {
        let down = |priority, interval| active_down_interval(V3, Priority::new(priority), centiseconds(interval));
        assert_eq!(down(100, 100), Duration::from_nanos(3_609_375_000));
        assert_eq!(down(100, 10), Duration::from_nanos(360_937_500));
        assert_eq!(down(254, 10), Duration::from_nanos(300_781_250));
        assert_eq!(down(100, 1), Duration::from_nanos(36_093_750));
    }
}
