//! How fast bytes may move, each way, for one connection and for all of a frontend.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fmc_config::model::bandwidth::Bandwidth;
use fmc_lb::EndedBy;

use crate::harness::{Setup, echo, end_of, eventually, manual_server, reset, server};

const MIB: usize = 1 << 20;

fn mib(number: u64) -> Option<Bandwidth> {
    Bandwidth::new(number << 20)
}

/// Sends so many bytes to each who connects, then FIN.
fn source(bytes: usize) -> std::net::SocketAddr {
    let pattern = pattern(bytes);
    server(move |mut stream| {
        let _ = stream.write_all(&pattern);
        let _ = stream.shutdown(Shutdown::Write);
        let _ = end_of(&mut stream);
    })
}

/// A block of an odd length again and again: a piece that is lost or comes twice shows.
fn pattern(bytes: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..65_521_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut all = block.repeat(bytes / block.len() + 1);
    all.truncate(bytes);
    all
}

/// Reads for so long, and says how much it was.
fn read_for(mut stream: &TcpStream, time: Duration) -> usize {
    let (until, mut buffer, mut read) = (Instant::now() + time, vec![0; 64 * 1024], 0);
    while Instant::now() < until {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) => panic!("{error}"),
        }
    }
    read
}

#[test]
fn a_connection_moves_no_faster_than_its_limit_and_loses_nothing() {
    let mut setup = Setup::with(&[source(6 * MIB)]);
    setup.frontend.bandwidth_per_connection = mib(4);
    let running = setup.start();
    let began = Instant::now();
    let received = end_of(&mut running.connect()).unwrap();
    let took = began.elapsed();
    assert!(received == pattern(6 * MIB), "{} bytes came of {}", received.len(), 6 * MIB);
    assert!((Duration::from_millis(1200)..Duration::from_secs(6)).contains(&took), "6 MiB at 4 MiB/s took {took:?}");
    let traffic = running.handle.frontends()[0].clone();
    assert!(traffic.traffic().throttled_to_client() > 4 * MIB as u64, "{}", traffic.traffic().throttled_to_client());
    assert_eq!(traffic.traffic().throttled_to_server(), 0);
}

#[test]
fn each_direction_has_the_limit_for_itself() {
    let mut setup = Setup::with(&[server(echo)]);
    setup.frontend.bandwidth_per_connection = mib(4);
    let running = setup.start();
    let began = Instant::now();
    let mut client = running.connect();
    let mut writer = client.try_clone().unwrap();
    let writer = thread::spawn(move || {
        writer.write_all(&pattern(6 * MIB)).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let received = end_of(&mut client).unwrap();
    writer.join().unwrap();
    assert!(received == pattern(6 * MIB), "{} bytes came back of {}", received.len(), 6 * MIB);
    let took = began.elapsed();
    // Both ways take 1.5 s; one after the other, or from one budget, they would take three.
    assert!((Duration::from_millis(1200)..Duration::from_millis(2900)).contains(&took), "both ways took {took:?}");
}

#[test]
fn the_connections_of_a_frontend_share_its_limit_evenly() {
    let mut setup = Setup::with(&[source(64 * MIB)]);
    setup.frontend.bandwidth = mib(8);
    let running = setup.start();
    let clients: Vec<_> = (0..4).map(|_| running.connect()).collect();
    let readers: Vec<_> =
        clients.into_iter().map(|client| thread::spawn(move || read_for(&client, Duration::from_secs(2)))).collect();
    let read: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    let total: usize = read.iter().sum();
    assert!((10 * MIB..22 * MIB).contains(&total), "{read:?} of 16 MiB");
    assert!(read.iter().all(|one| (2 * MIB..7 * MIB).contains(one)), "{read:?} of 4 MiB each");
}

#[test]
fn a_short_exchange_waits_for_no_limit_and_nobody_behind_a_bulk_transfer_waits_long() {
    let mut setup = Setup::with(&[server(|mut stream| {
        let mut asked = [0];
        while stream.read_exact(&mut asked).is_ok() {
            let answer = if asked == *b"B" { vec![0; 64 * MIB] } else { vec![7; 100] };
            if stream.write_all(&answer).is_err() {
                return;
            }
        }
    })]);
    setup.frontend.bandwidth = mib(4);
    let running = setup.start();
    let (mut bulk, mut small) = (running.connect(), running.connect());
    bulk.write_all(b"B").unwrap();
    assert!(read_for(&bulk, Duration::from_millis(500)) > MIB);
    let began = Instant::now();
    for _ in 0..10 {
        small.write_all(b"s").unwrap();
        small.read_exact(&mut [0; 100]).unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(3), "ten exchanges took {:?}", began.elapsed());
}

#[test]
fn a_half_close_and_a_reset_come_through_a_pause() {
    let (address, accepted) = manual_server();
    let mut setup = Setup::with(&[address]);
    setup.frontend.bandwidth_per_connection = mib(1);
    let running = setup.start();

    let mut client = running.connect();
    client.write_all(&pattern(MIB)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut server = accepted.recv().unwrap();
    assert!(end_of(&mut server).unwrap() == pattern(MIB), "all of it, and then FIN");
    server.write_all(b"a late answer").unwrap();
    drop(server);
    assert_eq!(end_of(&mut client), Ok(b"a late answer".to_vec()));
    running.await_end(EndedBy::ClientClosed);

    let mut client = running.connect();
    client.write_all(&pattern(MIB)).unwrap();
    let mut server = accepted.recv().unwrap();
    reset(client);
    let began = Instant::now();
    assert_eq!(end_of(&mut server), Err(ErrorKind::ConnectionReset));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    running.await_end(EndedBy::ClientReset);
}

#[test]
fn a_relay_that_waits_for_its_limit_is_not_idle_and_is_again_afterwards() {
    let mut setup = Setup::with(&[server(|mut stream| {
        let _ = stream.write_all(&pattern(4 * 1024));
        let _ = end_of(&mut stream);
    })]);
    // A turn a second, and an idle timeout that a wait between two of them would reach.
    setup.frontend.bandwidth_per_connection = Bandwidth::new(1024);
    setup.frontend.idle_timeout = Some(Duration::from_millis(400));
    let running = setup.start();
    let mut client = running.connect();
    let mut received = vec![0; 4 * 1024];
    client.read_exact(&mut received).unwrap();
    assert!(received == pattern(4 * 1024));
    running.await_end(EndedBy::IdleTimeout);
}

#[test]
fn a_limit_that_a_reload_changes_holds_for_those_who_are_here() {
    let setup = Setup::with(&[source(256 * MIB)]);
    let mut config = setup.clone().config();
    let running = setup.start();
    let client = running.connect();
    assert!(read_for(&client, Duration::from_millis(300)) > 6 * MIB, "no limit");

    config.frontends[0].bandwidth_per_connection = mib(2);
    running.handle.commit(running.handle.prepare(&config).unwrap(), |_, _| ());
    // What is on its way already.
    read_for(&client, Duration::from_millis(500));
    let read = read_for(&client, Duration::from_secs(1));
    assert!((MIB..5 * MIB).contains(&read), "{read} in a second at 2 MiB/s");

    config.frontends[0].bandwidth_per_connection = None;
    running.handle.commit(running.handle.prepare(&config).unwrap(), |_, _| ());
    assert!(read_for(&client, Duration::from_secs(1)) > 16 * MIB, "no limit again");
}

#[test]
fn whoever_waits_costs_no_time_of_the_processor() {
    let mut setup = Setup::with(&[source(64 * MIB)]);
    setup.frontend.bandwidth_per_connection = Bandwidth::new(64 * 1024);
    let running = setup.start();
    let clients: Vec<_> = (0..20).map(|_| running.connect()).collect();
    eventually("all wait", || running.handle.frontends()[0].traffic().throttled_to_client() > 0);
    let before = processor_time();
    thread::sleep(Duration::from_secs(2));
    let used = processor_time() - before;
    assert!(used < Duration::from_millis(700), "{used:?} of two seconds");
    drop(clients);
}

/// Of the whole process.
fn processor_time() -> Duration {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let micros =
        |time: nix::sys::time::TimeVal| Duration::from_micros((time.tv_sec() * 1_000_000 + time.tv_usec()) as u64);
    micros(usage.user_time()) + micros(usage.system_time())
}
