//! An address that does not come, or that nobody renews.

use super::harness::*;
use crate::router::role::{Obstacle, Reason, Role};
use crate::router::{AddressLoss, ClaimRefused};
use crate::tier::{Fitness, Tier};

/// Active, and its address did not come.
fn unanswered() -> Bench {
    let mut bench = Bench::active();
    bench.router.handle_address_lost(AddressLoss::Unanswered, bench.now);
    assert_eq!(bench.actions(), "advert 0, remove");
    bench
}

#[test]
fn a_router_whose_address_does_not_come_resigns_and_claims_nothing_until_it_is_answered() {
    let mut bench = unanswered();
    assert_eq!(bench.reasons, [Reason::Obstacle(Obstacle::AddressUnanswered)]);
    assert_eq!(bench.router.next_deadline(), None);
    assert_eq!(bench.after(millis(5000)).hear(address(2), 100), "", "a worse owner serves, this one would not");
    assert_eq!(bench.router.claim(0, bench.now), Err(ClaimRefused(Obstacle::AddressUnanswered)));
    assert_eq!(bench.set_fitness(Fitness::serving(Tier::Degraded, crate::tier::Cause::Local)), "");
    assert_eq!(bench.role(), Role::Initialize);
    bench.router.handle_address_answered(bench.now);
    assert_eq!((bench.role(), bench.actions().as_str()), (Role::Backup, ""));
    assert!(bench.until_deadline() >= millis(250), "it listens first");
    assert_eq!(bench.deadline(), "advert 101, add, announce");
}

#[test]
fn meanwhile_its_heartbeat_says_that_it_does_not_serve() {
    let mut bench = unanswered();
    assert!(!bench.router.report().serving);
    bench.router.handle_address_answered(bench.now);
    assert!(bench.router.report().serving);
}

#[test]
fn an_answer_that_nobody_waits_for_changes_nothing() {
    for mut bench in [Bench::backup(), Bench::active(), Bench::leaving()] {
        let (role, deadline) = (bench.role(), bench.router.next_deadline());
        bench.router.handle_address_answered(bench.now);
        assert_eq!((bench.role(), bench.router.next_deadline(), bench.actions().as_str()), (role, deadline, ""));
    }
}

#[test]
fn other_obstacles_outlive_the_answer() {
    let mut bench = unanswered();
    bench.set_fitness(Fitness::NOT_SERVING);
    bench.router.handle_address_answered(bench.now);
    assert_eq!(bench.role(), Role::Initialize);
    assert_eq!(bench.router.explain().reason, Reason::Obstacle(Obstacle::NotServing));
}

#[test]
fn a_router_that_waits_for_a_named_node_has_not_resigned_before_its_address_is_lost() {
    for loss in [AddressLoss::Expired, AddressLoss::Unanswered] {
        let mut bench = Bench::active();
        bench.hear_peer(2, Role::Backup, Tier::Fit);
        bench.router.resign(Some(2), bench.now).unwrap();
        assert_eq!(bench.actions(), "");
        bench.router.handle_address_lost(loss, bench.now);
        assert_eq!(bench.actions(), "advert 0, remove", "{loss:?}");
    }
}

#[test]
fn a_router_that_may_be_displaced_lets_its_address_expire_without_a_word() {
    let mut bench = Bench::active();
    bench.deadline_late_by(millis(250));
    bench.router.handle_address_lost(AddressLoss::Expired, bench.now);
    assert_eq!(bench.actions(), "remove", "the taker's Backups would take the resignation for its own");
}
