//! Planned moves, handed over and shut down.

use fmc_config::model::election::{Centiseconds, Failback};

use super::harness::*;
use crate::router::role::{Obstacle, Reason, Role};
use crate::router::{Alarm, ClaimRefused, Linger, MoveRefused, Parameters};
use crate::tier::{Fitness, Tier};

#[test]
fn a_planned_move_serves_until_another_advertises() {
    let mut bench = Bench::active();
    bench.router.resign(None, bench.now).unwrap();
    assert_eq!(bench.actions(), "advert 0");
    assert_eq!(bench.after(millis(1)).hear(address(0), 254), "remove");
    assert_eq!(bench.reasons, [Reason::MoveRequested(None), Reason::TakenOver(address(0))]);
}

#[test]
fn a_planned_move_that_nobody_answers_ends_where_it_began() {
    let mut bench = Bench::active();
    bench.router.resign(None, bench.now).unwrap();
    bench.actions();
    assert_eq!(bench.until_deadline(), millis(120));
    assert_eq!(bench.deadline(), "advert 253, add, announce");
    assert_eq!((bench.role(), bench.alarms.as_slice()), (Role::Active, &[Alarm::NobodyTookOver][..]));
}

#[test]
fn at_fast_intervals_a_taker_is_waited_for_50_ms() {
    let fast = Parameters { interval: Centiseconds::new(1).unwrap(), ..parameters(1, 3) };
    let mut bench = Bench::backup_with(fast);
    bench.deadline();
    bench.router.resign(None, bench.now).unwrap();
    assert_eq!(bench.until_deadline(), millis(50));
}

#[test]
fn a_move_to_a_named_node_asks_it_and_does_not_resign() {
    let mut bench = Bench::active();
    bench.hear_peer(2, Role::Backup, Tier::Fit);
    bench.router.resign(Some(2), bench.now).unwrap();
    assert_eq!(bench.actions(), "", "no third node may come first");
    assert_eq!(bench.router.report().claim, Some(2));
    assert_eq!(bench.hear(address(2), 252), "remove", "though it ranks below");
    assert_eq!(bench.router.report().claim, None);
}

#[test]
fn a_node_that_is_asked_claims_at_once_and_others_do_not() {
    let mut asks = report(0, Role::Leaving, Tier::Fit);
    asks.claim = Some(1);
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.router.handle_peer(0, asks, bench.now);
    assert_eq!(bench.actions(), "advert 253, add, announce");
    assert_eq!(bench.reasons.last(), Some(&Reason::ClaimRequested(0)));

    asks.claim = Some(2);
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.router.handle_peer(0, asks, bench.now);
    assert!(bench.until_deadline() > millis(300));
}

#[test]
fn an_advertisement_of_the_asking_node_that_is_read_after_its_request_undoes_nothing() {
    let mut asks = report(0, Role::Leaving, Tier::Fit);
    asks.claim = Some(1);
    let mut bench = Bench::backup();
    bench.router.handle_peer(0, asks, bench.now);
    bench.actions();
    assert_eq!((bench.after(millis(1)).hear(address(0), 254).as_str(), bench.role()), ("", Role::Active));
    assert_eq!(bench.after(millis(50)).hear(address(0), 254), "advert 253, remove", "but it may change its mind");
}

#[test]
fn a_node_that_cannot_serve_refuses_a_claim() {
    let mut bench = Bench::backup();
    bench.set_fitness(Fitness::NOT_SERVING);
    assert_eq!(bench.router.claim(0, bench.now), Err(ClaimRefused(Obstacle::NotServing)));
}

#[test]
fn a_move_is_refused_with_its_reason() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Backup, Tier::Degraded);
    let mut silent = report(2, Role::Backup, Tier::Fit);
    assert_eq!(bench.router.resign(Some(2), bench.now), Err(MoveRefused::Silent(2)));
    silent.serving = false;
    bench.router.handle_peer(2, silent, bench.now);
    assert_eq!(bench.router.resign(Some(1), bench.now), Err(MoveRefused::UnknownNode(1)));
    assert_eq!(bench.router.resign(Some(2), bench.now), Err(MoveRefused::NotServing(2)));
    assert_eq!(bench.router.resign(Some(0), bench.now), Err(MoveRefused::Worse(0, Tier::Degraded)));
    assert_eq!(bench.router.resign(None, bench.now), Err(MoveRefused::NobodyAsFit));
    assert_eq!(Bench::backup().router.resign(None, START), Err(MoveRefused::NotActive));
    assert_eq!(Bench::leaving().router.resign(None, START), Err(MoveRefused::Leaving));
}

#[test]
fn an_address_that_an_operator_moved_away_is_not_taken_back() {
    let mut bench = Bench::active_with(with_failback(Failback::Always));
    bench.router.resign(None, bench.now).unwrap();
    bench.hear(address(2), 252);
    for _ in 0..50 {
        bench.after(INTERVAL).hear(address(2), 252);
        assert!(bench.until_deadline() > millis(300));
    }
}

#[test]
fn a_lingering_shutdown_ends_with_the_taker_or_with_its_patience() {
    let mut bench = Bench::active();
    bench.router.shutdown(Linger::UntilTaken, bench.now);
    assert_eq!(bench.actions(), "advert 0");
    assert_eq!(bench.hear(address(0), 254), "remove");
    assert_eq!(bench.role(), Role::Initialize);

    let mut bench = Bench::active();
    bench.router.shutdown(Linger::UntilTaken, bench.now);
    bench.actions();
    assert_eq!(bench.deadline(), "remove", "it resigned already");
    assert_eq!((bench.role(), bench.router.next_deadline()), (Role::Initialize, None));
}

/// Proves V-43, V-70.
#[test]
fn exactly_one_resignation_leaves_an_active_router_and_none_a_backup() {
    for linger in [Linger::None, Linger::UntilTaken] {
        let mut bench = Bench::active();
        bench.router.shutdown(linger, bench.now);
        bench.actions();
        while bench.router.next_deadline().is_some() {
            bench.deadline();
        }
        assert_eq!(bench.router.statistics().priority_zero_sent, 1, "{linger:?}");
        let mut bench = Bench::backup();
        bench.router.shutdown(linger, bench.now);
        bench.actions();
        assert_eq!(bench.router.statistics().priority_zero_sent, 0, "{linger:?}");
    }
}

#[test]
fn a_stopped_router_starts_again() {
    let mut bench = Bench::active();
    bench.router.shutdown(Linger::UntilTaken, bench.now);
    bench.hear(address(0), 254);
    bench.router.startup(bench.now);
    assert_eq!(bench.role(), Role::Backup);
}

#[test]
fn an_explanation_is_a_sentence() {
    assert_eq!(
        Bench::active().router.explain().to_string(),
        "Active because no advertisement was ever heard; it is fit and advertises priority 253"
    );
    assert_eq!(Bench::stopped(parameters(1, 3)).router.explain().to_string(), "Initialize because it is stopped");
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    assert_eq!(
        bench.router.explain().to_string(),
        "Backup because ready to take part, listening first; the last one heard is 192.168.0.30 (priority 254)"
    );
}

#[test]
fn new_parameters_keep_the_role_and_the_cadence() {
    let mut bench = Bench::active();
    let deadline = bench.router.next_deadline();
    bench.router.set_parameters(with_failback(Failback::Always), bench.now);
    assert_eq!((bench.role(), bench.router.next_deadline(), bench.actions().as_str()), (Role::Active, deadline, ""));
}
