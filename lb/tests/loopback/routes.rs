//! Connections of one frontend that go to several backends, by what their clients say first and by where they are.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fmc_lb::{EndedBy, Hello};

use crate::harness::{Running, Setup, end_of, eventually, greeter, reset};

/// A TLS 1.2 hello in as many records as it takes, that asks for `name` and offers `alpn`.
fn hello(name: &str, alpn: &[&str], fragment: usize) -> Vec<u8> {
    let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat();
    let extension = |kind: u16, data: &[u8]| [&kind.to_be_bytes()[..], &sized(data)].concat();
    let protocols: Vec<u8> = alpn.iter().flat_map(|name| [&[name.len() as u8][..], name.as_bytes()].concat()).collect();
    let mut extensions = extension(51, &[1; 1222]);
    if !name.is_empty() {
        extensions.extend(extension(0, &sized(&[&[0][..], &sized(name.as_bytes())].concat())));
    }
    extensions.extend(extension(16, &sized(&protocols)));
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &sized(&extensions)].concat();
    let message = [&[1][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat();
    let record = |part: &[u8]| [&[22, 3, 1][..], &sized(part)].concat();
    message.chunks(fragment).flat_map(record).collect()
}

/// Servers 1 by default, 2 for grafana.lab, 3 below apps.lab, 4 for a protocol.
fn setup() -> Setup {
    Setup::with(&[greeter(1)])
        .with_route("acme", greeter(4), |route| route.alpn = vec!["acme-tls/1".to_owned()])
        .with_route("grafana", greeter(2), |route| route.server_names = vec!["grafana.lab".parse().unwrap()])
        .with_route("apps", greeter(3), |route| route.server_names = vec!["*.apps.lab".parse().unwrap()])
}

/// The server that answers a client who says `said`, and that it got all of it.
fn server_of(running: &Running, said: &[u8]) -> u8 {
    let mut stream = running.connect();
    stream.write_all(said).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = end_of(&mut stream).unwrap();
    assert_eq!(&answer[1..], said, "every byte arrives, in order");
    answer[0]
}

fn hellos(running: &Running) -> [u64; 4] {
    Hello::ALL.map(|hello| running.handle.frontends()[0].traffic().hellos(hello))
}

#[test]
fn a_name_or_a_protocol_leads_to_its_backend_and_everything_else_to_the_default() {
    let running = setup().start();
    for (said, expected) in [
        (hello("grafana.lab", &["h2"], 16_384), 2),
        (hello("GRAFANA.lab", &["h2"], 100), 2),
        (hello("a.b.apps.lab", &[], 1), 3),
        (hello("apps.lab", &["h2"], 500), 1),
        (hello("grafana.lab", &["h2", "acme-tls/1"], 500), 4),
        (hello("", &["h2"], 500), 1),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1),
        (b"\x16\x03".to_vec(), 1),
        ([&[22, 3, 1, 0x40, 0, 1, 0, 0x3f][..], &[7; 40_000]].concat(), 1),
    ] {
        assert_eq!(server_of(&running, &said), expected, "{:02x?}", &said[..said.len().min(80)]);
    }
    assert_eq!(hellos(&running), [5, 1, 3, 0]);
    assert_eq!(running.ended(EndedBy::InternalError), 0);
}

#[test]
fn a_hello_may_come_byte_by_byte() {
    let running = setup().start();
    let mut stream = running.connect();
    stream.set_nodelay(true).unwrap();
    for byte in hello("grafana.lab", &["h2"], 700).chunks(7) {
        stream.write_all(byte).unwrap();
        sleep(Duration::from_micros(300));
    }
    let mut name = [0];
    stream.read_exact(&mut name).unwrap();
    assert_eq!(name, [2]);
}

#[test]
fn who_says_nothing_or_too_little_goes_to_the_default_in_time() {
    let mut setup = setup();
    setup.frontend.preface_timeout = Duration::from_millis(300);
    let running = setup.start();
    for begun in [&b""[..], &hello("grafana.lab", &[], 100)[..90]] {
        let (mut stream, began) = (running.connect(), Instant::now());
        stream.write_all(begun).unwrap();
        let mut name = [0];
        stream.read_exact(&mut name).unwrap();
        assert_eq!(name, [1]);
        assert!(began.elapsed() >= Duration::from_millis(300));
        let mut echoed = vec![0; begun.len()];
        stream.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, begun);
    }
    assert_eq!(hellos(&running), [0, 0, 0, 2]);
}

#[test]
fn who_leaves_before_a_word_reaches_no_server() {
    let running = setup().start();
    drop(running.connect());
    running.await_end(EndedBy::ClientClosed);
    reset(running.connect());
    running.await_end(EndedBy::ClientReset);
    assert!(
        running.handle.pools().iter().all(|pool| pool.status(running.handle.pulse().now()).servers[0].connections == 0)
    );
}

#[test]
fn an_address_decides_without_a_word_where_no_name_comes_first() {
    let vpn = |route: &mut fmc_config::model::route::Route| route.sources = vec!["127.0.0.0/8".parse().unwrap()];
    let running = Setup::with(&[greeter(1)])
        .with_route("vpn", greeter(5), vpn)
        .with_route("grafana", greeter(2), |route| route.server_names = vec!["grafana.lab".parse().unwrap()])
        .start();
    let (name, _stream) = running.greeted().unwrap();
    assert_eq!(name, 5, "greeted without having said anything");
    assert_eq!(hellos(&running), [0; 4]);
}

#[test]
fn the_client_that_a_proxy_names_is_who_a_route_goes_by() {
    let vpn = |route: &mut fmc_config::model::route::Route| route.sources = vec!["203.0.113.0/24".parse().unwrap()];
    let mut setup = setup().with_route("vpn", greeter(5), vpn);
    setup.frontend.accept_proxy = vec!["127.0.0.0/8".parse().unwrap()];
    let running = setup.start();
    for (client, said, expected) in [
        ("203.0.113.9", hello("grafana.lab", &[], 900), 2),
        ("203.0.113.9", hello("elsewhere.lab", &[], 900), 5),
        ("198.51.100.9", hello("elsewhere.lab", &[], 900), 1),
    ] {
        let mut stream = running.connect();
        let header = format!("PROXY TCP4 {client} 198.51.100.1 5000 443\r\n");
        stream.write_all(&[header.as_bytes(), &said].concat()).unwrap();
        let mut answer = vec![0; 1 + said.len()];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!((answer[0], &answer[1..]), (expected, &said[..]), "{client}");
    }
}

#[test]
fn a_session_and_its_failures_belong_to_the_backend_it_was_led_to() {
    let running = setup().with_route("gone", crate::harness::refusing(), |route| {
        route.server_names = vec!["gone.lab".parse().unwrap()];
    });
    let running = running.start();
    let mut stream = running.connect();
    stream.write_all(&hello("grafana.lab", &[], 900)).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    let session = running.handle.sessions().list(|_| true).remove(0);
    assert_eq!(session.pool().name().as_str(), "grafana");
    assert!(session.goes_to("grafana", "s1") && !session.goes_to("masters", "s1"));
    let in_flight =
        |name: &str| running.handle.pool(name).unwrap().status(running.handle.pulse().now()).servers[0].in_flight;
    assert_eq!((in_flight("grafana"), in_flight("masters")), (1, 0));

    let mut nobody = running.connect();
    nobody.write_all(&hello("gone.lab", &[], 900)).unwrap();
    assert_eq!(end_of(&mut nobody), Err(ErrorKind::ConnectionReset));
    running.await_end(EndedBy::NoServerAccepts);
}

#[test]
fn a_reload_changes_where_names_lead_and_open_connections_stay() {
    let setup = setup();
    let mut next = setup.clone();
    let running = setup.start();
    let ask = |stream: &mut TcpStream| {
        stream.write_all(&hello("grafana.lab", &[], 900)).unwrap();
        let mut name = [0];
        stream.read_exact(&mut name).unwrap();
        name[0]
    };
    let mut open = running.connect();
    assert_eq!(ask(&mut open), 2);
    next.frontend.routes.retain(|route| route.backend.as_str() != "grafana");
    next.others.retain(|backend| backend.name.as_str() != "grafana");
    next.frontend.routes.push(fmc_config::model::route::Route {
        server_names: vec!["grafana.lab".parse().unwrap()],
        alpn: Vec::new(),
        sources: Vec::new(),
        backend: "apps".parse().unwrap(),
    });
    let prepared = running.handle.prepare(&next.config()).unwrap();
    running.handle.commit(prepared, |_, _| ());
    eventually("the name leads elsewhere", || ask(&mut running.connect()) == 3);
    open.write_all(b"still there").unwrap();
    let mut rest = vec![0; hello("grafana.lab", &[], 900).len() + 11];
    open.read_exact(&mut rest).unwrap();
    assert!(rest.ends_with(b"still there"));
}
