//! RFC 9568 §6.1 and §6.4 to the nanosecond, and what is discarded.

use std::time::Duration;

use fmc_config::model::election::{Centiseconds, Failback};

use super::harness::*;
use crate::router::Parameters;
use crate::router::role::{Reason, Role};
use crate::tier::{Cause, Fitness, Tier};

/// Skew_Time at priority 253 and 100 ms.
const SKEW: Duration = Duration::from_nanos(1_171_875);

/// Proves V-33, V-41.
#[test]
fn start_up_listens_for_active_down_interval_and_an_interval_a_rank() {
    assert_eq!(Bench::backup().until_deadline(), millis(300) + SKEW + millis(100));
}

#[test]
fn start_up_at_fast_intervals_listens_at_least_250_ms() {
    let fast = Parameters { interval: Centiseconds::new(1).unwrap(), ..parameters(1, 3) };
    assert_eq!(Bench::backup_with(fast).until_deadline(), millis(260));
}

/// Proves V-33, V-46, V-61.
#[test]
fn an_advertisement_starts_the_timer_anew_at_the_senders_interval() {
    let mut bench = Bench::backup();
    bench.hear_at_interval(address(0), 254, 20);
    assert_eq!(bench.until_deadline(), millis(600) + SKEW * 2);
}

/// Proves V-34.
#[test]
fn an_active_router_returns_to_its_own_interval() {
    let mut bench = Bench::backup();
    bench.hear_at_interval(address(0), 254, 20);
    bench.deadline();
    let promoted = bench.now;
    assert_eq!((bench.role(), bench.deadline().as_str()), (Role::Active, "announce"));
    assert_eq!(bench.deadline(), "advert 253, announce");
    assert_eq!(bench.now, promoted + millis(100));
}

/// Proves V-45.
#[test]
fn a_resignation_shortens_the_timer_to_the_skew_and_does_not_lengthen_it() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.hear(address(0), 0);
    assert_eq!(bench.until_deadline(), SKEW);
    bench.after(millis(1)).hear(address(0), 0);
    assert_eq!(bench.until_deadline(), SKEW - millis(1));
    bench.deadline();
    assert_eq!(bench.reasons.last(), Some(&Reason::Resigned(address(0))));
}

/// Proves V-45.
#[test]
fn forged_resignations_that_keep_coming_do_not_postpone_a_claim() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    let mut claimed = false;
    for _ in 0..100 {
        bench.hear(FOREIGN_LOW, 0);
        if bench.until_deadline() <= millis(1) && bench.role() == Role::Backup {
            bench.deadline();
            claimed = true;
        }
        bench.after(millis(1));
    }
    assert!(claimed);
}

/// Proves V-36, V-71.
#[test]
fn adver_timer_keeps_an_absolute_grid_however_late_each_one_is() {
    let mut bench = Bench::active();
    let first = bench.router.next_deadline().unwrap();
    for turn in 1..=50 {
        bench.deadline_late_by(millis(7));
        assert_eq!(bench.router.next_deadline(), Some(first + INTERVAL * turn));
    }
}

/// Proves V-98.
#[test]
fn what_a_stall_missed_is_not_sent_afterwards() {
    let mut bench = Bench::active();
    let first = bench.router.next_deadline().unwrap();
    assert_eq!(bench.deadline_late_by(millis(150)), "advert 253");
    assert_eq!(bench.router.next_deadline(), Some(first + INTERVAL * 2));
}

/// Proves V-35.
#[test]
fn a_priority_change_moves_the_running_timer_by_the_difference_of_skews() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    let before = bench.until_deadline();
    bench.after(millis(123)).set_fitness(Fitness::serving(Tier::Degraded, Cause::Local));
    let skew_degraded = Duration::from_nanos(155 * 100_000_000 / 256);
    assert_eq!(bench.until_deadline() + millis(123), before - SKEW + skew_degraded);
    bench.set_fitness(Fitness::FIT);
    assert_eq!(bench.until_deadline() + millis(123), before);
}

/// Proves V-48.
#[test]
fn equal_priority_in_backup_is_obeyed_from_any_address() {
    for source in [FOREIGN_LOW, FOREIGN_HIGH] {
        let mut bench = Bench::backup();
        bench.after(millis(50)).hear(source, 253);
        assert_eq!(bench.until_deadline(), millis(300) + SKEW, "{source}");
    }
}

/// Proves V-05, V-47.
#[test]
fn a_foreign_router_of_lower_priority_is_preempted_by_number() {
    let mut bench = Bench::backup();
    let deadline = bench.router.next_deadline();
    while bench.now + INTERVAL < deadline.unwrap() {
        bench.after(INTERVAL).hear(FOREIGN_HIGH, 200);
    }
    assert_eq!(bench.router.next_deadline(), deadline, "the timer runs on");
    assert_eq!(bench.deadline(), "advert 253, add, announce");
}

/// Proves V-05, V-46.
#[test]
fn inside_the_tier_nobody_preempts_when_failback_is_never() {
    let mut bench = Bench::backup();
    for _ in 0..100 {
        bench.after(INTERVAL).hear(address(2), 252);
        assert_eq!(bench.until_deadline(), millis(300) + SKEW);
    }
}

/// Proves V-05, V-47.
#[test]
fn failback_always_preempts_and_after_a_while_only_after_it() {
    let mut bench = Bench::backup_with(with_failback(Failback::Always));
    let deadline = bench.router.next_deadline();
    bench.after(millis(300)).hear(address(2), 252);
    assert_eq!(bench.router.next_deadline(), deadline);

    let mut bench = Bench::backup_with(with_failback(Failback::After(Duration::from_secs(5))));
    let since = bench.now + INTERVAL;
    while bench.role() == Role::Backup {
        if bench.until_deadline() <= INTERVAL {
            bench.deadline();
        } else {
            bench.after(INTERVAL).hear(address(2), 252);
        }
    }
    let waited = bench.now.saturating_duration_since(since);
    assert!((5000..5400).contains(&waited.as_millis()), "{waited:?}");
    assert!(matches!(bench.reasons.last(), Some(Reason::Failback(_))));
}

/// Proves V-05.
#[test]
fn a_better_tier_preempts_whatever_the_failback_rule() {
    let mut bench = Bench::backup();
    let deadline = bench.router.next_deadline().unwrap();
    while bench.now + INTERVAL < deadline {
        bench.after(INTERVAL).hear(address(0), 102);
    }
    assert_eq!(bench.deadline(), "advert 253, add, announce");
    assert_eq!(bench.reasons.last(), Some(&Reason::BetterTier { ours: Tier::Fit, theirs: Tier::Degraded }));
}

/// Proves V-98.
#[test]
fn assertions_out_of_turn_are_at_most_one_in_50_ms() {
    let mut bench = Bench::active();
    let mut adverts = 0;
    let mut announcements = 0;
    for _ in 0..1000 {
        let done = bench.after(millis(1)).hear(address(2), 252);
        adverts += u32::from(done.contains("advert"));
        announcements += u32::from(done.contains("announce"));
        if bench.router.next_deadline().unwrap() <= bench.now {
            bench.router.handle_deadline(bench.now, ZERO);
            bench.actions();
        }
    }
    assert!((15..=20).contains(&adverts), "{adverts}");
    assert!(announcements <= 20, "{announcements}");
}

/// Proves V-78.
#[test]
fn an_active_router_is_outranked_whatever_the_failback_rule() {
    for failback in [Failback::Never, Failback::Always, Failback::After(Duration::from_secs(600))] {
        let mut bench = Bench::active_with(with_failback(failback));
        assert_eq!(bench.hear(FOREIGN_HIGH, 254), "advert 253, remove", "{failback:?}");
    }
}

/// Proves V-80.
#[test]
fn whoever_advertises_255_outranks_every_node() {
    let mut bench = Bench::active();
    assert_eq!(bench.hear(FOREIGN_LOW, 255), "advert 253, remove");
}

/// Proves V-97.
#[test]
fn a_loser_says_its_last_word_and_is_gone() {
    let mut bench = Bench::active();
    assert_eq!(bench.hear(address(0), 254), "advert 253, remove");
    assert_eq!(bench.until_deadline(), millis(300) + SKEW);
    assert_eq!(bench.router.statistics().became_active, 1);
}

/// Proves V-74, V-75.
#[test]
fn the_tie_break_lets_exactly_one_of_two_yield() {
    for (ours, theirs) in [(FOREIGN_LOW, FOREIGN_HIGH), (FOREIGN_HIGH, FOREIGN_LOW), (address(9), address(10))] {
        let yields = |own, other| {
            let mut bench = Bench::active_with(Parameters { source: own, ..parameters(1, 1) });
            bench.hear(other, 253);
            bench.role() == Role::Backup
        };
        assert_ne!(yields(ours, theirs), yields(theirs, ours), "{ours} and {theirs}");
    }
}
