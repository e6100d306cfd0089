//! Bytes, their order and their end.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use fmc_lb::EndedBy;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::harness::{Setup, echo, end_of, eventually, manual_server, server};

#[test]
fn a_client_that_has_finished_still_gets_the_whole_answer() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    client.write_all(b"question").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut server = accepted.recv().unwrap();
    assert_eq!(end_of(&mut server), Ok(b"question".to_vec()), "FIN comes after the last byte");
    server.write_all(b"a late answer").unwrap();
    drop(server);
    assert_eq!(end_of(&mut client), Ok(b"a late answer".to_vec()));
    running.await_end(EndedBy::ClientClosed);
}

#[test]
fn a_server_that_has_finished_still_gets_the_whole_question() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    let mut server = accepted.recv().unwrap();
    server.write_all(b"greeting").unwrap();
    server.shutdown(Shutdown::Write).unwrap();
    assert_eq!(end_of(&mut client), Ok(b"greeting".to_vec()));
    client.write_all(b"a late question").unwrap();
    drop(client);
    assert_eq!(end_of(&mut server), Ok(b"a late question".to_vec()));
    running.await_end(EndedBy::ServerClosed);
}

#[test]
fn large_transfers_in_both_directions_at_once_are_exact() {
    let running = Setup::with(&[server(echo)]).start();
    let sent: Vec<u8> = (0..32 * 1024 * 1024u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut client = running.connect();
    let writer = send_in_background(&client, vec![sent.clone()], Duration::ZERO);
    let received = end_of(&mut client).unwrap();
    writer.join().unwrap();
    assert!(received == sent, "{} bytes came back of {}", received.len(), sent.len());
    eventually("all bytes counted", || running.handle.frontends()[0].traffic().to_client() == sent.len() as u64);
    assert_eq!(running.handle.frontends()[0].traffic().to_server(), sent.len() as u64);
}

#[test]
fn bulk_relays_leave_the_loop_its_heartbeat() {
    let running = Setup::with(&[server(echo)]).start();
    let clients: Vec<_> = (0..4).map(|_| running.connect()).collect();
    let transfers: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            let writer = send_in_background(&client, vec![vec![7; 1024 * 1024]; 24], Duration::ZERO);
            thread::spawn(move || (end_of(&mut client), writer.join().unwrap()))
        })
        .collect();
    let mut oldest = Duration::ZERO;
    while transfers.iter().any(|transfer| !transfer.is_finished()) {
        oldest = oldest.max(running.handle.pulse().age());
        thread::sleep(Duration::from_millis(5));
    }
    assert!(transfers.into_iter().all(|t| t.join().unwrap().0.unwrap().len() == 24 * 1024 * 1024));
    assert!(oldest < Duration::from_secs(1), "a busy loop is not a hanging one: {oldest:?}");
}

#[test]
fn a_receiver_that_stalls_holds_the_sender_back() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let client = running.connect();
    let mut server = accepted.recv().unwrap();
    client.set_nonblocking(true).unwrap();
    let sent = send_until_blocked(&client);
    assert!(sent < 64 * 1024 * 1024, "only the kernel's buffers and one read of ours are filled: {sent}");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(end_of(&mut server).unwrap().len(), sent, "and nothing is lost");
}

/// The oracle is the byte sequence: chunks of any size, pauses on either side, both directions at once.
#[test]
fn any_chunks_with_slow_readers_arrive_exactly_in_both_directions() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let chunks = || prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40_000), 0..12);
    let pause = || 0u64..3;
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let exchange = |(to_server, to_client, slow_client, slow_server): (Vec<Vec<u8>>, Vec<Vec<u8>>, u64, u64)| {
        let (client, server) = (running.connect(), accepted.recv().unwrap());
        let peers: [(_, &[_], &[_], _); 2] =
            [(client, &to_server, &to_client, slow_client), (server, &to_client, &to_server, slow_server)];
        let results: Vec<(Vec<u8>, &[Vec<u8>])> = thread::scope(|threads| {
            let peer =
                |(stream, sends, expects, pause)| threads.spawn(move || (converse(stream, sends, pause), expects));
            let both: Vec<_> = peers.into_iter().map(peer).collect();
            both.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for (received, expected) in results {
            prop_assert!(received == expected.concat());
        }
        Ok(())
    };
    runner.run(&(chunks(), chunks(), pause(), pause()), exchange).unwrap();
}

/// Sends all chunks, finishes, and reads slowly what the other one sends.
fn converse(stream: TcpStream, chunks: &[Vec<u8>], pause: u64) -> Vec<u8> {
    let pause = Duration::from_millis(pause);
    let writer = send_in_background(&stream, chunks.to_vec(), pause);
    let (mut received, mut buffer) = (Vec::new(), [0; 7001]);
    while let count @ 1.. = (&stream).read(&mut buffer).unwrap() {
        received.extend_from_slice(&buffer[..count]);
        thread::sleep(pause / 2);
    }
    writer.join().unwrap();
    received
}

fn send_in_background(stream: &TcpStream, chunks: Vec<Vec<u8>>, pause: Duration) -> thread::JoinHandle<()> {
    let mut stream = stream.try_clone().unwrap();
    thread::spawn(move || {
        for chunk in chunks {
            stream.write_all(&chunk).unwrap();
            thread::sleep(pause);
        }
        stream.shutdown(Shutdown::Write).unwrap();
    })
}

/// Fills every buffer on the way; returns once nothing was taken for a while.
fn send_until_blocked(mut stream: &TcpStream) -> usize {
    let (chunk, mut sent, mut refused) = (vec![7; 256 * 1024], 0, 0);
    while refused < 30 {
        match stream.write(&chunk) {
            Ok(count) => (sent, refused) = (sent + count, 0),
            Err(_would_block) => {
                refused += 1;
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
    sent
}
