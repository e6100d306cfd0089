//! Which server a connection gets.

use std::num::NonZeroU32;

use fmc_config::model::backend::{Balance, Weight};
use fmc_lb::{Administrative, EndedBy, Health};

use crate::harness::{Setup, eventually, greeter};

#[test]
fn connections_that_stay_are_spread_evenly() {
    let running = Setup::with(&[greeter(1), greeter(2), greeter(3)]).start();
    let clients: Vec<_> = (0..30).map(|_| running.greeted().unwrap()).collect();
    assert_eq!(running.in_flight(), [10, 10, 10]);
    for name in 1..=3 {
        assert_eq!(clients.iter().filter(|(greeted, _)| *greeted == name).count(), 10);
    }
}

#[test]
fn weights_are_kept_exactly() {
    let mut setup = Setup::with(&[greeter(1), greeter(2)]);
    setup.backend.balance = Balance::RoundRobin;
    setup.backend.servers[0].weight = Weight::new(3).unwrap();
    let running = setup.start();
    let first = (0..40).filter(|_| running.greeted().unwrap().0 == 1).count();
    assert_eq!(first, 30);
}

#[test]
fn a_healthy_server_gets_all_before_unknown_and_failing_ones() {
    let running = Setup::with(&[greeter(1), greeter(2), greeter(3)]).start();
    let pool = running.handle.pool("masters").unwrap();
    pool.set_health("s1", Health::Unhealthy);
    pool.set_health("s3", Health::Healthy);
    assert!((0..10).all(|_| running.greeted().unwrap().0 == 3));
}

#[test]
fn servers_that_fail_their_check_but_accept_still_serve() {
    let running = Setup::with(&[greeter(1), greeter(2)]).start();
    let pool = running.handle.pool("masters").unwrap();
    pool.set_health("s1", Health::Unhealthy);
    pool.set_health("s2", Health::Unhealthy);
    assert!((0..10).all(|_| running.greeted().is_ok()));
}

#[test]
fn a_drained_server_keeps_what_it_has_and_gets_no_more() {
    let running = Setup::with(&[greeter(1), greeter(2)]).start();
    let before: Vec<_> = (0..2).map(|_| running.greeted().unwrap()).collect();
    running.handle.pool("masters").unwrap().set_administrative("s1", Administrative::Drain);
    let after: Vec<_> = (0..6).map(|_| running.greeted().unwrap().0).collect();
    assert_eq!(after, [2; 6]);
    assert_eq!(running.in_flight()[0], 1, "the relay to the drained server lives");
    drop(before);
}

#[test]
fn source_hash_sends_one_client_to_one_server_and_a_dead_ones_clients_elsewhere() {
    let mut setup = Setup::with(&[greeter(1), greeter(2), greeter(3)]);
    setup.backend.balance = Balance::SourceHash;
    let running = setup.start();
    let mine = running.greeted().unwrap().0;
    assert!((0..20).all(|_| running.greeted().unwrap().0 == mine));
    let pool = running.handle.pool("masters").unwrap();
    pool.set_health(&format!("s{mine}"), Health::Unhealthy);
    let other = running.greeted().unwrap().0;
    assert_ne!(other, mine);
    assert!((0..20).all(|_| running.greeted().unwrap().0 == other));
    for server in ["s1", "s2", "s3"] {
        pool.set_health(server, Health::Healthy);
    }
    assert_eq!(running.greeted().unwrap().0, mine);
}

#[test]
fn a_full_server_is_passed_over_and_without_a_queue_a_client_that_finds_all_full_is_refused_until_one_leaves() {
    let mut setup = Setup::with(&[greeter(1), greeter(2)]);
    setup.backend.balance = Balance::First;
    setup.backend.servers.iter_mut().for_each(|server| server.max_connections = NonZeroU32::new(2));
    let running = setup.start();
    let mut clients: Vec<_> = (0..4).map(|_| running.greeted().unwrap()).collect();
    assert_eq!(clients.iter().map(|(name, _)| *name).collect::<Vec<_>>(), [1, 1, 2, 2]);
    assert!(running.greeted().is_err());
    running.await_end(EndedBy::ServersFull);
    clients.remove(0);
    eventually("one has left", || running.in_flight() == [1, 2]);
    assert_eq!(running.greeted().unwrap().0, 1);
}

#[test]
fn a_backup_serves_while_every_other_fails_its_check_and_no_longer() {
    let mut setup = Setup::with(&[greeter(1), greeter(2)]);
    setup.backend.servers[1].backup = true;
    let running = setup.start();
    let pool = running.handle.pool("masters").unwrap();
    for (health, server) in [(Health::Healthy, 1), (Health::Unhealthy, 2), (Health::Healthy, 1)] {
        pool.set_health("s1", health);
        assert!((0..6).all(|_| running.greeted().unwrap().0 == server), "{health:?}");
    }
}

#[test]
fn power_of_two_keeps_lasting_connections_within_a_few_of_even() {
    let mut setup = Setup::with(&[greeter(1), greeter(2), greeter(3)]);
    setup.backend.balance = Balance::PowerOfTwo;
    let running = setup.start();
    let _clients: Vec<_> = (0..90).map(|_| running.greeted().unwrap()).collect();
    assert!(running.in_flight().iter().all(|open| open.abs_diff(30) <= 5), "{:?}", running.in_flight());
}
