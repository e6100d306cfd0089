//! [core] How much of its share a server takes while it warms up.
//!
//! A server that comes back is cold: caches are empty, pools are closed, and with least connections everything new would be
//! poured on it, for it has the fewest. So it takes part in a growing fraction of the choices only. Fractions of choices
//! work with every rule of balance that spreads, and any weight, 1 included (source hash has no say in who comes, so it does without); under round robin a server takes exactly that part of its share.

use std::time::Duration;

use crate::pulse::Ticks;

/// The whole share, in the unit of [`share`].
pub(super) const WHOLE: u32 = 1000;

/// The part of its share, in thousandths, that a server takes at `now` when it came back at `since`: from nothing to all,
/// in a straight line over `slow_start`.
pub(super) fn share(since: Ticks, slow_start: Duration, now: Ticks) -> u32 {
    let (passed, whole) = (now.since(since).as_millis(), slow_start.as_millis().max(1));
    u32::try_from(passed * u128::from(WHOLE) / whole).unwrap_or(WHOLE).min(WHOLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_in_a_straight_line_and_stays_whole() {
        let at = |millis| share(Ticks(1000), Duration::from_secs(10), Ticks(millis));
        assert_eq!([at(0), at(1000), at(2000), at(6000), at(10_990)], [0, 0, 100, 500, 999]);
        assert_eq!([at(11_000), at(u64::MAX)], [WHOLE, WHOLE]);
        assert_eq!(share(Ticks(5), Duration::ZERO, Ticks(6)), WHOLE);
    }
}
