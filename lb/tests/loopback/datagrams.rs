//! Flows of UDP: where they go, how long they last, and what ends them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use fmc_config::model::backend::Observe;
use fmc_config::model::frontend::{PerSource, Protocol};
use fmc_lb::{Administrative, EndedBy, Failure, Health, Lost};

use crate::harness::{PATIENCE, Running, Setup, eventually, own_address};

/// Answers each datagram with its name and what came, until told to stop by an empty one.
fn server(name: u8) -> SocketAddr {
    server_on(UdpSocket::bind((own_address(), 0)).unwrap(), name)
}

fn server_on(socket: UdpSocket, name: u8) -> SocketAddr {
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok((count @ 1.., from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&[&[name], &buffer[..count]].concat(), from);
        }
    });
    address
}

fn stop(server: SocketAddr) {
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[], server).unwrap();
    eventually("the server's port is closed", || UdpSocket::bind(server).is_ok());
}

fn udp(servers: &[SocketAddr]) -> Setup {
    let mut setup = Setup::with(servers);
    setup.frontend.protocol = Protocol::Udp;
    setup.frontend.idle_timeout = Some(Duration::from_secs(60));
    setup
}

/// A client with a port of its own.
fn client(running: &Running) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    // Connected, so that an answer from any other address than the one asked is not heard.
    socket.connect(running.vip).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// Who answers, if the answer is what was asked.
fn asked(client: &UdpSocket, question: &[u8]) -> std::io::Result<u8> {
    client.send(question)?;
    let mut buffer = vec![0; 64 * 1024];
    let count = client.recv(&mut buffer)?;
    assert!(buffer[1..count] == *question, "{} bytes came back of {}", count - 1, question.len());
    Ok(buffer[0])
}

fn lost(running: &Running, lost: Lost) -> u64 {
    running.handle.frontends()[0].traffic().lost(lost)
}

#[test]
fn a_flow_stays_at_its_server_and_the_flows_of_one_address_spread() {
    let running = udp(&[server(1), server(2), server(3)]).start();
    let mut flows: BTreeMap<u8, usize> = BTreeMap::new();
    for _ in 0..60 {
        let client = client(&running);
        let first = asked(&client, b"who").unwrap();
        assert!((0..3).all(|_| asked(&client, b"and now").unwrap() == first));
        *flows.entry(first).or_default() += 1;
    }
    assert!(flows.len() == 3 && flows.values().all(|count| *count >= 5), "{flows:?}");
    assert_eq!(running.handle.sessions().len(), 60);
}

#[test]
fn two_nodes_choose_the_same_server_for_a_flow_without_a_word() {
    let servers = [server(1), server(2), server(3)];
    let (one, other) = (udp(&servers).start(), udp(&servers).start());
    for _ in 0..20 {
        let client = client(&one);
        let first = asked(&client, b"who").unwrap();
        client.connect(other.vip).unwrap();
        assert_eq!(asked(&client, b"who").unwrap(), first);
    }
}

#[test]
fn datagrams_of_every_size_come_back_whole_and_are_counted() {
    let running = udp(&[server(1)]).start();
    let client = client(&running);
    let sizes = [1, 100, 1_472, 9_000, 60_000];
    for size in sizes {
        assert_eq!(asked(&client, &vec![size as u8; size]).unwrap(), 1);
    }
    let (sent, session) = (sizes.iter().sum::<usize>() as u64, running.handle.sessions().list(|_| true).remove(0));
    eventually("all is counted", || session.to_client() == sent + sizes.len() as u64);
    assert_eq!(session.to_server(), sent);
    assert!(session.first_byte().is_some());
}

#[test]
fn a_flow_without_a_datagram_for_long_ends_and_the_next_one_begins_another() {
    let mut setup = udp(&[server(1)]);
    setup.frontend.idle_timeout = Some(Duration::from_millis(300));
    let running = setup.start();
    let client = client(&running);
    asked(&client, b"one").unwrap();
    running.await_end(EndedBy::IdleTimeout);
    eventually("nothing is left", || running.handle.sessions().is_empty() && running.in_flight() == [0]);
    asked(&client, b"two").unwrap();
    assert_eq!(running.handle.frontends()[0].traffic().accepted(), 2);
}

#[test]
fn a_server_that_refuses_is_told_of_and_its_flows_go_elsewhere() {
    let (one, two) = (server(1), server(2));
    let mut setup = udp(&[one, two]);
    setup.backend.observe =
        Some(Observe { failures: NonZeroU32::MIN, within: Duration::from_secs(10), out_for: Duration::from_secs(30) });
    let running = setup.start();
    let mut flows = std::iter::repeat_with(|| client(&running)).take(100);
    let moved = flows.find(|client| asked(client, b"who").unwrap() == 1).expect("a flow to the first server");
    stop(one);
    moved.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let answer = (0..10).find_map(|_| asked(&moved, b"who now").ok());
    assert_eq!(answer, Some(2), "one datagram is lost to find it out");
    assert!(running.failed.count(Failure::Refused) > 0);
    running.await_end(EndedBy::ServerGone);
}

#[test]
fn flows_leave_a_server_that_fails_its_check_and_stay_at_one_that_is_drained() {
    let running = udp(&[server(1), server(2)]).start();
    let pool = running.handle.pool("masters").unwrap();
    ["s1", "s2"].iter().for_each(|server| _ = pool.set_health(server, Health::Healthy));
    let mut flows = std::iter::repeat_with(|| client(&running)).take(100);
    let of_first = flows.find(|client| asked(client, b"who").unwrap() == 1).unwrap();

    pool.set_administrative("s1", Administrative::Drain);
    thread::sleep(Duration::from_millis(400));
    assert_eq!(asked(&of_first, b"who").unwrap(), 1, "it keeps those it has");
    assert!((0..20).all(|_| asked(&client(&running), b"who").unwrap() == 2), "and takes no new one");

    pool.set_administrative("s1", Administrative::Ready);
    pool.set_health("s1", Health::Unhealthy);
    eventually("it has moved", || asked(&of_first, b"who").unwrap() == 2);
    pool.set_health("s2", Health::Unhealthy);
    thread::sleep(Duration::from_millis(400));
    assert_eq!(asked(&of_first, b"who").unwrap(), 2, "nobody is better off anywhere");
}

#[test]
fn a_kill_ends_a_flow() {
    let running = udp(&[server(1)]).start();
    let client = client(&running);
    asked(&client, b"who").unwrap();
    let id = running.handle.sessions().list(|_| true)[0].id();
    assert!(running.handle.sessions().end(id, EndedBy::KilledByOperator));
    running.await_end(EndedBy::KilledByOperator);
    assert_eq!(asked(&client, b"again").unwrap(), 1);
}

#[test]
fn limits_drop_what_is_too_much_and_count_it() {
    let mut setup = udp(&[server(1)]);
    setup.frontend.max_connections = 2;
    let running = setup.start();
    let (first, second, third) = (client(&running), client(&running), client(&running));
    assert!(asked(&first, b"a").is_ok() && asked(&second, b"b").is_ok());
    third.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert_eq!(asked(&third, b"c").unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(lost(&running, Lost::AtLimit), 1);
    assert!(asked(&first, b"d").is_ok(), "those who are here go on");

    let mut setup = udp(&[server(1)]);
    setup.frontend.per_source =
        Some(PerSource { max_connections: NonZeroU32::new(1), max_per_second: None, exempt: Vec::new() });
    let running = setup.start();
    let (first, second) = (client(&running), client(&running));
    asked(&first, b"a").unwrap();
    second.send(b"b").unwrap();
    eventually("it is refused", || lost(&running, Lost::Refused) == 1);
    running.await_end(EndedBy::RefusedBySourceLimit);

    let mut setup = udp(&[server(1)]);
    setup.frontend.allow = vec!["10.0.0.0/8".parse().unwrap()];
    let running = setup.start();
    client(&running).send(b"a").unwrap();
    running.await_end(EndedBy::RefusedByAllowList);
    assert!(running.handle.sessions().is_empty());
}

#[test]
fn ports_come_and_go_by_a_reload_beside_the_same_port_of_tcp() {
    let setup = udp(&[server(1)]);
    let mut config = setup.clone().config();
    let running = setup.start();
    let reload =
        |config: &fmc_config::model::Config| running.handle.commit(running.handle.prepare(config).unwrap(), |_, _| ());
    let client = client(&running);
    asked(&client, b"who").unwrap();

    let udp = config.frontends[0].clone();
    let mut tcp = udp.clone();
    (tcp.name, tcp.protocol) = ("tcp".parse().unwrap(), Protocol::Tcp);
    config.frontends.push(tcp);
    reload(&config);
    assert_eq!(running.handle.listeners().len(), 2);
    assert!(std::net::TcpStream::connect(running.vip).is_ok());
    assert!(asked(&client, b"still").is_ok());
    assert_eq!(running.handle.frontends()[0].traffic().accepted(), 1, "it is the same flow");

    config.frontends.remove(0);
    reload(&config);
    eventually("the flow has ended and the port is free", || UdpSocket::bind(running.vip).is_ok());
    config.frontends.push(udp);
    reload(&config);
    assert!(asked(&client, b"back").is_ok());
}

#[test]
fn a_burst_of_many_clients_loses_nothing() {
    let running = udp(&[server(1), server(2)]).start();
    let clients: Vec<_> = (0..200).map(|_| client(&running)).collect();
    for round in 0..3_u8 {
        clients.iter().for_each(|client| _ = client.send(&[round; 200]).unwrap());
        for client in &clients {
            let mut buffer = [0; 300];
            assert_eq!(client.recv(&mut buffer).unwrap(), 201);
            assert_eq!(buffer[1], round);
        }
    }
    assert_eq!(running.handle.sessions().len(), 200);
    assert!(Lost::ALL.iter().all(|reason| lost(&running, *reason) == 0));
}
