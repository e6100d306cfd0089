//! Clients that wait for a server with room.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use fmc_config::model::backend::Queue;
use fmc_lb::{EndedBy, Health};

use crate::harness::{Running, Setup, eventually, greeter};

/// One server with room for one, and a queue.
fn setup(length: u32, timeout: Duration) -> Setup {
    let mut setup = Setup::with(&[greeter(1)]);
    setup.backend.servers[0].max_connections = NonZeroU32::new(1);
    setup.backend.queue = Queue { length, timeout };
    setup
}

fn waiting(running: &Running) -> u32 {
    running.handle.pool("masters").expect("the pool").status(running.handle.pulse().now()).waiting
}

fn greeting(client: &mut TcpStream) -> std::io::Result<u8> {
    let mut name = [0];
    client.read_exact(&mut name).map(|()| name[0])
}

#[test]
fn clients_wait_for_room_and_get_it_in_the_order_in_which_they_came() {
    let running = setup(10, Duration::from_secs(20)).start();
    let (_, first) = running.greeted().unwrap();
    let mut line: Vec<TcpStream> = Vec::new();
    for number in 1..=3 {
        line.push(running.connect());
        eventually("one more waits", || waiting(&running) == number);
    }
    drop(first);
    for left in (0..3).rev() {
        let mut next = line.remove(0);
        assert_eq!(greeting(&mut next).unwrap(), 1);
        assert_eq!(waiting(&running), left, "and nobody else got in");
    }
    eventually("all have left", || running.in_flight() == [0]);
    assert!(running.greeted().is_ok(), "the queue leaves nothing behind");
}

#[test]
fn whoever_finds_the_queue_full_or_waits_too_long_is_reset() {
    let running = setup(1, Duration::from_millis(300)).start();
    let (_, _first) = running.greeted().unwrap();
    let mut patient = running.connect();
    eventually("one waits", || waiting(&running) == 1);
    let asked = Instant::now();
    assert!(running.greeted().is_err(), "the queue is full");
    assert!(asked.elapsed() < Duration::from_millis(250), "and that is said at once");
    assert!(greeting(&mut patient).is_err(), "it has waited long enough");
    eventually("both are counted", || running.ended(EndedBy::ServersFull) == 2);
}

#[test]
fn a_client_that_goes_leaves_the_queue_and_one_that_has_asked_and_closed_its_half_stays() {
    let running = setup(10, Duration::from_secs(20)).start();
    let (_, first) = running.greeted().unwrap();
    let gone = running.connect();
    eventually("one waits", || waiting(&running) == 1);
    drop(gone);
    eventually("it has left", || waiting(&running) == 0);
    let mut asked = running.connect();
    asked.write_all(b"a request").unwrap();
    asked.shutdown(Shutdown::Write).unwrap();
    eventually("one waits", || waiting(&running) == 1);
    std::thread::sleep(Duration::from_millis(300));
    drop(first);
    assert_eq!(greeting(&mut asked).unwrap(), 1);
}

#[test]
fn nobody_waits_for_servers_that_are_out_and_those_who_do_are_told_when_they_go() {
    let running = setup(10, Duration::from_secs(20)).start();
    let pool = running.handle.pool("masters").unwrap();
    let (_, _first) = running.greeted().unwrap();
    let mut waits = running.connect();
    eventually("one waits", || waiting(&running) == 1);
    pool.set_health("s1", Health::Unhealthy);
    assert!(greeting(&mut waits).is_err(), "the full server fails its check: nobody is left to wait for");
    assert!(running.greeted().is_err());
    pool.update(|snapshot| {
        let member = snapshot.member_mut("s1").unwrap();
        (member.health, member.max_connections) = (Health::Healthy, NonZeroU32::new(2));
    });
    assert!(running.greeted().is_ok(), "there is room for two now");
}

#[test]
fn a_limit_that_is_raised_lets_those_in_who_wait() {
    let running = setup(10, Duration::from_secs(20)).start();
    let (_, _first) = running.greeted().unwrap();
    let mut waits: Vec<_> = (0..3).map(|_| running.connect()).collect();
    eventually("three wait", || waiting(&running) == 3);
    let pool = running.handle.pool("masters").unwrap();
    pool.update(|snapshot| snapshot.member_mut("s1").unwrap().max_connections = NonZeroU32::new(9));
    assert!(waits.iter_mut().all(|client| greeting(client).is_ok()));
}

#[test]
fn many_clients_through_a_narrow_door_are_all_served() {
    let mut narrow = setup(500, Duration::from_secs(30));
    narrow.backend.servers[0].max_connections = NonZeroU32::new(3);
    let running = narrow.start();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert!(running.greeted().is_ok(), "a client was forgotten");
                }
            });
        }
    });
    assert_eq!((waiting(&running), running.ended(EndedBy::ServersFull)), (0, 0));
}
