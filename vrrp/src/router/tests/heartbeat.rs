//! The heartbeat as a second opinion.

use super::harness::*;
use crate::router::role::{Reason, Role};
use crate::router::{Alarm, Parameters, Peer};
use crate::tier::Tier;

/// Active_Down_Interval of the Backup under test, in whole milliseconds before it ends.
const BEFORE_END: u64 = 300;

#[test]
fn a_living_peer_that_says_it_is_active_holds_the_claim_back_and_raises_an_alarm() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.after(millis(BEFORE_END)).hear_peer(0, Role::Active, Tier::Fit);
    assert_eq!(bench.deadline(), "");
    assert_eq!(bench.role(), Role::Backup);
    assert_eq!(bench.alarms, [Alarm::AdvertisementPathBroken(0)]);
    assert_eq!(bench.router.explain().held_back_by, Some(0));
}

#[test]
fn the_claim_is_held_back_only_while_the_heartbeat_lives() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.after(millis(BEFORE_END)).hear_peer(0, Role::Active, Tier::Fit);
    let heard = bench.now;
    bench.deadline();
    assert_eq!(bench.deadline(), "advert 253, add, announce");
    assert_eq!(bench.now, heard + INTERVAL * 2);
    assert_eq!(bench.reasons.last(), Some(&Reason::HeartbeatSilent(0)));
    assert_eq!(bench.alarms.len(), 1, "told once");
}

#[test]
fn a_node_that_died_whole_is_not_waited_for() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.after(millis(99)).hear_peer(0, Role::Active, Tier::Fit);
    assert_eq!(bench.deadline(), "advert 253, add, announce");
}

#[test]
fn a_peer_that_says_anything_else_holds_nothing_back() {
    for role in [Role::Initialize, Role::Backup] {
        let mut bench = Bench::backup();
        bench.hear(address(0), 254);
        bench.after(millis(BEFORE_END)).hear_peer(2, role, Tier::Fit);
        assert_eq!(bench.deadline(), "advert 253, add, announce", "{role}");
    }
}

#[test]
fn a_resignation_or_a_worse_tier_is_not_held_back() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.hear_peer(0, Role::Active, Tier::Fit);
    bench.hear(address(0), 0);
    assert_eq!(bench.deadline(), "advert 253, add, announce");

    let mut bench = Bench::backup();
    for _ in 0..4 {
        bench.hear(address(0), 102);
        bench.hear_peer(0, Role::Active, Tier::Degraded);
        bench.after(INTERVAL);
    }
    assert_eq!(bench.deadline(), "advert 253, add, announce");
}

#[test]
fn a_heartbeat_that_says_leaving_stands_for_a_lost_resignation() {
    let mut bench = Bench::backup();
    bench.hear(address(0), 254);
    bench.hear_peer(0, Role::Leaving, Tier::Unfit);
    assert!(bench.until_deadline() < millis(2));
    bench.deadline();
    assert_eq!(bench.reasons.last(), Some(&Reason::Resigned(address(0))));
}

#[test]
fn a_third_node_gives_the_second_its_turn() {
    let mut bench = Bench::backup_with(parameters(2, 3));
    bench.hear(address(0), 254);
    bench.after(millis(250)).hear_peer(1, Role::Backup, Tier::Fit);
    assert_eq!(bench.deadline(), "");
    assert_eq!(bench.until_deadline(), millis(10));
    assert_eq!(bench.hear(address(0), 0), "", "not given twice, however often somebody resigns");
    assert_eq!(bench.deadline(), "advert 252, add, announce");
}

#[test]
fn a_peer_may_advertise_from_an_address_that_only_its_heartbeat_names() {
    let elsewhere = FOREIGN_HIGH;
    let mut bench = Bench::backup();
    let mut said = report(2, Role::Active, Tier::Fit);
    said.source = elsewhere;
    bench.router.handle_peer(2, said, bench.now);
    bench.after(millis(50)).hear(elsewhere, 252);
    assert!(bench.until_deadline() > millis(300), "of our tier, so it is obeyed though it ranks below");
}

#[test]
fn a_node_that_is_not_configured_has_no_say() {
    let one_peer =
        Parameters { peers: [Peer { rank: 0, source: address(0) }].into_iter().collect(), ..parameters(1, 3) };
    let mut bench = Bench::backup_with(one_peer);
    bench.hear(address(0), 254);
    bench.after(millis(BEFORE_END)).hear_peer(2, Role::Active, Tier::Fit);
    assert_eq!(bench.deadline(), "advert 253, add, announce");
}

/// Both Active, heartbeats arrive, advertisements do not.
fn two_active(bench: &mut Bench, peer: u8) -> Vec<String> {
    let mut done = Vec::new();
    for _ in 0..5 {
        done.push(bench.hear_peer(peer, Role::Active, Tier::Fit));
        bench.after(INTERVAL);
        while bench.router.next_deadline().is_some_and(|deadline| deadline <= bench.now) {
            bench.router.handle_deadline(bench.now, ZERO);
            bench.actions();
        }
    }
    done
}

#[test]
fn of_two_active_nodes_that_hear_only_heartbeats_the_lower_one_yields() {
    let mut lower = Bench::active();
    assert!(two_active(&mut lower, 0).contains(&"remove".to_owned()));
    assert_eq!(lower.reasons, [Reason::OutrankedByHeartbeat(0)]);
    assert!(lower.alarms.contains(&Alarm::TwoActive(0)));

    let mut higher = Bench::active();
    assert!(!two_active(&mut higher, 2).contains(&"remove".to_owned()));
    assert_eq!((higher.role(), higher.alarms.as_slice()), (Role::Active, &[Alarm::TwoActive(2)][..]));
}

#[test]
fn a_peer_that_stops_holding_the_address_makes_the_owner_announce_it() {
    let mut bench = Bench::active();
    bench.hear_peer(0, Role::Active, Tier::Fit);
    bench.after(millis(60)).hear_peer(0, Role::Backup, Tier::Fit);
    assert_eq!(bench.router.next_deadline(), Some(bench.now));
    assert!(bench.deadline().contains("announce"));
}
