//! What one source may have, and how fast all together may come.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use fmc_config::model::frontend::PerSource;
use fmc_lb::EndedBy;

use crate::harness::{Setup, eventually, greeter};

fn per_source(max_connections: u32, max_per_second: u32) -> PerSource {
    let (max_connections, max_per_second) = (NonZeroU32::new(max_connections), NonZeroU32::new(max_per_second));
    PerSource { max_connections, max_per_second, exempt: Vec::new() }
}

#[test]
fn a_source_with_as_many_as_it_may_is_reset_until_one_of_them_has_ended() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.frontend.per_source = Some(per_source(2, 0));
    let running = setup.start();
    let mut clients: Vec<_> = (0..2).map(|_| running.greeted().unwrap()).collect();
    assert!(running.greeted().is_err());
    running.await_end(EndedBy::RefusedBySourceLimit);
    clients.remove(0);
    eventually("one has left", || running.in_flight() == [1]);
    eventually("and made room", || running.greeted().is_ok());
}

#[test]
fn a_source_that_comes_too_fast_is_reset_and_may_come_again() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.frontend.per_source = Some(per_source(0, 5));
    let running = setup.start();
    let served = (0..30).filter(|_| running.greeted().is_ok()).count();
    assert!((5..30).contains(&served), "{served} of 30 at once, 5 in a second");
    std::thread::sleep(Duration::from_millis(1100));
    assert!(running.greeted().is_ok());
}

#[test]
fn whoever_is_exempt_has_no_bound_of_its_own() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.frontend.per_source = Some(PerSource { exempt: vec!["127.0.0.0/8".parse().unwrap()], ..per_source(1, 1) });
    let running = setup.start();
    let clients: Vec<_> = (0..20).map(|_| running.greeted().unwrap()).collect();
    assert_eq!((clients.len(), running.ended(EndedBy::RefusedBySourceLimit)), (20, 0));
}

#[test]
fn more_than_may_come_in_a_second_wait_their_turn_and_nobody_is_refused() {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.frontend.max_per_second = NonZeroU32::new(20);
    let running = setup.start();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..15).for_each(|_| assert!(running.greeted().is_ok(), "somebody was refused")));
        }
    });
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1900), "60 in {took:?}: 20 at once, then 20 in a second");
    assert!(running.handle.frontends()[0].traffic().waits_at_limit() > 0);
}
