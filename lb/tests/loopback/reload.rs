//! A new configuration under connections that go on.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use fmc_config::model::Config;
use fmc_config::model::backend::Weight;
use fmc_lb::{Administrative, DataPlane, EndedBy, Handle, Health, ListenerState};

use crate::harness::{PATIENCE, PORT, Setup, connect, eventually, greeter, own_address};

fn reload(handle: &Handle, config: &Config) {
    handle.commit(handle.prepare(config).unwrap(), |_, _| ());
}

fn greeting(stream: &mut TcpStream) -> std::io::Result<u8> {
    let mut name = [0];
    stream.read_exact(&mut name).map(|()| name[0])
}

fn echoes(stream: &mut TcpStream) -> bool {
    stream.write_all(b"x").is_ok() && greeting(stream).is_ok_and(|byte| byte == b'x')
}

/// A frontend beside the one under test, on an address of its own.
fn with_another_frontend(config: &mut Config) -> SocketAddr {
    let mut other = config.frontends[0].clone();
    (other.name, other.address) = ("other".parse().unwrap(), own_address());
    config.frontends.push(other);
    SocketAddr::new(config.frontends[1].address, PORT)
}

#[test]
fn a_relay_outlives_the_removal_of_its_server_its_backend_and_its_frontend() {
    let setup = Setup::with(&[greeter(1)]);
    let mut config = setup.clone().config();
    let running = setup.start();
    let (_, mut client) = running.greeted().unwrap();

    config.backends = vec![Setup::with(&[greeter(2)]).backend];
    reload(&running.handle, &config);
    assert_eq!(running.greeted().unwrap().0, 2, "new connections go to the new server");
    assert!(echoes(&mut client), "the relay to the old one goes on");

    with_another_frontend(&mut config);
    config.frontends.remove(0);
    reload(&running.handle, &config);
    eventually("the old port is closed", || {
        TcpStream::connect(running.vip).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    });
    assert!(echoes(&mut client), "the relay of the old frontend goes on");
    assert_eq!(running.handle.sessions().len(), 1);
}

#[test]
fn what_cannot_be_bound_refuses_the_whole_and_changes_nothing() {
    let setup = Setup::with(&[greeter(1)]);
    let mut config = setup.clone().config();
    let running = setup.start();
    let free = with_another_frontend(&mut config);
    with_another_frontend(&mut config);
    let taken = SocketAddr::new(config.frontends[2].address, PORT);
    let _holder = TcpListener::bind(taken).unwrap();
    config.backends = vec![Setup::with(&[greeter(2)]).backend];

    let errors = running.handle.prepare(&config).err().unwrap();
    assert!(errors.len() == 1 && errors[0].to_string().contains(&taken.to_string()), "{errors:?}");
    assert!(TcpStream::connect(free).is_err(), "what could be bound was let go again");
    assert_eq!(running.greeted().unwrap().0, 1);
    assert_eq!(running.handle.listeners().len(), 1);
}

#[test]
fn what_is_known_of_a_server_and_asked_of_it_stays_in_force_without_a_gap() {
    let setup = Setup::with(&[greeter(1), greeter(2)]);
    let mut config = setup.clone().config();
    let running = setup.start();
    let pool = running.handle.pool("masters").unwrap();
    pool.set_health("s1", Health::Healthy);
    pool.set_administrative("s2", Administrative::Drain);
    let (_, _client) = running.greeted().unwrap();

    config.backends[0].attempts = 1;
    let prepared = running.handle.prepare(&config).unwrap();
    running.handle.commit(prepared, |backend, snapshot| {
        assert_eq!(backend.as_str(), "masters");
        snapshot.member_mut("s1").unwrap().weight = Weight::new(7).unwrap();
    });
    let after = running.handle.pool("masters").unwrap();
    assert!(Arc::ptr_eq(&pool, &after));
    let snapshot = after.snapshot();
    let [s1, s2] = &snapshot.members[..] else { panic!("two servers") };
    assert_eq!((s1.health, s1.weight.get(), s1.server.in_flight()), (Health::Healthy, 7, 1));
    assert_eq!(s2.administrative, Administrative::Drain);
}

#[test]
fn new_limits_and_rules_hold_for_those_who_come_next() {
    let setup = Setup::with(&[greeter(1)]);
    let mut config = setup.clone().config();
    let running = setup.start();
    let (_, mut first) = running.greeted().unwrap();

    config.frontends[0].max_connections = 1;
    reload(&running.handle, &config);
    let mut waiting = running.connect();
    eventually("the limit is seen", || running.handle.listeners()[0].state == ListenerState::AtLimit);
    assert!(echoes(&mut first));
    config.frontends[0].max_connections = 2;
    reload(&running.handle, &config);
    assert_eq!(greeting(&mut waiting).unwrap(), 1, "whoever waited is served when the limit rises");

    config.frontends[0].max_connections = 1000;
    config.frontends[0].allow = vec!["10.17.0.0/16".parse().unwrap()];
    reload(&running.handle, &config);
    assert_eq!(running.greeted().unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(echoes(&mut first) && echoes(&mut waiting), "who is in stays in");
    assert_eq!(running.handle.frontends()[0].traffic().accepted(), 3, "it goes on counting");
}

#[test]
fn nobody_is_lost_while_backends_and_frontends_come_and_go() {
    let setup = Setup::with(&[greeter(1)]);
    let config = setup.clone().config();
    let running = setup.start();
    let (stop, served) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut client = connect(running.vip);
                    greeting(&mut client).expect("served while the configuration changes");
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 0..100 {
            let mut next = config.clone();
            if round % 2 == 0 {
                with_another_frontend(&mut next);
            }
            if round % 3 == 0 {
                next.backends[0].servers.push(Setup::with(&[greeter(9)]).backend.servers.remove(0));
                next.backends[0].servers[1].name = "s9".parse().unwrap();
            }
            next.frontends[0].max_connections = 500 + round;
            reload(&running.handle, &next);
            thread::sleep(Duration::from_millis(5));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(served.load(Ordering::Relaxed) > 100, "{served:?}");
    assert_eq!(running.ended(EndedBy::NoServerAccepts) + running.ended(EndedBy::LocalFault), 0);
}

#[test]
fn a_listener_goes_over_to_another_frontend_with_those_who_wait_in_its_queue() {
    let setup = Setup::with(&[greeter(1)]);
    let mut config = setup.config();
    let data_plane = DataPlane::bind(&config, Arc::new(|_| ())).unwrap();
    let handle = data_plane.handle();
    let mut early = connect(SocketAddr::new(config.frontends[0].address, PORT));
    config.frontends[0].name = "renamed".parse().unwrap();
    config.backends = vec![Setup::with(&[greeter(2)]).backend];
    config.backends[0].name = "others".parse().unwrap();
    config.frontends[0].backend = "others".parse().unwrap();
    reload(&handle, &config);
    let relay_loop = thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(data_plane.run());
    });
    early.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(greeting(&mut early).unwrap(), 2);
    assert_eq!(handle.listeners()[0].frontend.as_str(), "renamed");
    assert!(handle.pool("masters").is_none() && handle.pool("others").is_some());
    handle.shut_down(EndedBy::Shutdown);
    relay_loop.join().unwrap();
}
