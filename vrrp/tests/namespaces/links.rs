//! Links that go and come.

use std::time::Duration;

use fmc_vrrp::router::role::Role;

use crate::keeper::{Running, settings};
use crate::lab::{API, eventually, pair};

/// The kernel tells of a lost carrier at most once a second, over all interfaces (net/core/link_watch.c).
const CARRIER_TOLD: Duration = Duration::from_millis(1500);

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
