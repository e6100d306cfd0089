//! Who ends a connection, and what the other side sees of it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use fmc_lb::drain::{self, Drained};
use fmc_lb::{EndedBy, ListenerState, PULSE_INTERVAL, Phase};

use crate::harness::{PATIENCE, Setup, echo, end_of, eventually, greeter, manual_server, reset, server};

#[test]
fn a_reset_of_the_client_resets_the_server() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let client = running.connect();
    let mut server = accepted.recv().unwrap();
    reset(client);
    assert_eq!(end_of(&mut server), Err(ErrorKind::ConnectionReset));
    running.await_end(EndedBy::ClientReset);
}

#[test]
fn a_reset_of_the_server_resets_the_client() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    let server = accepted.recv().unwrap();
    let sessions = running.handle.sessions();
    eventually("the relay is open", || sessions.list(|s| s.phase() == Phase::Open).len() == 1);
    reset(server);
    assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
    running.await_end(EndedBy::ServerReset);
}

#[test]
fn a_server_that_is_gone_ends_quiet_relays_and_no_other() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let (mut quiet, mut busy) = (running.connect(), running.connect());
    let mut servers = [accepted.recv().unwrap(), accepted.recv().unwrap()];
    let sessions = running.handle.sessions();
    eventually("both relays are open", || sessions.list(|s| s.phase() == Phase::Open).len() == 2);
    let gone_since = Instant::now();
    assert_eq!(sessions.end_gone("masters", "s1", gone_since.elapsed()), 0, "both have just been opened");
    thread::sleep(PULSE_INTERVAL * 3);
    busy.write_all(b"x").unwrap();
    eventually("the byte has moved", || sessions.list(|s| s.to_server() == 1).len() == 1);
    assert_eq!(sessions.end_gone("masters", "s2", Duration::ZERO), 0, "another server");
    assert_eq!(sessions.end_gone("masters", "s1", gone_since.elapsed() - PULSE_INTERVAL * 2), 1);
    assert_eq!(end_of(&mut quiet), Err(ErrorKind::ConnectionReset));
    running.await_end(EndedBy::ServerGone);
    eventually("one relay goes on", || sessions.len() == 1);
    servers.iter_mut().for_each(|server| drop(server.write_all(b"y")));
    let mut answer = [0];
    busy.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"y");
}

#[test]
fn a_client_that_takes_nothing_is_shed_however_much_it_says_before_one_that_is_slow() {
    let running = Setup::with(&[server(flood)]).start();
    let (mut stuck, mut slow) = (running.connect(), running.connect());
    let sessions = running.handle.sessions();
    eventually("both relays are open", || sessions.len() == 2);
    let session_of = |client: &TcpStream| {
        let address = client.local_addr().unwrap();
        sessions.list(|session| session.client() == address).remove(0)
    };
    let (of_stuck, of_slow) = (session_of(&stuck), session_of(&slow));
    eventually("the buffers of both are full", || of_stuck.stuck_since().is_some() && of_slow.stuck_since().is_some());
    let (began, mut buffer) = (Instant::now(), vec![0; 1 << 20]);
    while of_slow.stuck_since() < of_stuck.stuck_since().map(|since| since.after(PULSE_INTERVAL * 20)) {
        assert!(began.elapsed() < PATIENCE, "what it says counts as if it had taken something");
        slow.read_exact(&mut buffer).unwrap();
        stuck.write_all(b"still here").unwrap();
        thread::sleep(PULSE_INTERVAL);
    }
    assert!(of_stuck.to_server() > 0, "it has been heard");
    assert_eq!(running.handle.shed(PULSE_INTERVAL * 10, 1), 1);
    running.await_end(EndedBy::MemoryShort);
    eventually("only the other goes on", || sessions.len() == 1);
    slow.read_exact(&mut buffer).unwrap();
}

/// Sends without an end, and takes what comes.
fn flood(stream: TcpStream) {
    let mut incoming = stream.try_clone().unwrap();
    thread::spawn(move || std::io::copy(&mut incoming, &mut std::io::sink()));
    let mut outgoing = stream;
    while outgoing.write_all(&[7; 65_536]).is_ok() {}
}

#[test]
fn a_killed_session_is_reset_on_both_sides() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    let mut server = accepted.recv().unwrap();
    let sessions = running.handle.sessions();
    eventually("the relay is open", || sessions.list(|s| s.phase() == Phase::Open).len() == 1);
    let session = sessions.list(|_| true).remove(0);
    assert!(session.goes_to("masters", "s1") && session.vip() == running.vip);
    assert!(sessions.end(session.id(), EndedBy::KilledByOperator));
    assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
    assert_eq!(end_of(&mut server), Err(ErrorKind::ConnectionReset));
    running.await_end(EndedBy::KilledByOperator);
    assert!(!sessions.end(session.id(), EndedBy::KilledByOperator), "it is gone");
}

#[test]
fn only_the_sessions_that_are_meant_are_ended() {
    let running = Setup::with(&[greeter(1), greeter(2)]).start();
    let mut clients: Vec<_> = (0..10).map(|_| running.greeted().unwrap()).collect();
    let ended = running.handle.sessions().end_all(|s| s.goes_to("masters", "s2"), EndedBy::ServerDrained);
    assert_eq!(ended, 5);
    eventually("five are left", || running.handle.sessions().len() == 5);
    for (name, client) in &mut clients {
        if *name == 2 {
            assert_eq!(end_of(client), Err(ErrorKind::ConnectionReset));
        } else {
            client.write_all(b"x").unwrap();
        }
    }
    assert_eq!(running.ended(EndedBy::ServerDrained), 5);
}

#[test]
fn a_rebalanced_session_is_closed_with_fin_on_both_sides_and_is_idle_no_more() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    let mut server = accepted.recv().unwrap();
    let (sessions, pulse) = (running.handle.sessions(), running.handle.pulse());
    let idle = || sessions.oldest(|s| s.is_idle(pulse.now(), Duration::from_millis(100)));
    eventually("the relay is idle", || idle().is_some());
    let session = idle().unwrap();
    assert!(session.end(EndedBy::Rebalanced) && idle().is_none());
    assert_eq!(end_of(&mut client), Ok(Vec::new()));
    assert_eq!(end_of(&mut server), Ok(Vec::new()));
    running.await_end(EndedBy::Rebalanced);
}

/// A client that reads no further looks as silent as an idle one, but its bytes are with us.
#[test]
fn a_relay_that_holds_bytes_is_not_idle_however_long_nothing_moves() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let _clients = [running.connect(), running.connect()];
    let (mut flooding, _silent) = (accepted.recv().unwrap(), accepted.recv().unwrap());
    // Until the sockets and the relay between are full: its client reads none of it.
    flooding.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    while flooding.write_all(&[7; 64 * 1024]).is_ok() {}
    thread::sleep(Duration::from_millis(300));
    let now = running.handle.pulse().now();
    let idle = running.handle.sessions().list(|s| s.is_idle(now, Duration::from_millis(200)));
    assert_eq!(idle.iter().map(|session| session.to_client()).collect::<Vec<_>>(), [0], "only the silent one");
}

#[test]
fn an_idle_relay_ends_after_its_timeout_and_a_busy_one_does_not() {
    let mut setup = Setup::with(&[server(echo)]);
    setup.frontend.idle_timeout = Some(Duration::from_millis(600));
    let running = setup.start();
    let (mut idle, mut busy) = (running.connect(), running.connect());
    let started = Instant::now();
    let talker = thread::spawn(move || {
        while started.elapsed() < Duration::from_millis(1500) {
            busy.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(100));
        }
        busy
    });
    assert_eq!(end_of(&mut idle), Ok(Vec::new()), "an idle close is FIN");
    assert!(started.elapsed() >= Duration::from_millis(550), "{:?}", started.elapsed());
    let _busy = talker.join().unwrap();
    assert_eq!(running.ended(EndedBy::IdleTimeout), 1);
    assert_eq!(running.handle.sessions().len(), 1);
}

/// The busy one goes on for as long as it never pauses; the quiet one comes back elsewhere.
#[test]
fn a_relay_that_is_older_than_it_may_be_ends_in_a_pause_and_not_before() {
    let mut setup = Setup::with(&[server(echo)]);
    setup.frontend.max_age = Some(Duration::from_secs(1));
    let running = setup.start();
    let (mut quiet, mut busy) = (running.connect(), running.connect());
    let started = Instant::now();
    let talker = thread::spawn(move || {
        while started.elapsed() < Duration::from_millis(2500) {
            busy.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(100));
        }
        busy
    });
    assert_eq!(end_of(&mut quiet), Ok(Vec::new()), "closed with FIN: nothing was under way");
    assert!(started.elapsed() >= Duration::from_millis(900), "{:?}", started.elapsed());
    let mut busy = talker.join().unwrap();
    assert_eq!((running.ended(EndedBy::MaxAge), running.handle.sessions().len()), (1, 1), "the busy one goes on");
    assert!(end_of(&mut busy).is_ok(), "until it pauses");
    running.await_end(EndedBy::MaxAge);
}

#[test]
fn a_relay_without_idle_timeout_outlives_silence() {
    let running = Setup::with(&[greeter(1)]).start();
    let (_, mut client) = running.greeted().unwrap();
    thread::sleep(Duration::from_millis(1500));
    client.write_all(b"still here").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(end_of(&mut client), Ok(b"still here".to_vec()));
}

#[test]
fn a_half_closed_relay_that_stands_still_is_reset_after_its_timeout() {
    let (address, accepted) = manual_server();
    let mut setup = Setup::with(&[address]);
    setup.frontend.half_close_timeout = Duration::from_millis(300);
    let running = setup.start();
    let mut client = running.connect();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut server = accepted.recv().unwrap();
    assert_eq!(end_of(&mut server), Ok(Vec::new()));
    assert_eq!(end_of(&mut client), Err(ErrorKind::ConnectionReset));
    running.await_end(EndedBy::HalfCloseTimeout);
}

#[test]
fn a_half_closed_relay_that_moves_is_not_cut() {
    let (address, accepted) = manual_server();
    let mut setup = Setup::with(&[address]);
    setup.frontend.half_close_timeout = Duration::from_millis(600);
    let running = setup.start();
    let mut client = running.connect();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut server = accepted.recv().unwrap();
    for _ in 0..15 {
        server.write_all(b"x").unwrap();
        thread::sleep(Duration::from_millis(100));
    }
    drop(server);
    assert_eq!(end_of(&mut client), Ok(vec![b'x'; 15]));
}

#[test]
fn a_drained_frontend_refuses_new_clients_and_waits_for_its_relays() {
    let running = Setup::with(&[greeter(1)]).start();
    let (_, client) = running.greeted().unwrap();
    let frontend = running.handle.frontend("k8s-api").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let soon = || Instant::now() + Duration::from_millis(200);
    assert_eq!(runtime.block_on(drain::frontend(&frontend, soon())), Drained::StillOpen(1));
    let refused = std::net::TcpStream::connect(running.vip).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(running.handle.listeners().iter().all(|l| !l.state.is_alive()));
    drop(client);
    assert_eq!(runtime.block_on(drain::frontend(&frontend, Instant::now() + Duration::from_secs(10))), Drained::Empty);
}

#[test]
fn shutdown_ends_every_relay_with_its_reason() {
    let running = Setup::with(&[greeter(1)]).start();
    let mut clients: Vec<_> = (0..5).map(|_| running.greeted().unwrap().1).collect();
    let handle = running.handle.clone();
    handle.shut_down(EndedBy::VipMoved);
    running.stop();
    assert!(clients.iter_mut().all(|client| end_of(client) == Err(ErrorKind::ConnectionReset)));
    assert_eq!(handle.frontends()[0].traffic().ended(EndedBy::VipMoved), 5);
    assert!(handle.sessions().is_empty());
    assert!(handle.listeners().iter().all(|l| l.state == ListenerState::Closed), "closed, not dead");
}

/// TCP_USER_TIMEOUT counts a closed window as silence even while its owner answers every probe (tcp(7)).
#[test]
fn a_client_that_stops_reading_is_lost_after_its_own_user_timeout() {
    let (address, accepted) = manual_server();
    let mut setup = Setup::with(&[address]);
    setup.frontend.client_user_timeout = Duration::from_secs(1);
    let running = setup.start();
    let _client = running.connect();
    let mut server = accepted.recv().unwrap();
    assert!(server.write_all(&vec![7; 64 * 1024 * 1024]).is_err(), "the server learns of it by RST");
    running.await_end(EndedBy::ClientLost);
}
