use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::outcome::Failure;

#[test]
fn the_first_result_decides_at_once() {
    for (finding, verdict) in [(PASS, Verdict::Healthy), (FAIL, Verdict::Unhealthy)] {
        let mut health = health(3, 3);
        let transition = health.observe(outcome(finding), at(7)).unwrap();
        assert_eq!(transition, Transition { from: Verdict::Unknown, to: verdict, at: at(7) });
        assert_eq!((health.verdict(), health.since(), health.flaps()), (verdict, at(7), 0));
    }
}

#[test]
fn whom_its_clients_condemn_is_out_for_its_time_whatever_its_check_finds_and_back_by_its_check() {
    let mut health = health(2, 3);
    health.observe(outcome(PASS), at(0));
    let transition = health.condemn(outcome(FAIL), at(30), at(1)).expect("it was healthy");
    assert_eq!((transition.from, transition.to), (Verdict::Healthy, Verdict::Unhealthy));
    for second in 2..30 {
        assert_eq!(health.observe(outcome(PASS), at(second)), None, "second {second}");
    }
    assert_eq!(health.condemn(outcome(FAIL), at(40), at(29)), None, "it is out already, and for longer now");
    assert_eq!(
        (39..41).map(|second| health.observe(outcome(PASS), at(second)).is_some()).collect::<Vec<_>>(),
        [false; 2]
    );
    assert_eq!(health.observe(outcome(PASS), at(41)).map(|transition| transition.to), Some(Verdict::Healthy));
}

/// Start, one finding, the verdict after it and whether it changed: every pair, with `rise` 2 and `fall` 2.
#[test]
fn every_state_meets_every_finding() {
    let table: [(&[Finding], Finding, Verdict, bool); 15] = [
        (&[], PASS, Verdict::Healthy, true),
        (&[], FAIL, Verdict::Unhealthy, true),
        (&[], INCONCLUSIVE, Verdict::Unknown, false),
        (&[PASS], PASS, Verdict::Healthy, false),
        (&[PASS], FAIL, Verdict::Healthy, false),
        (&[PASS], INCONCLUSIVE, Verdict::Healthy, false),
        (&[PASS, FAIL], PASS, Verdict::Healthy, false),
        (&[PASS, FAIL], FAIL, Verdict::Unhealthy, true),
        (&[PASS, FAIL], INCONCLUSIVE, Verdict::Healthy, false),
        (&[FAIL], PASS, Verdict::Unhealthy, false),
        (&[FAIL], FAIL, Verdict::Unhealthy, false),
        (&[FAIL], INCONCLUSIVE, Verdict::Unhealthy, false),
        (&[FAIL, PASS], PASS, Verdict::Healthy, true),
        (&[FAIL, PASS], FAIL, Verdict::Unhealthy, false),
        (&[FAIL, PASS], INCONCLUSIVE, Verdict::Unhealthy, false),
    ];
    for (before, finding, verdict, changed) in table {
        let mut health = health(2, 2);
        for &earlier in before {
            health.observe(outcome(earlier), at(0));
        }
        let transition = health.observe(outcome(finding), at(1));
        assert_eq!((health.verdict(), transition.is_some()), (verdict, changed), "{before:?} then {finding:?}");
    }
}

#[test]
fn one_contradiction_is_forgotten_by_one_confirmation() {
    let mut health = after(3, 3, &[PASS, FAIL, FAIL, PASS, FAIL, FAIL]);
    assert_eq!((health.verdict(), health.contradicted()), (Verdict::Healthy, (2, 3)));
    assert!(health.observe(outcome(FAIL), at(9)).is_some());
}

#[test]
fn an_inconclusive_outcome_neither_counts_nor_breaks_a_row() {
    let health = after(2, 2, &[PASS, FAIL, INCONCLUSIVE, INCONCLUSIVE, FAIL]);
    assert_eq!(health.verdict(), Verdict::Unhealthy);
}

#[test]
fn a_server_is_watched_closely_while_unknown_or_contradicted() {
    assert!(after(2, 3, &[]).changing());
    assert!(!after(2, 3, &[PASS]).changing());
    assert!(after(2, 3, &[PASS, FAIL]).changing());
    assert!(!after(2, 3, &[PASS, FAIL, PASS]).changing());
    assert!(!after(2, 3, &[FAIL]).changing());
}

#[test]
fn flaps_count_changes_but_not_the_first_verdict() {
    assert_eq!(after(1, 1, &[PASS]).flaps(), 0);
    assert_eq!(after(1, 1, &[PASS, FAIL, FAIL, PASS, FAIL]).flaps(), 3);
}

#[test]
fn a_threshold_of_zero_counts_as_one() {
    assert_eq!(after(0, 0, &[PASS, FAIL]).verdict(), Verdict::Unhealthy);
}

#[test]
fn the_last_outcomes_are_kept_in_order() {
    let mut health = health(2, 2);
    for second in 0..9 {
        health.observe(outcome(PASS), at(second));
    }
    let kept: Vec<Instant> = health.history().map(|observed| observed.at).collect();
    assert_eq!(kept, [at(4), at(5), at(6), at(7), at(8)]);
}

proptest! {
    /// The same verdict by the definition instead of by counters: look back for the last row that was long enough.
    #[test]
    fn the_verdict_is_that_of_the_last_row_that_was_long_enough(
        rise in 1u8..5, fall in 1u8..5, findings in prop::collection::vec(finding(), 0..60)
    ) {
        let mut health = health(rise, fall);
        let mut seen = Vec::new();
        for (second, finding) in findings.into_iter().enumerate() {
            let before = health.verdict();
            let transition = health.observe(outcome(finding), at(second as u64));
            seen.push(finding);
            prop_assert_eq!(health.verdict(), by_definition(&seen, rise, fall));
            prop_assert_eq!(transition.is_some(), health.verdict() != before);
            if let Some(transition) = transition {
                prop_assert_eq!((transition.from, transition.to), (before, health.verdict()));
                prop_assert!(transition.to != Verdict::Unknown);
                prop_assert_eq!(health.since(), transition.at);
            }
            let (against, needed) = health.contradicted();
            prop_assert!(against < needed);
            prop_assert!(health.history().len() <= HISTORY);
        }
    }
}

fn by_definition(findings: &[Finding], rise: u8, fall: u8) -> Verdict {
    let conclusive: Vec<bool> =
        findings.iter().filter(|&&finding| finding != INCONCLUSIVE).map(|&finding| finding == PASS).collect();
    let Some(&first) = conclusive.first() else { return Verdict::Unknown };
    let mut healthy = first;
    for end in 1..=conclusive.len() {
        let row = |wanted: bool, length: u8| {
            let length = usize::from(length);
            end >= length && conclusive[end - length..end].iter().all(|&passed| passed == wanted)
        };
        healthy = if healthy { !row(false, fall) } else { row(true, rise) };
    }
    if healthy { Verdict::Healthy } else { Verdict::Unhealthy }
}

#[test]
fn a_server_is_gone_after_fall_outcomes_in_a_row_that_found_nobody_and_since_the_first() {
    let absent = || Outcome { gone: true, ..outcome(FAIL) };
    let mut health = health(2, 3);
    health.observe(outcome(PASS), at(0));
    for second in 1..=2 {
        health.observe(absent(), at(second));
        assert_eq!(health.gone_since(), None, "after {second}");
    }
    health.observe(outcome(INCONCLUSIVE), at(3));
    health.observe(absent(), at(4));
    assert_eq!(health.gone_since(), Some(at(1)), "what this node could not ask breaks no row");
    health.observe(absent(), at(5));
    assert_eq!(health.gone_since(), Some(at(1)));
    health.observe(outcome(FAIL), at(6));
    assert_eq!(health.gone_since(), None, "a failure with somebody there is none");
}

const PASS: Finding = Finding::Pass;
const FAIL: Finding = Finding::Fail(Failure::Refused);
const INCONCLUSIVE: Finding = Finding::Inconclusive;

fn finding() -> impl Strategy<Value = Finding> {
    prop_oneof![4 => Just(PASS), 4 => Just(FAIL), 1 => Just(INCONCLUSIVE)]
}

fn after(rise: u8, fall: u8, findings: &[Finding]) -> Health {
    let mut health = health(rise, fall);
    for &finding in findings {
        health.observe(outcome(finding), at(0));
    }
    health
}

fn health(rise: u8, fall: u8) -> Health {
    Health::new(rise, fall, at(0))
}

fn outcome(finding: Finding) -> Outcome {
    let detail = finding.as_str().to_owned();
    Outcome { finding, latency: Duration::from_millis(1), accepted: finding == PASS, gone: false, detail, rung: None }
}

/// Seconds on a clock that starts with the first call.
fn at(second: u64) -> Instant {
    static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *EPOCH + Duration::from_secs(second)
}
