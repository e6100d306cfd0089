//! Who is let in, and how many.

use std::io::ErrorKind;
use std::time::Duration;

use fmc_lb::{DataPlane, EndedBy, ListenerState};

use crate::harness::{PATIENCE, Setup, eventually, greeter};

#[test]
fn a_client_outside_the_allow_list_is_reset_and_counted() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.frontend.allow = vec!["10.17.0.0/16".parse().unwrap()];
    let running = setup.start();
    assert_eq!(running.greeted().unwrap_err().kind(), ErrorKind::ConnectionReset);
    running.await_end(EndedBy::RefusedByAllowList);
    assert!(running.handle.sessions().is_empty());
    assert_eq!(running.handle.pool("masters").unwrap().snapshot().members[0].server.connections(), 0);
}

#[test]
fn a_client_inside_the_allow_list_is_served() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.frontend.allow = vec!["10.17.0.0/16".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
    assert_eq!(setup.start().greeted().unwrap().0, 1);
}

#[test]
fn clients_over_the_frontends_limit_wait_and_are_served_later() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.frontend.max_connections = 2;
    next_client_waits(setup);
}

#[test]
fn clients_over_the_process_limit_wait_and_are_served_later() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.limits.max_connections = 2;
    next_client_waits(setup);
}

fn next_client_waits(setup: Setup) {
    let running = setup.start();
    let mut served: Vec<_> = (0..2).map(|_| running.greeted().unwrap()).collect();
    let waiting = running.connect();
    eventually("the limit is seen", || running.handle.listeners()[0].state == ListenerState::AtLimit);
    waiting.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(waiting.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "it waits, and is not refused");
    served.pop();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(waiting.peek(&mut [0]).unwrap(), 1);
    assert_eq!(running.handle.frontends()[0].traffic().waits_at_limit(), 1);
}

#[test]
fn every_port_that_is_taken_is_told_in_one_go() {
    let (taken, other) = (Setup::with(&[greeter(1)]), Setup::with(&[greeter(2)]));
    let mut config = taken.config();
    let first = DataPlane::bind(&config, std::sync::Arc::new(|_| ())).unwrap();
    config.frontends.push(other.config().frontends.remove(0));
    config.frontends.push(config.frontends[0].clone());
    let errors = DataPlane::bind(&config, std::sync::Arc::new(|_| ())).err().unwrap();
    assert_eq!(errors.len(), 2, "both uses of the taken port, not the free one");
    assert!(errors.iter().all(|e| e.to_string().contains("the port is taken by")), "{errors:?}");
    drop(first);
    config.frontends.pop();
    assert!(DataPlane::bind(&config, std::sync::Arc::new(|_| ())).is_ok());
}

#[test]
fn the_loop_beats_while_it_runs_and_is_seen_to_stop() {
    let running = Setup::with(&[greeter(1)]).start();
    let handle = running.handle.clone();
    eventually("a beat", || handle.pulse().now().0 > 0);
    eventually("a fresh beat", || handle.pulse().age() < Duration::from_millis(100));
    running.stop();
    eventually("age after the end", || handle.pulse().age() > Duration::from_millis(150));
}
