//! Which server a connection gets.

use fmc_config::model::backend::{Balance, Weight};
use fmc_lb::{Administrative, Health};

use crate::harness::{Setup, greeter};

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
