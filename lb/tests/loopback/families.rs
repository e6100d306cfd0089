//! Clients and servers of either family, and of the other one than each other.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU16;
use std::sync::mpsc;

use fmc_config::model::backend::ProxyProtocol;
use fmc_lb::EndedBy;
use fmc_lb::proxy_protocol::{Endpoints, Header, Reading, Told, decode};

use crate::harness::{Running, Setup, connect, echo, end_of, own_address, server_on};

const LOCALHOST: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Loopback has one address of IPv6 and so one of each port: the kernel finds a free one.
fn free_port() -> NonZeroU16 {
    let port = TcpListener::bind((LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    NonZeroU16::new(port).unwrap()
}

/// A frontend of the family of `vip`, in front of one server of the family of `server`.
fn setup(vip: IpAddr, server: SocketAddr) -> Setup {
    let mut setup = Setup::with(&[server]);
    setup.frontend.address = vip;
    setup.frontend.ports[0].listen = free_port();
    setup
}

fn every_pair() -> [(IpAddr, IpAddr); 4] {
    [(LOCALHOST, LOCALHOST), (LOCALHOST, own_address()), (own_address(), LOCALHOST), (own_address(), own_address())]
}

fn echoed(running: &Running, said: &[u8]) -> Vec<u8> {
    let mut client = running.connect();
    let mut writer = client.try_clone().unwrap();
    let said = said.to_vec();
    let writing = std::thread::spawn(move || {
        writer.write_all(&said).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let came_back = end_of(&mut client).unwrap();
    writing.join().unwrap();
    came_back
}

#[test]
fn every_byte_arrives_whatever_the_families_of_both_sides() {
    for (vip, own) in every_pair() {
        let running = setup(vip, server_on(own, echo)).start();
        let said: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
        assert_eq!(echoed(&running, &said), said, "{vip} to {own}");
        running.await_end(EndedBy::ClientClosed);
    }
}

#[test]
fn a_listener_of_ipv6_takes_no_client_of_ipv4() {
    let running = setup(Ipv6Addr::UNSPECIFIED.into(), server_on(LOCALHOST, echo)).start();
    let port = running.vip.port();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).is_ok());
}

/// The server, and what it has read.
fn listening(own: IpAddr, length: usize) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let (sender, receiver) = mpsc::channel();
    let address = server_on(own, move |mut stream| {
        let mut bytes = vec![0; length];
        stream.read_exact(&mut bytes).unwrap();
        sender.send(bytes).unwrap();
    });
    (address, receiver)
}

fn header_of(bytes: &[u8]) -> Header {
    match decode(bytes) {
        Ok(Reading::Header(header)) => header,
        other => panic!("{other:?} in {bytes:02x?}"),
    }
}

#[test]
fn a_server_hears_of_its_client_in_the_family_that_the_client_came_by() {
    for (vip, own) in every_pair() {
        let length = if vip.is_ipv6() { 16 + 36 } else { 16 + 12 };
        let (server, read) = listening(own, length);
        let mut setup = setup(vip, server);
        setup.backend.proxy_protocol = Some(ProxyProtocol::V2);
        let running = setup.start();
        let client = running.connect();
        let told = Told::Client(Endpoints { source: client.local_addr().unwrap(), destination: running.vip });
        assert_eq!(header_of(&read.recv().unwrap()).told, told, "{vip} to {own}");
    }
}

#[test]
fn what_a_trusted_proxy_tells_of_a_client_of_ipv6_goes_on_to_a_server_of_ipv4() {
    let line = b"PROXY TCP6 2001:db8::9 2001:db8::1 5000 443\r\n";
    let binary: Vec<u8> = [
        b"\r\n\r\n\0\r\nQUIT\n\x21\x21\x00\x24".to_vec(),
        "2001:db8::9".parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        "2001:db8::1".parse::<Ipv6Addr>().unwrap().octets().to_vec(),
        vec![0x13, 0x88, 0x01, 0xbb],
    ]
    .concat();
    for said in [&line[..], &binary] {
        let (server, read) = listening(own_address(), 16 + 36);
        let mut setup = setup(LOCALHOST, server);
        setup.frontend.accept_proxy = vec!["::1/128".parse().unwrap()];
        setup.frontend.allow = vec!["2001:db8::/32".parse().unwrap()];
        setup.backend.proxy_protocol = Some(ProxyProtocol::V2);
        let running = setup.start();
        let mut client = running.connect();
        client.write_all(said).unwrap();
        let source = "[2001:db8::9]:5000".parse().unwrap();
        let told = Told::Client(Endpoints { source, destination: "[2001:db8::1]:443".parse().unwrap() });
        assert_eq!(header_of(&read.recv().unwrap()).told, told);
    }
}

#[test]
fn an_allow_list_of_ipv6_lets_in_who_is_in_it() {
    for (network, is_let_in) in [("::1/128", true), ("fd00::/8", false), ("0.0.0.0/0", false), ("::/0", true)] {
        let mut setup = setup(LOCALHOST, server_on(LOCALHOST, echo));
        setup.frontend.allow = vec![network.parse().unwrap()];
        let running = setup.start();
        let mut client = connect(running.vip);
        let _ = client.write_all(b"x");
        assert_eq!(client.read(&mut [0; 1]).is_ok_and(|count| count == 1), is_let_in, "{network}");
    }
}
