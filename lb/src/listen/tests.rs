use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use fmc_config::model::frontend::Keepalive;
use socket2::SockRef;

use super::*;

const OPTIONS: fn() -> SocketOptions = || {
    SocketOptions::new(
        Keepalive { idle: Duration::from_secs(33), interval: Duration::from_secs(7), count: 4 },
        Duration::from_secs(21),
    )
};

#[test]
fn an_address_this_node_does_not_own_can_be_listened_on() {
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 33));
    assert!(listening_socket(SocketAddr::new(elsewhere, 28_443), OPTIONS()).is_ok());
}

#[test]
fn a_port_that_is_taken_is_refused_with_its_holder() {
    let holder = TcpListener::bind("127.0.0.9:0").unwrap();
    let taken = holder.local_addr().unwrap().port();
    let error =
        listening_socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)), taken), OPTIONS()).unwrap_err();
    assert!(matches!(error, BindError::Taken { holder: Some(_), .. }), "{error}");
    let (sentence, pid) = (error.to_string(), std::process::id());
    assert!(sentence.starts_with(&format!("cannot listen on 127.0.0.9:{taken}: the port is taken by ")), "{sentence}");
    assert!(sentence.contains(&format!("(pid {pid}); stop that program")), "{sentence}");
}

#[test]
fn a_second_bind_of_our_own_is_refused_too() {
    let first = listening_socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10)), 28_444), OPTIONS()).unwrap();
    let second = listening_socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10)), 28_444), OPTIONS());
    assert!(matches!(second, Err(BindError::Taken { .. })));
    drop(first);
    assert!(listening_socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10)), 28_444), OPTIONS()).is_ok());
}

#[test]
fn a_privileged_port_without_the_capability_names_it() {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    let error = BindError::of(address, "bind", std::io::Error::from_raw_os_error(nix::errno::Errno::EACCES as i32));
    if matches!(error, BindError::Privileged { .. }) {
        assert!(error.to_string().contains("CAP_NET_BIND_SERVICE"), "{error}");
    } else {
        assert!(
            matches!(error, BindError::Forbidden { .. }),
            "only where the system opens port 1 to everyone: {error}"
        );
    }
}

#[test]
fn an_accepted_connection_inherits_the_options_of_its_listener() {
    let listener =
        listening_socket(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11)), 28_445), OPTIONS()).unwrap();
    let _client = std::net::TcpStream::connect("127.0.0.11:28445").unwrap();
    let (accepted, client) = accept(&listener).unwrap();
    let accepted = SockRef::from(&accepted);
    assert_eq!(client.ip(), IpAddr::V4(Ipv4Addr::LOCALHOST));
    assert!(accepted.tcp_nodelay().unwrap() && accepted.keepalive().unwrap() && accepted.nonblocking().unwrap());
    assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_secs(33));
    assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(7));
    assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 4);
    assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(Duration::from_secs(21)));
}
