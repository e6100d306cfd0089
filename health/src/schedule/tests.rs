use fmc_config::model::health_check::{HealthCheck, Probe};
use proptest::prelude::*;

use super::*;
use crate::outcome::{Failure, Finding, Outcome};
use crate::verdict::Health;

const INTERVAL: Duration = Duration::from_secs(2);
const FAST: Duration = Duration::from_millis(500);
/// Entropy that lengthens nothing and shortens nothing.
const EVEN: u64 = 100;

#[test]
fn the_first_probe_is_due_at_once_give_or_take_a_few_milliseconds() {
    for entropy in [0, 1, 999, u64::MAX] {
        let wait = Schedule::new(INTERVAL, FAST, at(0), entropy).due() - at(0);
        assert!(wait < FIRST_SPREAD, "{wait:?}");
    }
}

#[test]
fn a_settled_server_is_asked_each_interval_and_a_changing_one_each_fast_interval() {
    let mut schedule = started();
    schedule.finish(Pace::Settled, at(3), EVEN);
    assert_eq!(schedule.due(), at(2000));
    schedule.start(at(2000));
    schedule.finish(Pace::Changing, at(2003), EVEN);
    assert_eq!(schedule.due(), at(2500));
}

#[test]
fn neither_slow_probes_nor_late_wakes_add_up() {
    let mut schedule = started();
    for beat in 1..=10 {
        schedule.finish(Pace::Settled, at(2000 * (beat - 1) + 900), EVEN);
        assert_eq!(schedule.due(), at(2000 * beat));
        schedule.start(at(2000 * beat + 30));
    }
}

#[test]
fn missed_beats_are_skipped() {
    let mut schedule = started();
    schedule.finish(Pace::Settled, at(9000), EVEN);
    assert_eq!(schedule.due(), at(9000));
    schedule.start(at(9000));
    schedule.finish(Pace::Settled, at(9001), EVEN);
    assert_eq!(schedule.due(), at(11_000));
}

#[test]
fn a_silent_server_is_asked_again_as_soon_as_its_timeout_has_passed() {
    let mut schedule = started();
    schedule.finish(Pace::Changing, at(1000), EVEN);
    assert_eq!(schedule.due(), at(1000));
}

#[test]
fn a_failed_dial_brings_the_next_probe_forward() {
    let mut schedule = started();
    schedule.finish(Pace::Settled, at(3), EVEN);
    schedule.recheck(at(800));
    assert_eq!(schedule.due(), at(800));
}

#[test]
fn rechecks_keep_their_distance_from_the_probe_before() {
    let mut schedule = started();
    schedule.finish(Pace::Settled, at(3), EVEN);
    schedule.recheck(at(20));
    assert_eq!(schedule.due(), at(0) + RECHECK_GAP);
}

#[test]
fn a_recheck_postpones_nothing() {
    let mut schedule = started();
    schedule.finish(Pace::Changing, at(490), EVEN);
    schedule.recheck(at(600));
    assert_eq!(schedule.due(), at(500));
    let mut fresh = Schedule::new(INTERVAL, FAST, at(0), 7);
    let first = fresh.due();
    fresh.recheck(at(1));
    assert_eq!(fresh.due(), first);
}

#[test]
fn an_interval_of_zero_is_no_flood() {
    let mut schedule = Schedule::new(Duration::ZERO, Duration::ZERO, at(0), 0);
    schedule.start(at(0));
    schedule.finish(Pace::Settled, at(0), EVEN);
    assert_eq!(schedule.due(), at(0) + MIN_GAP);
}

proptest! {
    #[test]
    fn a_step_is_jittered_by_a_tenth_at_most(millis in 1u64..3_600_000, entropy: u64) {
        let step = Duration::from_millis(millis);
        let jittered = jittered(step, entropy);
        prop_assert!(jittered >= step * 9 / 10 && jittered <= step * 11 / 10, "{step:?} -> {jittered:?}");
    }

    /// The server dies right after a probe that passed; from then on every probe times out.
    #[test]
    fn a_dead_server_is_found_within_the_detection_time_that_the_model_promises(
        check in health_check(), entropy: [u64; 8]
    ) {
        let mut schedule = Schedule::new(check.interval, check.fast_interval, at(0), 0);
        let mut health = Health::new(check.rise, check.fall, at(0));
        schedule.start(at(0));
        health.observe(outcome(Finding::Pass), at(0));
        schedule.finish(Pace::Settled, at(0), entropy[0]);
        let found = (0..).find_map(|probe| {
            let end = schedule.due() + check.timeout;
            schedule.start(schedule.due());
            let transition = health.observe(outcome(Finding::Fail(Failure::Timeout)), end);
            schedule.finish(Pace::Changing, end, entropy[probe % 8]);
            transition
        });
        let waited = found.unwrap().at - at(0);
        prop_assert!(waited <= check.detection_time(), "{waited:?} > {:?}", check.detection_time());
    }

    /// A thousand failing clients a second, at any moments, cause ten probes a second.
    #[test]
    fn rechecks_are_bounded_however_many_dials_fail(dials in prop::collection::vec(0u64..1000, 1..400)) {
        let mut dials = dials;
        dials.sort_unstable();
        let mut schedule = started();
        schedule.finish(Pace::Settled, at(1), EVEN);
        let mut starts = vec![at(0)];
        for dial in dials {
            schedule.recheck(at(dial));
            if schedule.due() <= at(dial) {
                starts.push(at(dial));
                schedule.start(at(dial));
                schedule.finish(Pace::Settled, at(dial), EVEN);
            }
        }
        prop_assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= RECHECK_GAP));
    }
}

fn health_check() -> impl Strategy<Value = HealthCheck> {
    let millis = |least| (least..20_000u64).prop_map(Duration::from_millis);
    (millis(50), millis(50), millis(10), 1u8..6).prop_map(|(interval, fast_interval, timeout, fall)| HealthCheck {
        track: None,
        probe: Probe::Tcp,
        port: None,
        interval,
        fast_interval,
        timeout,
        rise: 2,
        fall,
    })
}

fn outcome(finding: Finding) -> Outcome {
    Outcome { finding, latency: Duration::ZERO, accepted: true, gone: false, detail: String::new(), rung: None }
}

/// The first probe started exactly at zero.
fn started() -> Schedule {
    let mut schedule = Schedule::new(INTERVAL, FAST, at(0), 0);
    schedule.start(at(0));
    schedule
}

/// Milliseconds on a clock that starts with the first call.
fn at(millis: u64) -> Instant {
    static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *EPOCH + Duration::from_millis(millis)
}
