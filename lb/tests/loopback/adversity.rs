//! Peers that behave badly, or in ways that few do: each relay keeps every byte or ends for a reason, and no other notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use fmc_config::model::backend::Balance;
use fmc_lb::{EndedBy, Failure};

use crate::harness::{
    PATIENCE, Running, Setup, connect, echo, end_of, eventually, greeter, manual_server, own_address, reset, server,
};

/// An exchange of a client that is not the trouble ends well within this on any machine.
const UNDISTURBED: Duration = Duration::from_secs(2);

/// As a client of an echo server beside the trouble.
fn assert_undisturbed(running: &Running) {
    let started = Instant::now();
    let mut client = running.connect();
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(end_of(&mut client), Ok(b"hello".to_vec()));
    assert!(started.elapsed() < UNDISTURBED, "{:?}", started.elapsed());
}

#[test]
fn clients_of_a_byte_at_a_time_lose_none_and_delay_nobody() {
    let running = Setup::with(&[server(echo)]).start();
    let slow: Vec<TcpStream> = (0..100).map(|_| running.connect()).collect();
    for round in 0..10_u8 {
        slow.iter().for_each(|mut client| client.write_all(&[round]).unwrap());
        assert_undisturbed(&running);
        thread::sleep(Duration::from_millis(50));
    }
    for mut client in slow {
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(end_of(&mut client), Ok((0..10).collect()));
    }
}

#[test]
fn a_reader_of_a_byte_at_a_time_gets_what_was_sent_and_holds_its_sender_back_alone() {
    let bytes: Vec<u8> = (0..600_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sent = bytes.clone();
    let running = Setup::with(&[server(move |mut stream| stream.write_all(&sent).unwrap())]).start();
    let mut client = narrow(running.vip);
    let mut received = Vec::new();
    for _ in 0..200 {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        received.push(byte[0]);
        thread::sleep(Duration::from_millis(1));
    }
    received.extend(end_of(&mut client).unwrap());
    assert!(received == bytes, "{} bytes of {}", received.len(), bytes.len());
}

/// The window is shut for longer than the first probes of it (RFC 9293 §3.8.6.1), in both directions at once.
#[test]
fn a_window_that_is_shut_and_opened_again_costs_no_byte() {
    const BYTES: usize = 64 * 1024 * 1024;
    let running = Setup::with(&[server(echo)]).start();
    let mut client = running.connect();
    let mut sender = client.try_clone().unwrap();
    let sending = thread::spawn(move || {
        sender.set_write_timeout(None).unwrap();
        sender.write_all(&vec![7; BYTES]).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    thread::sleep(Duration::from_millis(1200));
    assert!(!sending.is_finished(), "no window was shut");
    let came = end_of(&mut client).unwrap();
    sending.join().unwrap();
    assert!(came.len() == BYTES && came.iter().all(|&byte| byte == 7), "{} bytes of {BYTES}", came.len());
}

/// A client with as small a receive window as the kernel gives.
fn narrow(vip: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&vip.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn a_storm_of_resets_leaves_nothing_behind_and_nobody_notices() {
    const STORM: usize = 2000;
    let running = Setup::with(&[server(echo)]).start();
    let vip = running.vip;
    let storm: Vec<_> = (0..4)
        .map(|_| {
            thread::spawn(move || {
                for at in 0..STORM / 4 {
                    let mut client = connect(vip);
                    // Before it is accepted, while its server is dialled, and in the middle of its relay.
                    if at % 3 > 0 {
                        client.write_all(&vec![1; at % 3 * 20_000]).unwrap();
                    }
                    reset(client);
                }
            })
        })
        .collect();
    while storm.iter().any(|thread| !thread.is_finished()) {
        assert_undisturbed(&running);
    }
    storm.into_iter().for_each(|thread| thread.join().unwrap());
    eventually("every connection has ended", || running.handle.sessions().is_empty());
    assert_eq!(running.in_flight(), [0], "and none counts on its server any more");
    assert_eq!(running.ended(EndedBy::InternalError) + running.ended(EndedBy::NoServerAccepts), 0);
    assert_eq!(running.failed.count(Failure::Refused), 0, "a client that resets is no fault of the server");
    assert!(running.ended(EndedBy::ClientReset) > 0);
}

#[test]
fn both_sides_that_close_at_once_end_the_relay_once_and_in_order() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let together = Barrier::new(2);
    for _ in 0..100 {
        let (client, server) = (running.connect(), accepted.recv().unwrap());
        thread::scope(|threads| {
            let close = |mut stream: TcpStream, word: &'static [u8]| {
                let together = &together;
                threads.spawn(move || {
                    together.wait();
                    stream.write_all(word).unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                    end_of(&mut stream)
                })
            };
            let (client, server) = (close(client, b"good bye"), close(server, b"farewell"));
            assert_eq!(client.join().unwrap(), Ok(b"farewell".to_vec()));
            assert_eq!(server.join().unwrap(), Ok(b"good bye".to_vec()));
        });
    }
    eventually("each has ended, once", || {
        running.ended(EndedBy::ClientClosed) + running.ended(EndedBy::ServerClosed) == 100
    });
    assert!(running.handle.sessions().is_empty());
}

/// Its FIN says that the server sends nothing more; that it hears nothing more, only the RST on what comes afterwards says.
#[test]
fn what_is_said_to_a_server_that_has_closed_comes_back_as_a_reset() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    accepted.recv().unwrap().write_all(b"the last word").unwrap();
    let mut word = [0; 13];
    client.read_exact(&mut word).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the server has finished");
    let said = Instant::now();
    while said.elapsed() < PATIENCE {
        if let Err(error) = client.write_all(b"is anybody there?") {
            assert!(matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
            running.await_end(EndedBy::ServerReset);
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the client talks into the void");
}

/// RFC 6093 §6: the urgent mark means nothing that two implementations agree on, but the byte is a byte.
#[test]
fn an_urgent_byte_arrives_in_its_place_among_the_others_in_both_directions() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut ends = (running.connect(), accepted.recv().unwrap());
    for _ in 0..2 {
        let (from, to) = &mut ends;
        from.write_all(b"before ").unwrap();
        socket2::SockRef::from(&*from).send_out_of_band(b"!").unwrap();
        from.write_all(b" after").unwrap();
        let mut came = [0; 14];
        to.read_exact(&mut came).unwrap();
        assert_eq!(came.escape_ascii().to_string(), "before ! after");
        ends = (ends.1, ends.0);
    }
}

/// splice(2) stops before an urgent byte and calls it EAGAIN, which looks like a sender that pauses.
#[test]
fn an_urgent_byte_in_the_middle_of_bulk_holds_nothing_up() {
    const BULK: usize = 6_000_000;
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    let mut server = accepted.recv().unwrap();
    let sending = thread::spawn(move || {
        client.write_all(&vec![b'x'; BULK]).unwrap();
        while socket2::SockRef::from(&client).send_out_of_band(b"!").is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        client.write_all(b"and so on").unwrap();
        client
    });
    let mut came = vec![0; BULK + 10];
    server.read_exact(&mut came).unwrap();
    assert_eq!(came[BULK - 1..].escape_ascii().to_string(), "x!and so on");
    drop(sending.join().unwrap());
}

/// Ten times a second it listens, and ten times it does not.
#[test]
fn a_server_that_comes_and_goes_ten_times_a_second_costs_no_client_a_failure() {
    let flapping = own_address();
    let steady = greeter(2);
    let port = {
        let listener = TcpListener::bind((flapping, 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let mut setup = Setup::with(&[port, steady]);
    setup.backend.balance = Balance::RoundRobin;
    let running = setup.start();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let flaps = thread::spawn(move || {
        let mut flaps = 0;
        while stopped.try_recv().is_err() {
            flap(port);
            flaps += 1;
        }
        flaps
    });
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(2500) {
        let mut client = running.connect();
        let mut name = [0];
        // One whose server dies in the middle of its word is cut with it, in any balancer; nobody is without a server.
        let _ = client.read(&mut name);
    }
    stop.send(()).unwrap();
    let flaps = flaps.join().unwrap();
    assert!(flaps >= 10, "{flaps} in {:?}", began.elapsed());
    assert_eq!(running.ended(EndedBy::NoServerAccepts) + running.ended(EndedBy::LocalFault), 0);
    let failed = running.failed.count(Failure::Refused);
    assert!(failed < flaps * 2 + 2, "{failed} clients found it out in {flaps} flaps: the first of each shall be all");
}

/// Listens for 50 ms, greets who comes, and is gone for 50 ms.
fn flap(at: SocketAddr) {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.bind(&at.into()).unwrap();
    socket.listen(16).unwrap();
    let until = Instant::now() + Duration::from_millis(50);
    while Instant::now() < until {
        match socket.accept() {
            Ok((mut client, _)) => drop(client.write(&[1])),
            Err(_nobody) => thread::sleep(Duration::from_millis(1)),
        }
    }
    drop(socket);
    thread::sleep(Duration::from_millis(50));
}

/// The idea of HAProxy's reg-tests/connection/proxy_protocol_random_fail.vtc: what the header is read from never spoils what follows it.
#[test]
fn of_many_clients_behind_a_trusted_proxy_each_is_heard_to_the_last_byte() {
    let mut setup = Setup::with(&[server(echo)]);
    setup.frontend.accept_proxy = vec!["127.0.0.0/8".parse().unwrap()];
    let running = setup.start();
    thread::scope(|threads| {
        for client in 0..8_u8 {
            let running = &running;
            threads.spawn(move || {
                for round in 0..25_usize {
                    let said = vec![client; round * 997];
                    let mut stream = running.connect();
                    let header = format!("PROXY TCP4 203.0.113.{client} 198.51.100.1 {} 443\r\n", 5000 + round);
                    stream.write_all(&[header.as_bytes(), &said].concat()).unwrap();
                    stream.shutdown(Shutdown::Write).unwrap();
                    assert!(end_of(&mut stream).unwrap() == said, "client {client}, round {round}");
                }
            });
        }
    });
    assert_eq!(running.ended(EndedBy::BadProxyHeader), 0);
}

/// The idea of HAProxy's reg-tests/balance/balance-rr.vtc: in turn, from the first on, however many come.
#[test]
fn round_robin_begins_with_one_server_and_goes_round_all_of_them() {
    let mut setup = Setup::with(&[greeter(1), greeter(2), greeter(3), greeter(4)]);
    setup.backend.balance = Balance::RoundRobin;
    let running = setup.start();
    let turn: Vec<u8> = (0..4).map(|_| running.greeted().unwrap().0).collect();
    let mut sorted = turn.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [1, 2, 3, 4], "each once: {turn:?}");
    (0..5).for_each(|_| assert_eq!((0..4).map(|_| running.greeted().unwrap().0).collect::<Vec<_>>(), turn));
}

/// The idea of HAProxy's reg-tests/balance/balance-hash-maxconn.vtc: a hash that leads to a full server leads on to the next.
#[test]
fn a_client_whose_server_by_hash_is_full_gets_the_next_one_and_its_own_once_that_has_room() {
    let mut setup = Setup::with(&[greeter(1), greeter(2)]);
    setup.backend.balance = Balance::SourceHash;
    setup.backend.servers.iter_mut().for_each(|server| server.max_connections = std::num::NonZeroU32::new(1));
    let running = setup.start();
    let (own, first) = running.greeted().unwrap();
    let (other, second) = running.greeted().unwrap();
    assert_ne!(own, other);
    drop(first);
    eventually("its own has room again", || running.in_flight().contains(&0));
    assert_eq!(running.greeted().unwrap().0, own);
    drop(second);
}
