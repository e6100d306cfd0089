//! What a client sees of servers that refuse or are silent.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use fmc_config::model::backend::{Balance, ProxyProtocol};
use fmc_config::model::frontend::WhenNoServer;
use fmc_lb::{EndedBy, Failure, Health};

use crate::harness::{Setup, end_of, greeter, manual_server, refusing, silent};

#[test]
fn a_refusing_server_costs_no_client_a_failure_and_next_to_no_time() {
    let running = Setup::with(&[refusing(), greeter(2), refusing()]).start();
    let started = Instant::now();
    assert!((0..200).all(|_| running.greeted().unwrap().0 == 2));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?} for 200 connections", started.elapsed());
    assert!(running.failed.count(Failure::Refused) >= 2, "the daemon hears of it, to check at once");
    assert_eq!(running.ended(EndedBy::NoServerAccepts), 0);
}

#[test]
fn a_silent_server_costs_the_first_clients_one_timeout_and_later_ones_nothing() {
    let silent = silent();
    let mut setup = Setup::with(&[silent.address, greeter(2)]);
    setup.backend.connect_timeout = Duration::from_millis(400);
    let running = setup.start();
    let (slow, quick): (Vec<_>, Vec<_>) = (0..20)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(running.greeted().unwrap().0, 2);
            started.elapsed()
        })
        .partition(|took| *took >= Duration::from_millis(350));
    assert_eq!(slow.len(), 1, "slow {slow:?}, quick {quick:?}");
    assert!(slow[0] < Duration::from_millis(1000), "{slow:?}");
    assert_eq!(running.failed.count(Failure::TimedOut), 1);
}

#[test]
fn clients_that_come_together_each_wait_for_a_silent_server_once_and_none_fails() {
    let silent = silent();
    let mut setup = Setup::with(&[silent.address, greeter(2)]);
    setup.backend.connect_timeout = Duration::from_millis(400);
    let running = setup.start();
    let greeted = thread::scope(|threads| {
        let clients: Vec<_> = (0..20).map(|_| threads.spawn(|| running.greeted().map(|(name, _)| name))).collect();
        clients.into_iter().filter_map(|client| client.join().unwrap().ok()).collect::<Vec<_>>()
    });
    assert_eq!(greeted, [2; 20]);
    let started = Instant::now();
    assert!((0..20).all(|_| running.greeted().is_ok()));
    assert!(
        started.elapsed() < Duration::from_millis(400),
        "those who come later wait for nothing: {:?}",
        started.elapsed()
    );
}

#[test]
fn a_second_server_is_dialled_beside_one_that_is_silent() {
    let silent = silent();
    let mut setup = Setup::with(&[silent.address, greeter(2), greeter(3)]);
    setup.backend.connect_timeout = Duration::from_secs(10);
    setup.backend.hedge_after = Some(Duration::from_millis(50));
    let running = setup.start();
    let started = Instant::now();
    let greeted: Vec<u8> = (0..20).map(|_| running.greeted().unwrap().0).collect();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?} of a timeout of 10 s", started.elapsed());
    assert!(greeted.iter().all(|name| [2, 3].contains(name)), "{greeted:?}");
    assert_eq!(running.failed.count(Failure::Overtaken), 1, "it is named once, and later clients wait for nothing");
    assert_eq!(running.failed.count(Failure::TimedOut), 0);
}

#[test]
fn the_only_attempt_that_may_be_has_nobody_beside_it() {
    let silent = silent();
    let mut setup = Setup::with(&[silent.address, greeter(2)]);
    setup.backend.connect_timeout = Duration::from_millis(300);
    setup.backend.hedge_after = Some(Duration::from_millis(20));
    setup.backend.attempts = 1;
    let running = setup.start();
    assert!(running.greeted().is_err());
    assert_eq!((running.failed.count(Failure::TimedOut), running.failed.count(Failure::Overtaken)), (1, 0));
}

#[test]
fn a_server_that_fails_its_check_is_not_dialled_beside_one_that_is_late() {
    let silent = silent();
    let mut setup = Setup::with(&[silent.address, greeter(2)]);
    setup.backend.connect_timeout = Duration::from_millis(600);
    setup.backend.hedge_after = Some(Duration::from_millis(20));
    let running = setup.start();
    let pool = running.handle.pool("masters").unwrap();
    pool.set_health("s2", Health::Unhealthy);
    assert_eq!(running.greeted().unwrap().0, 2, "it is asked last, and better than nobody");
    assert_eq!((running.failed.count(Failure::TimedOut), running.failed.count(Failure::Overtaken)), (1, 0));
}

#[test]
fn clients_are_reset_at_once_when_no_server_accepts() {
    let running = Setup::with(&[refusing(), refusing(), refusing()]).start();
    let started = Instant::now();
    assert_eq!(running.greeted().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(started.elapsed() < Duration::from_secs(1));
    running.await_end(EndedBy::NoServerAccepts);
    assert_eq!(running.failed.count(Failure::Refused), 3, "each server was tried once");
}

/// A name that the DNS does not know yet is no server.
#[test]
fn clients_are_reset_at_once_where_no_server_is_known_and_served_once_one_is() {
    for balance in
        [Balance::LeastConnections, Balance::RoundRobin, Balance::PowerOfTwo, Balance::SourceHash, Balance::First]
    {
        let mut setup = Setup::with(&[]);
        setup.backend.balance = balance;
        let mut backend = setup.backend.clone();
        let running = setup.start();
        assert_eq!(running.greeted().unwrap_err().kind(), ErrorKind::ConnectionReset, "{balance:?}");
        running.await_end(EndedBy::NoServerAccepts);
        backend.servers = Setup::with(&[greeter(3)]).backend.servers;
        running.handle.change_servers(&[backend.clone()], |_, _| ());
        assert_eq!(running.greeted().unwrap().0, 3, "{balance:?}");
        let (_, mut open) = running.greeted().unwrap();
        backend.servers.clear();
        running.handle.change_servers(&[backend], |_, _| ());
        assert!(running.greeted().is_err(), "{balance:?}");
        open.write_all(b"x").unwrap();
        open.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn a_frontend_may_close_instead_of_reset_when_no_server_accepts() {
    let mut setup = Setup::with(&[refusing()]);
    setup.frontend.when_no_server = WhenNoServer::Close;
    let running = setup.start();
    assert_eq!(end_of(&mut running.connect()), Ok(Vec::new()));
}

#[test]
fn a_server_that_comes_back_is_used_again() {
    let running = Setup::with(&[refusing()]).start();
    assert!(running.greeted().is_err());
    let pool = running.handle.pool("masters").unwrap();
    let returned = greeter(7);
    let mut setup = Setup::with(&[returned]);
    setup.backend.attempts = 1;
    pool.reconfigure(&setup.backend, |_| ());
    assert_eq!(running.greeted().unwrap().0, 7);
}

#[test]
fn the_proxy_header_reaches_the_server_before_the_clients_bytes() {
    let (address, accepted) = manual_server();
    let mut setup = Setup::with(&[address]);
    setup.backend.proxy_protocol = Some(ProxyProtocol::V2);
    let running = setup.start();
    let mut client = running.connect();
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.1").unwrap();
    let mut bytes = [0; 28 + 14];
    accepted.recv().unwrap().read_exact(&mut bytes).unwrap();
    let (header, length) = proxy_header::ProxyHeader::parse(&bytes, Default::default()).unwrap();
    let addresses = header.proxied_address().unwrap();
    assert_eq!((length, &bytes[28..]), (28, &b"GET / HTTP/1.1"[..]));
    assert_eq!(addresses.source, client.local_addr().unwrap());
    assert_eq!(addresses.destination, running.vip);
}
