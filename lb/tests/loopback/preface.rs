//! What a trusted proxy says in front of a connection, and what becomes of others who say it.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fmc_config::model::backend::ProxyProtocol;
use fmc_config::model::frontend::PerSource;
use fmc_lb::EndedBy;
use fmc_lb::proxy_protocol::{Endpoints, Header, Reading, Told, decode};

use crate::harness::{Running, Setup, echo, end_of, eventually, greeter, manual_server, reset, server};

const LINE: &[u8] = b"PROXY TCP4 203.0.113.9 198.51.100.1 5000 443\r\n";

/// Version 2, PROXY, IPv4, with the extension "authority: lab" and a private one.
const BINARY: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x16\xcb\x00\x71\x09\xc6\x33\x64\x01\x13\x88\x01\xbb\x02\x00\x03lab\xe0\x00\x01!";

/// Version 2, LOCAL.
const LOCAL: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00";

/// A frontend that trusts the loopback network, from which every client of these tests comes.
fn trusting(servers: &[std::net::SocketAddr]) -> Setup {
    let mut setup = Setup::with(servers);
    setup.frontend.accept_proxy = vec!["127.0.0.0/8".parse().unwrap()];
    setup
}

fn distrusting(servers: &[std::net::SocketAddr]) -> Setup {
    let mut setup = Setup::with(servers);
    setup.frontend.accept_proxy = vec!["10.8.0.1/32".parse().unwrap()];
    setup
}

fn client() -> SocketAddr {
    "203.0.113.9:5000".parse().unwrap()
}

/// What comes back of `said`, when the client says it and has finished.
fn echoed(running: &Running, said: &[u8]) -> Vec<u8> {
    let mut stream = running.connect();
    stream.write_all(said).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    end_of(&mut stream).unwrap()
}

fn header_of(stream: &mut TcpStream, length: usize) -> Header {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    match decode(&bytes) {
        Ok(Reading::Header(header)) => header,
        other => panic!("{other:?} in {bytes:02x?}"),
    }
}

#[test]
fn the_header_is_taken_away_and_everything_after_it_arrives() {
    let running = trusting(&[server(echo)]).start();
    for header in [LINE, BINARY, LOCAL, b"PROXY UNKNOWN\r\n"] {
        let said = [header, b"hello, ", &vec![b'x'; 100_000]].concat();
        assert_eq!(echoed(&running, &said), said[header.len()..]);
    }
    eventually("all bytes are counted", || running.handle.frontends()[0].traffic().to_server() == 4 * 100_007);
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let running = trusting(&[server(echo)]).start();
    for header in [LINE, BINARY] {
        let mut stream = running.connect();
        stream.set_nodelay(true).unwrap();
        for byte in [header, b"hello"].concat() {
            stream.write_all(&[byte]).unwrap();
            sleep(Duration::from_millis(1));
        }
        stream.shutdown(Shutdown::Write).unwrap();
        assert_eq!(end_of(&mut stream).unwrap(), b"hello");
    }
}

#[test]
fn the_client_it_names_is_who_sessions_show_and_who_the_server_hears_of() {
    let (address, accepted) = manual_server();
    let mut setup = trusting(&[address]);
    setup.backend.proxy_protocol = Some(ProxyProtocol::V2);
    let running = setup.start();
    let mut stream = running.connect();
    stream.write_all(BINARY).unwrap();
    let mut at_server = accepted.recv().unwrap();
    let header = header_of(&mut at_server, BINARY.len());
    let destination = "198.51.100.1:443".parse().unwrap();
    assert_eq!(header.told, Told::Client(Endpoints { source: client(), destination }));
    assert_eq!(header.tlvs.as_bytes(), b"\x02\x00\x03lab\xe0\x00\x01!", "what else was said goes with it");
    let session = running.handle.sessions().list(|_| true).remove(0);
    assert_eq!((session.client(), session.via()), (client(), Some(stream.local_addr().unwrap())));
}

#[test]
fn a_connection_of_the_proxys_own_is_told_as_such() {
    let (address, accepted) = manual_server();
    let mut setup = trusting(&[address]);
    setup.backend.proxy_protocol = Some(ProxyProtocol::V2);
    setup.frontend.allow = vec!["203.0.113.0/24".parse().unwrap()];
    let running = setup.start();
    let mut stream = running.connect();
    stream.write_all(LOCAL).unwrap();
    assert_eq!(header_of(&mut accepted.recv().unwrap(), LOCAL.len()).told, Told::Local);
    let session = running.handle.sessions().list(|_| true).remove(0);
    assert_eq!(session.via(), None);
}

#[test]
fn a_check_of_version_1_names_the_proxy_itself_and_passes() {
    let mut setup = trusting(&[server(echo)]);
    setup.frontend.allow = vec!["203.0.113.0/24".parse().unwrap()];
    let running = setup.start();
    assert_eq!(echoed(&running, b"PROXY TCP4 127.0.0.1 127.0.0.2 5000 443\r\nhello"), b"hello");
    let mut unknown = running.connect();
    unknown.write_all(b"PROXY UNKNOWN\r\nhello").unwrap();
    end_of(&mut unknown).unwrap_err();
    running.await_end(EndedBy::RefusedByAllowList);
}

#[test]
fn allow_list_and_bounds_are_about_the_client_that_it_names() {
    let mut setup = trusting(&[server(echo)]);
    setup.frontend.allow = vec!["203.0.113.0/24".parse().unwrap()];
    let bounds = PerSource { max_connections: 2.try_into().ok(), max_per_second: None, exempt: Vec::new() };
    setup.frontend.per_source = Some(bounds);
    let running = setup.start();
    let mut stranger = running.connect();
    stranger.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.1 5000 443\r\nhello").unwrap();
    end_of(&mut stranger).unwrap_err();
    running.await_end(EndedBy::RefusedByAllowList);

    let open = || {
        let mut stream = running.connect();
        stream.write_all(LINE).unwrap();
        stream.write_all(b"!").unwrap();
        stream
    };
    let mut both = [open(), open()];
    both.iter_mut().for_each(|stream| stream.read_exact(&mut [0]).unwrap());
    end_of(&mut open()).unwrap_err();
    running.await_end(EndedBy::RefusedBySourceLimit);
    drop(both);
    eventually("its place is free again", || open().read_exact(&mut [0]).is_ok());
}

#[test]
fn a_trusted_proxy_without_a_header_or_with_a_wrong_one_is_cut() {
    let running = trusting(&[greeter(1)]).start();
    for (number, wrong) in
        [&b"GET / HTTP/1.1\r\n"[..], b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", &BINARY[..15], b"\x16\x03\x01"]
            .into_iter()
            .enumerate()
    {
        let mut wrong = wrong.to_vec();
        if number == 2 {
            wrong.push(0);
        }
        let mut stream = running.connect();
        stream.write_all(&wrong).unwrap();
        end_of(&mut stream).unwrap_err();
        eventually("it is counted", || running.ended(EndedBy::BadProxyHeader) == number as u64 + 1);
    }
}

#[test]
fn a_check_of_the_port_that_says_nothing_is_no_fault_and_reaches_no_server() {
    let (address, accepted) = manual_server();
    let running = trusting(&[address]).start();
    drop(running.connect());
    running.await_end(EndedBy::ClientClosed);
    reset(running.connect());
    running.await_end(EndedBy::ClientReset);
    assert!(accepted.try_recv().is_err());
}

#[test]
fn a_header_that_does_not_come_ends_the_connection_in_time() {
    let mut setup = trusting(&[greeter(1)]);
    setup.frontend.preface_timeout = Duration::from_millis(300);
    let running = setup.start();
    for begun in [&b""[..], b"PROXY TCP4 ", &BINARY[..20]] {
        let (mut stream, began) = (running.connect(), Instant::now());
        stream.write_all(begun).unwrap();
        end_of(&mut stream).unwrap_err();
        assert!(began.elapsed() >= Duration::from_millis(300));
    }
    eventually("all are counted", || running.ended(EndedBy::PrefaceTimeout) == 3);
}

#[test]
fn a_header_from_elsewhere_is_refused_and_anything_else_from_there_is_served() {
    let (address, accepted) = manual_server();
    let running = distrusting(&[address]).start();
    for (number, header) in [LINE, BINARY, LOCAL].into_iter().enumerate() {
        let mut stream = running.connect();
        stream.write_all(header).unwrap();
        end_of(&mut stream).unwrap_err();
        eventually("it is counted", || running.ended(EndedBy::RefusedProxyHeader) == number as u64 + 1);
    }
    assert!(accepted.try_recv().is_err(), "no server hears of them");

    let mut stream = running.connect();
    stream.write_all(b"PROXIMA").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    // Kept open, and the session with it.
    let mut served = accepted.recv().unwrap();
    assert_eq!(end_of(&mut served).unwrap(), b"PROXIMA");
    let session = running.handle.sessions().list(|_| true).remove(0);
    assert_eq!(session.client().ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
}

#[test]
fn who_waits_for_the_server_to_speak_is_served_once_it_is_clear_that_no_header_comes() {
    let mut setup = distrusting(&[greeter(7)]);
    setup.frontend.preface_timeout = Duration::from_millis(300);
    let running = setup.start();
    assert_eq!(running.greeted().unwrap().0, 7);
    let mut begun = running.connect();
    begun.write_all(b"PROX").unwrap();
    end_of(&mut begun).unwrap_err();
    running.await_end(EndedBy::RefusedProxyHeader);
}
