//! Ownership follows truth: tiers, whose fault a fall is, and how long it must stay.

use super::harness::*;
use crate::boot_instant::BootInstant;
use crate::router::role::{Obstacle, Reason, Role};
use crate::router::{AddressLoss, Alarm};
use crate::tier::{Cause, Fitness, Tier};

/// Runs deadlines and a heartbeat of node 0 each interval for `span`; returns what was advertised last.
fn run(bench: &mut Bench, millis_to_run: u64, peer: Option<Tier>) -> Vec<String> {
    let end: BootInstant = bench.now + millis(millis_to_run);
    let mut done = Vec::new();
    while let Some(deadline) = bench.router.next_deadline().filter(|deadline| *deadline <= end) {
        bench.now = deadline;
        if let Some(tier) = peer {
            bench.hear_peer(0, Role::Backup, tier);
        }
        done.push(bench.deadline());
    }
    bench.now = end;
    done
}

#[test]
fn a_proxy_that_does_not_answer_gives_the_address_away_at_once() {
    let mut bench = Bench::active();
    assert_eq!(bench.set_fitness(Fitness::NOT_SERVING), "advert 0, remove");
    assert_eq!(bench.reasons, [Reason::Obstacle(Obstacle::NotServing)]);
    assert_eq!(bench.router.next_deadline(), None, "it never claims");
}

#[test]
fn a_proxy_that_answers_again_lets_it_listen_again() {
    let mut bench = Bench::active();
    bench.set_fitness(Fitness::NOT_SERVING);
    bench.after(millis(100)).set_fitness(Fitness::FIT);
    assert_eq!(bench.role(), Role::Backup);
    assert!(bench.until_deadline() > millis(300));
}

#[test]
fn a_local_fall_with_a_better_peer_resigns_and_serves_on() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Backup, Tier::Fit);
    assert_eq!(bench.set_fitness(LOCAL_UNFIT), "advert 0");
    assert_eq!(bench.hear(address(0), 254), "remove");
    assert_eq!(bench.router.priority().get(), 2);
}

#[test]
fn a_local_fall_with_only_worse_peers_keeps_the_address_and_says_so_by_priority() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Backup, Tier::Unfit);
    assert_eq!(bench.set_fitness(LOCAL_UNFIT), "");
    assert_eq!(bench.deadline(), "advert 2");
    assert_eq!(bench.role(), Role::Active);
}

#[test]
fn a_fall_of_the_servers_waits_for_a_better_peer_through_the_settle_time() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Backup, Tier::Fit);
    bench.set_fitness(BACKEND_UNFIT);
    let before = run(&mut bench, 1900, Some(Tier::Fit));
    assert!(before.iter().all(|done| !done.contains("advert 2,") && done != "advert 2"), "{before:?}");
    let after = run(&mut bench, 400, Some(Tier::Fit));
    assert_eq!(after.last().map(String::as_str), Some("advert 2"));
    assert_eq!(bench.role(), Role::Active, "it serves until somebody better preempts");
}

#[test]
fn a_fall_of_the_servers_that_the_peer_shares_never_acts() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Backup, Tier::Unfit);
    bench.set_fitness(BACKEND_UNFIT);
    let done = run(&mut bench, 20_000, Some(Tier::Unfit));
    assert!(done.iter().all(|done| done != "advert 2"), "{done:?}");
    assert!(bench.router.explain().to_string().contains("it is only unfit"), "{}", bench.router.explain());
}

#[test]
fn a_peer_that_becomes_as_bad_ends_the_wait() {
    let mut bench = Bench::active();
    bench.set_fitness(BACKEND_UNFIT);
    for _ in 0..5 {
        run(&mut bench, 1500, Some(Tier::Fit));
        run(&mut bench, 500, Some(Tier::Unfit));
    }
    assert_eq!(bench.router.priority().get(), 253);
}

#[test]
fn without_any_heartbeat_a_fall_of_the_servers_acts_after_the_settle_time() {
    let mut bench = Bench::active();
    bench.set_fitness(BACKEND_UNFIT);
    run(&mut bench, 1900, None);
    assert_eq!(bench.router.priority().get(), 253);
    run(&mut bench, 300, None);
    assert_eq!(bench.router.priority().get(), 2);
}

#[test]
fn servers_that_come_back_in_time_leave_no_trace() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Backup, Tier::Fit);
    bench.set_fitness(BACKEND_UNFIT);
    run(&mut bench, 1500, Some(Tier::Fit));
    bench.set_fitness(Fitness::FIT);
    bench.set_fitness(BACKEND_UNFIT);
    run(&mut bench, 1500, Some(Tier::Fit));
    assert_eq!(bench.router.priority().get(), 253, "the wait began anew");
}

#[test]
fn a_rise_acts_with_the_next_advertisement() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Backup, Tier::Unfit);
    bench.set_fitness(LOCAL_UNFIT);
    bench.set_fitness(Fitness::serving(Tier::Degraded, Cause::Local));
    assert_eq!(bench.deadline(), "advert 101");
    bench.set_fitness(Fitness::FIT);
    assert_eq!(bench.deadline(), "advert 253");
}

#[test]
fn an_address_that_somebody_removes_is_added_three_times_and_then_left_to_the_peer() {
    let mut bench = Bench::active();
    for _ in 0..3 {
        bench.hear_peer(0, Role::Backup, Tier::Fit);
        bench.after(millis(60));
        bench.router.handle_address_lost(AddressLoss::Removed, bench.now);
        assert!(bench.actions().starts_with("add"));
    }
    bench.hear_peer(0, Role::Backup, Tier::Fit);
    bench.router.handle_address_lost(AddressLoss::Removed, bench.now);
    assert_eq!(bench.actions(), "advert 0, remove");
    assert_eq!(bench.alarms.last(), Some(&Alarm::AddressContested));
    assert_eq!(bench.until_deadline(), millis(10_000));
    bench.deadline();
    assert_eq!(bench.role(), Role::Backup, "the obstacle is over");
}

#[test]
fn an_address_that_somebody_removes_stays_here_when_nobody_else_serves() {
    let mut bench = Bench::active();
    for _ in 0..3 {
        bench.router.handle_address_lost(AddressLoss::Removed, bench.now);
        bench.actions();
    }
    bench.router.handle_address_lost(AddressLoss::Removed, bench.now);
    assert_eq!(bench.actions(), "");
    let done = run(&mut bench, 150, None).join("; ");
    assert!(done.contains("advert 253, add"), "no faster than we advertise: {done}");
}
