//! What each source address has of a frontend. [core]
//!
//! The memory is bounded: at most [`MOST`] addresses are known at once. An address that has nothing open and was quiet for a second is as
//! good as unknown, and makes room for others; one that is over its bound is never forgotten for want of room, however many addresses
//! come. When every place is held by somebody who matters, further addresses are let in uncounted: the frontend's own bounds hold, and
//! it is said ([`Admission::Uncounted`]).

use std::collections::HashMap;
use std::net::IpAddr;

use fmc_config::model::frontend::PerSource;

use crate::rate::{Meter, Micros};

/// Addresses known at once: some 56 octets each.
pub(crate) const MOST: usize = 16_384;

/// One word about a source that is over its bound in this time.
const SAID_EVERY: Micros = 10_000_000;

/// A full table is looked through for those who left no more often than this: a flood of addresses must not make every accept cost so.
const SWEPT_EVERY: Micros = 100_000;

/// The addresses that matter now.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    known: HashMap<IpAddr, Source>,
    swept_at: Micros,
}

#[derive(Debug, Default)]
struct Source {
    open: u32,
    meter: Meter,
    said_at: Option<Micros>,
}

/// Whether a source may have one connection more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may, and is counted: [`Sources::leave`] ends that.
    Counted,
    /// It may, and nobody counts it.
    Uncounted,
    /// It has as many open as it may. `say`: nobody was told lately.
    TooMany {
        /// Worth a line in the log.
        say: bool,
    },
    /// It has opened as many in a second as it may. `say`: nobody was told lately.
    TooFast {
        /// Worth a line in the log.
        say: bool,
    },
}

impl Sources {
    /// Takes one more connection of `source` in, or does not.
    pub(crate) fn admit(&mut self, source: IpAddr, bounds: &PerSource, now: Micros) -> Admission {
        let is_exempt = bounds.exempt.iter().any(|network| network.contains(&source));
        let source = subscriber(source);
        if is_exempt || !self.has_room_for(source, now) {
            return Admission::Uncounted;
        }
        let known = self.known.entry(source).or_default();
        if bounds.max_connections.is_some_and(|most| known.open >= most.get()) {
            return Admission::TooMany { say: known.say(now) };
        }
        if bounds.max_per_second.is_some_and(|rate| known.meter.take(rate, now).is_err()) {
            return Admission::TooFast { say: known.say(now) };
        }
        known.open += 1;
        Admission::Counted
    }

    /// A connection that was counted has ended.
    pub(crate) fn leave(&mut self, source: IpAddr, now: Micros) {
        let source = subscriber(source);
        if let Some(known) = self.known.get_mut(&source) {
            known.open = known.open.saturating_sub(1);
            if !known.matters(now) {
                self.known.remove(&source);
            }
        }
    }

    fn has_room_for(&mut self, source: IpAddr, now: Micros) -> bool {
        if self.known.len() < MOST || self.known.contains_key(&source) {
            return true;
        }
        if now >= self.swept_at + SWEPT_EVERY {
            self.swept_at = now;
            self.known.retain(|_, known| known.matters(now));
        }
        self.known.len() < MOST
    }
}

/// Who is behind an address: an IPv6 host chooses among the 2^64 of its network as it likes (RFC 8981), so the network is what counts.
fn subscriber(source: IpAddr) -> IpAddr {
    match source {
        IpAddr::V4(_) => source,
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
    }
}

impl Source {
    fn matters(&self, now: Micros) -> bool {
        self.open > 0 || !self.meter.is_rested(now)
    }

    fn say(&mut self, now: Micros) -> bool {
        let is_due = self.said_at.is_none_or(|at| now >= at + SAID_EVERY);
        if is_due {
            self.said_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const SECOND: Micros = 1_000_000;

    fn bounds(open: u32, per_second: u32) -> PerSource {
        PerSource {
            max_connections: NonZeroU32::new(open),
            max_per_second: NonZeroU32::new(per_second),
            exempt: vec!["10.0.0.0/8".parse().unwrap()],
        }
    }

    fn address(number: usize) -> IpAddr {
        std::net::Ipv4Addr::from(0xc0a8_0000 + u32::try_from(number).unwrap()).into()
    }

    #[test]
    fn a_source_has_as_many_as_it_may_and_its_neighbour_too() {
        let (mut sources, bounds) = (Sources::default(), bounds(2, 0));
        for source in [address(1), address(2)] {
            assert_eq!([0; 2].map(|_| sources.admit(source, &bounds, 0)), [Admission::Counted; 2]);
            assert_eq!(sources.admit(source, &bounds, 0), Admission::TooMany { say: true });
            assert_eq!(sources.admit(source, &bounds, 1), Admission::TooMany { say: false });
        }
        sources.leave(address(1), 2);
        assert_eq!(sources.admit(address(1), &bounds, 3), Admission::Counted);
        assert_eq!(sources.admit(address(2), &bounds, SAID_EVERY), Admission::TooMany { say: true });
    }

    #[test]
    fn a_source_that_opens_and_closes_too_fast_is_refused_although_nothing_is_open() {
        let (mut sources, bounds) = (Sources::default(), bounds(0, 5));
        for _ in 0..5 {
            assert_eq!(sources.admit(address(1), &bounds, 0), Admission::Counted);
            sources.leave(address(1), 0);
        }
        assert_eq!(sources.admit(address(1), &bounds, 0), Admission::TooFast { say: true });
        assert_eq!(sources.admit(address(1), &bounds, SECOND / 5), Admission::Counted);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one_source() {
        let (mut sources, bounds) = (Sources::default(), bounds(2, 0));
        let host = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(sources.admit(host("2001:db8::1"), &bounds, 0), Admission::Counted);
        assert_eq!(sources.admit(host("2001:db8::2:1"), &bounds, 0), Admission::Counted);
        assert!(matches!(sources.admit(host("2001:db8::3"), &bounds, 0), Admission::TooMany { .. }));
        assert_eq!(sources.admit(host("2001:db8:0:1::3"), &bounds, 0), Admission::Counted);
        sources.leave(host("2001:db8::9"), 0);
        assert_eq!(sources.admit(host("2001:db8::3"), &bounds, 0), Admission::Counted);
    }

    #[test]
    fn who_is_exempt_has_no_bound_and_takes_no_place() {
        let (mut sources, bounds) = (Sources::default(), bounds(1, 1));
        let edge = IpAddr::from([10, 1, 2, 3]);
        assert!((0..100).all(|_| sources.admit(edge, &bounds, 0) == Admission::Uncounted));
        assert!(sources.known.is_empty());
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_than_the_table_and_frees_no_offender() {
        let (mut sources, bounds) = (Sources::default(), bounds(1, 1));
        let offender = address(0);
        assert_eq!(sources.admit(offender, &bounds, 0), Admission::Counted);
        for number in 1..3 * MOST {
            let now = Micros::try_from(number).unwrap();
            if sources.admit(address(number), &bounds, now) == Admission::Counted {
                sources.leave(address(number), now);
            }
            assert!(sources.known.len() <= MOST);
        }
        let now = Micros::try_from(3 * MOST).unwrap();
        assert!(matches!(sources.admit(offender, &bounds, now), Admission::TooMany { .. }));
        assert_eq!(sources.admit(address(9 * MOST), &bounds, now), Admission::Uncounted, "every place is held");
        let later = now + 2 * SECOND;
        assert_eq!(sources.admit(address(9 * MOST), &bounds, later), Admission::Counted, "those who left make room");
        assert!(matches!(sources.admit(offender, &bounds, later), Admission::TooMany { .. }), "and it does not");
    }

    #[test]
    fn nothing_is_kept_of_who_left_long_ago() {
        let (mut sources, bounds) = (Sources::default(), bounds(5, 5));
        sources.admit(address(1), &bounds, 0);
        sources.leave(address(1), 2 * SECOND);
        assert!(sources.known.is_empty());
    }
}
