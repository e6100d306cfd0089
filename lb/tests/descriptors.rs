//! A process that runs out of descriptors. A test binary of its own, because the limit is the whole process's.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fmc_lb::{AcceptError, EndedBy, ListenerState};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[path = "loopback/harness.rs"]
#[allow(dead_code, reason = "the other test binary uses more of it")]
mod harness;
use harness::{Setup, eventually, greeter};

#[test]
fn without_descriptors_accepting_pauses_is_counted_and_recovers_without_a_failed_client() {
    let running = Setup::with(&[greeter(1)]).start();
    assert_eq!(running.greeted().unwrap().0, 1);
    // The clients exist before descriptors run out: they wait in the listen queue.
    let sockets: Vec<_> = (0..8).map(|_| unconnected()).collect();
    let hoard = exhaust_descriptors();
    sockets.iter().for_each(|socket| start_connecting(socket, running.vip));
    let listener = || running.handle.listeners().remove(0);
    eventually("the listener pauses", || listener().state == ListenerState::Paused);
    eventually("it tries again and again", || listener().errors[AcceptError::Descriptors as usize] >= 3);
    assert!(listener().state.is_alive());
    drop(hoard);
    let freed = Instant::now();
    for socket in sockets {
        assert_eq!(greeting(socket), 1);
    }
    assert!(freed.elapsed() < Duration::from_secs(4), "{:?}", freed.elapsed());
    assert_eq!(running.ended(EndedBy::LocalFault) + running.ended(EndedBy::NoServerAccepts), 0);
    assert_eq!(listener().state, ListenerState::Accepting);
}

fn unconnected() -> socket2::Socket {
    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap()
}

fn start_connecting(socket: &socket2::Socket, vip: SocketAddr) {
    socket.connect(&vip.into()).unwrap();
}

/// Lowers the limit and takes every descriptor below it.
fn exhaust_descriptors() -> Vec<std::fs::File> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 200.min(hard), hard).unwrap();
    std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect()
}

fn greeting(socket: socket2::Socket) -> u8 {
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(harness::PATIENCE)).unwrap();
    let mut name = [0];
    stream.read_exact(&mut name).unwrap();
    name[0]
}
