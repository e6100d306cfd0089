//! Two nodes, one link: one owner, whatever happens to it.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use fmc_vrrp::driver::{Command, Report};
use fmc_vrrp::router::MoveRefused;
use fmc_vrrp::router::role::Role;
use fmc_vrrp::tier::{Cause, Fitness, Tier};
use nix::sys::signal::Signal;

use crate::child::Process;
use crate::keeper::{Running, elected, settings};
use crate::lab::{API, Namespace, WEB, always, eventually, pair};

/// Active_Down_Interval of the second node at 100 ms (301.2 ms), and what a busy machine takes to schedule and look.
const TAKEOVER: Duration = Duration::from_millis(301 + 250);

fn owners(pair: &[Namespace; 2], address: IpAddr) -> [bool; 2] {
    [pair[0].holds(address), pair[1].holds(address)]
}

#[test]
fn two_keepers_elect_the_first_and_the_second_stays_its_backup() {
    let pair = pair();
    let (first, second) = elected(&pair[0], &pair[1]);
    always("the second owns none", Duration::from_secs(1), || !pair[1].holds(API) && !pair[1].holds(WEB));
    assert_eq!((first.roles(), second.roles()), ([Role::Active; 2], [Role::Backup; 2]));
    let seen = second.snapshot();
    let rival = seen.vips[0].last_heard.unwrap().rival;
    assert_eq!((rival.source, rival.priority.get()), ([192, 168, 0, 30].into(), 254));
    assert!(seen.peers[0].heartbeat_age.unwrap() < Duration::from_millis(400));
    assert_eq!((seen.peers[0].config_hash, seen.peers[0].vips[0].role), (Some(7), Role::Active));
    assert_eq!((seen.peers[0].vips[0].tier, seen.peers[0].vips[0].serving), (Tier::Fit, true));
}

/// Proves V-44, V-100.
#[test]
fn a_killed_owner_is_replaced_within_active_down_and_its_address_leaves_by_itself() {
    let pair = pair();
    let first = Process::start(&pair[0], 0);
    eventually("the first owns it", Duration::from_secs(5), || pair[0].holds(API));
    let second = Running::fit(&pair[1], settings(1));
    eventually("the second is its backup", Duration::from_secs(5), || second.roles() == [Role::Backup; 2]);
    let killed = Instant::now();
    first.signal(Signal::SIGKILL);
    eventually("the second owns it", TAKEOVER, || pair[1].holds(API));
    eventually("the kernel removed it", Duration::from_millis(2200), || !pair[0].holds(API));
    assert!(killed.elapsed() < Duration::from_millis(2200), "{:?}", killed.elapsed());
}

#[test]
fn a_frozen_owner_is_replaced_and_does_not_take_the_address_back_when_it_thaws() {
    let pair = pair();
    let first = Process::start(&pair[0], 0);
    eventually("the first owns it", Duration::from_secs(5), || pair[0].holds(API));
    let second = Running::fit(&pair[1], settings(1));
    eventually("the second is its backup", Duration::from_secs(5), || second.roles() == [Role::Backup; 2]);
    first.signal(Signal::SIGSTOP);
    eventually("the second owns it", TAKEOVER, || pair[1].holds(API));
    eventually("the kernel removed it", Duration::from_millis(2200), || !pair[0].holds(API));
    first.signal(Signal::SIGCONT);
    always("it stays where it is", Duration::from_secs(2), || owners(&pair, API) == [false, true]);
}

/// Proves V-99.
#[test]
fn a_short_freeze_moves_nothing() {
    let pair = pair();
    let (first, second) = elected(&pair[0], &pair[1]);
    for milliseconds in [50, 100, 150] {
        first.freeze(Duration::from_millis(milliseconds));
        always("nothing moves", Duration::from_millis(600), || owners(&pair, API) == [true, false]);
    }
    assert_eq!(second.roles(), [Role::Backup; 2]);
}

#[test]
fn an_owner_whose_proxy_is_lost_gives_its_addresses_away_at_once() {
    let pair = pair();
    let (first, _second) = elected(&pair[0], &pair[1]);
    first.command(Command::ProxyLost);
    let taken = eventually("the second owns it", Duration::from_secs(1), || pair[1].holds(API));
    assert!(taken < Duration::from_millis(250), "{taken:?}");
    assert_eq!(owners(&pair, API), [false, true]);
    first.set_fitness(Fitness::FIT);
    always("nobody takes it back", Duration::from_secs(1), || owners(&pair, API) == [false, true]);
}

#[test]
fn a_planned_move_never_leaves_the_address_without_an_owner() {
    let pair = pair();
    let (first, second) = elected(&pair[0], &pair[1]);
    let to = Some("loadbalancer2".parse().unwrap());
    first.command(Command::Resign { vip: Some("api".parse().unwrap()), to });
    eventually("it has moved", Duration::from_secs(1), || {
        let owners = owners(&pair, API);
        assert_ne!(owners, [false, false]);
        owners == [false, true]
    });
    assert_eq!(second.roles(), [Role::Active, Role::Backup]);
    assert!(pair[0].holds(WEB), "only the named address moves");
}

#[test]
fn a_move_to_an_unknown_node_is_refused_in_words() {
    let pair = pair();
    let first = Running::fit(&pair[0], settings(0));
    eventually("the first owns it", Duration::from_secs(3), || pair[0].holds(API));
    let silent = Some("loadbalancer2".parse().unwrap());
    first.command(Command::Resign { vip: None, to: silent });
    first.command(Command::Resign { vip: None, to: Some("elsewhere".parse().unwrap()) });
    eventually("both refusals", Duration::from_secs(1), || {
        let reports = first.reports.lock().unwrap();
        let names_the_rank =
            |report: &&Report| matches!(report, Report::MoveRefused { why: MoveRefused::Silent(1), .. });
        reports.iter().filter(names_the_rank).count() == 2
    });
    eventually("a line", Duration::from_secs(1), || {
        first.lines().iter().any(|line| line == "elsewhere is not another node of [nodes]: nothing is moved")
    });
    assert!(pair[0].holds(API));
}

#[test]
fn a_better_tier_takes_over_and_an_equal_one_does_not() {
    let pair = pair();
    let (first, second) = elected(&pair[0], &pair[1]);
    first.set_fitness(Fitness::serving(Tier::Degraded, Cause::Local));
    eventually("the fit one owns it", Duration::from_secs(2), || owners(&pair, API) == [false, true]);
    first.set_fitness(Fitness::FIT);
    always("an equal does not take it back", Duration::from_secs(1), || owners(&pair, API) == [false, true]);
    assert_eq!(second.roles(), [Role::Active; 2]);
}

#[test]
fn an_observer_hears_and_does_nothing() {
    let pair = pair();
    let mut observing = settings(1);
    observing.observe = true;
    let (_first, observer) = (Running::fit(&pair[0], settings(0)), Running::fit(&pair[1], observing));
    eventually("the owner is heard", Duration::from_secs(3), || observer.snapshot().vips[0].last_heard.is_some());
    drop(_first);
    always("it never claims", Duration::from_secs(1), || !pair[1].holds(API));
    assert_eq!(observer.roles(), [Role::Initialize; 2]);
}

/// Packets to a neighbour whose hardware address is not known wait for it, and then leave all at once, old ones first: as when a node
/// comes back after a cut.
#[test]
fn heartbeats_that_were_held_up_and_arrive_at_once_move_nothing() {
    let pair = pair();
    let (first, second) = elected(&pair[0], &pair[1]);
    pair[0].nft("add table arp deaf");
    pair[0].nft("add chain arp deaf in { type filter hook input priority 0; arp operation request drop; }");
    pair[1].ip("neigh flush dev eth0");
    for resigning in [&first, &second, &first] {
        let moved_from = resigning.roles();
        resigning.command(Command::Resign { vip: None, to: None });
        eventually("it has moved", Duration::from_secs(1), || {
            resigning.roles() != moved_from && resigning.roles() == [Role::Backup; 2]
        });
    }
    assert_eq!(second.roles(), [Role::Active; 2]);
    let silent = || first.snapshot().peers[0].heartbeat_age.unwrap() > Duration::from_millis(200);
    eventually("its heartbeats are held up", Duration::from_secs(1), silent);
    pair[0].nft("delete table arp deaf");
    eventually("they arrive", Duration::from_secs(3), || !silent());
    always("nothing moves", Duration::from_millis(600), || owners(&pair, API) == [false, true]);
    assert_eq!(first.roles(), [Role::Backup; 2]);
}
