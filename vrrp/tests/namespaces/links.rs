//! Links that go and come.

use std::time::Duration;

use fmc_vrrp::router::role::Role;

use crate::keeper::{Running, elected, settings};
use crate::lab::{API, always, eventually, pair};

/// The kernel tells of a lost carrier at most once a second, over all interfaces (net/core/link_watch.c).
const CARRIER_TOLD: Duration = Duration::from_millis(1500);

/// Proves V-79.
/// Shows B-10, B-27.
#[test]
fn a_link_that_goes_down_takes_the_address_away_and_one_that_comes_back_elects_anew() {
    let [one, two] = pair();
    let running = Running::fit(&one, settings(0));
    eventually("it owns the address", Duration::from_secs(3), || one.holds(API));
    two.ip("link set eth0 down");
    eventually("the address leaves", CARRIER_TOLD, || !one.holds(API));
    assert_eq!(running.roles(), [Role::Initialize; 2]);
    assert!(!running.snapshot().interfaces[0].up);
    two.ip("link set eth0 up");
    eventually("it owns the address again", Duration::from_secs(3), || one.holds(API));
    assert_eq!(running.roles(), [Role::Active; 2]);
}

#[test]
fn an_interface_that_is_made_anew_is_taken_up_again() {
    let [one, two] = pair();
    let running = Running::fit(&one, settings(0));
    eventually("it owns the address", Duration::from_secs(3), || one.holds(API));
    one.ip("link del eth0");
    eventually("it takes no part", Duration::from_secs(1), || running.roles() == [Role::Initialize; 2]);
    one.ip(&format!("link add eth0 type veth peer name eth0 netns {}", two.name()));
    one.ip("addr add 192.168.0.30/24 dev eth0");
    two.ip("link set eth0 up");
    one.ip("link set eth0 up");
    eventually("it owns the address again", Duration::from_secs(3), || one.holds(API));
}

#[test]
fn a_node_whose_adverts_are_filtered_gives_its_addresses_away_and_does_not_contest_them() {
    let [one, two] = pair();
    let (first, second) = elected(&one, &two);
    one.nft("add table ip fmc-test");
    one.nft("add chain ip fmc-test output { type filter hook output priority 0 ; }");
    one.nft("add rule ip fmc-test output ip protocol 112 drop");
    eventually("the second owns it", Duration::from_secs(2), || !one.holds(API) && two.holds(API));
    let is_told = |line: &String| line.starts_with("api: adverts do not leave: Operation not permitted");
    assert!(first.lines().iter().any(is_told), "{:?}", first.lines());
    assert!(first.snapshot().sends_failed >= 3);
    one.nft("delete table ip fmc-test");
    always("it stays with the second", Duration::from_secs(6), || !one.holds(API) && two.holds(API));
    assert_eq!((first.roles(), second.roles()), ([Role::Backup; 2], [Role::Active; 2]));
}
