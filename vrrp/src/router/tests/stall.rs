//! A router whose own clock was stolen: frozen process, paused machine.

use super::harness::*;
use crate::priority::Priority;
use crate::router::Alarm;
use crate::router::role::{Reason, Rival, Role};
use crate::tier::Tier;

/// Proves V-94, V-99.
#[test]
fn a_backup_that_was_late_gives_an_active_router_two_intervals() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    assert_eq!(bench.deadline_late_by(millis(101)), "");
    assert_eq!(bench.until_deadline(), millis(200));
    assert_eq!(bench.alarms, [Alarm::Stalled(millis(101))]);
    assert_eq!(bench.deadline(), "advert 253, add, announce", "but only once");
}

#[test]
fn a_backup_that_was_a_little_late_claims() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    assert_eq!(bench.deadline_late_by(millis(99)), "advert 253, add, announce");
}

/// Proves V-94.
#[test]
fn an_active_router_late_over_half_its_lease_is_backup_before_it_sends() {
    let mut bench = Bench::active();
    assert_eq!(bench.deadline_late_by(millis(501)), "remove");
    assert_eq!(bench.reasons, [Reason::Stalled(millis(501))]);
    assert!(bench.until_deadline() > millis(300));
}

#[test]
fn it_is_backup_before_it_listens_too() {
    let mut bench = Bench::active();
    bench.after(millis(700));
    assert_eq!(bench.hear(address(2), 252), "remove", "no last word, no assertion");
    assert_eq!(bench.role(), Role::Backup);
}

#[test]
fn a_loop_that_was_late_for_another_timer_counts_the_same() {
    let mut bench = Bench::active();
    bench.now = bench.router.next_deadline().unwrap();
    bench.router.handle_deadline(bench.now, millis(501));
    assert_eq!(bench.actions(), "remove");
}

/// Proves V-98.
#[test]
fn an_active_router_that_may_be_displaced_listens_before_it_speaks() {
    let mut bench = Bench::active();
    assert_eq!(bench.deadline_late_by(millis(250)), "");
    assert_eq!(bench.until_deadline(), millis(150));
    assert_eq!(bench.deadline(), "advert 253, announce", "nobody spoke");
    assert_eq!(bench.role(), Role::Active);
}

#[test]
fn a_node_that_took_over_meanwhile_keeps_the_address_though_it_ranks_below() {
    let mut bench = Bench::active();
    bench.deadline_late_by(millis(250));
    assert_eq!(
        bench.after(millis(50)).hear(address(2), 252),
        "remove",
        "no last word: it would make the other step down"
    );
    let rival = Rival { source: address(2), priority: Priority::new(252) };
    assert_eq!(bench.reasons, [Reason::Displaced(rival)]);
}

#[test]
fn a_heartbeat_tells_it_as_well() {
    let mut bench = Bench::active();
    bench.deadline_late_by(millis(250));
    assert_eq!(bench.hear_peer(2, Role::Active, Tier::Fit), "remove");
}

#[test]
fn a_backlog_is_not_answered_before_the_doubt_is_settled() {
    let mut bench = Bench::active();
    bench.after(millis(350));
    assert_eq!(bench.hear(address(2), 252), "");
    bench.router.handle_deadline(bench.now, millis(260));
    assert_eq!((bench.actions().as_str(), bench.role()), ("", Role::Active));
}

#[test]
fn a_worse_node_that_took_over_meanwhile_is_told_so_when_the_doubt_is_over() {
    let mut bench = Bench::active();
    bench.deadline_late_by(millis(250));
    assert_eq!(bench.hear(address(2), 100), "");
    assert_eq!(bench.deadline(), "advert 253, announce");
}
