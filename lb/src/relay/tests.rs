//! Bytes out equal bytes in, with `tokio::io::copy_bidirectional` as the oracle: any chunks, pauses, half-closes, slow and small
//! receivers; no pipes, too few, pipes of one page; turns that may read only so much, with turns between that may read nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::event::epoll;

use super::direction::{Direction, Progress};
use super::means::Means;
use super::pipes::Pipes;
use super::socket::{Readiness, Socket};

/// A byte that has not come after this is one that never will.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
struct Peer {
    /// What it sends, with a pause after each; then FIN.
    chunks: Vec<(usize, u64)>,
    reads: usize,
    pause: u64,
    /// Of its socket: a small one is full at once.
    receive_buffer: usize,
    seed: u8,
}

#[derive(Debug, Clone, Copy)]
enum Lent {
    NoPipe,
    OnePipe,
    OnePagePipes,
    Enough,
}

impl Lent {
    fn means(self) -> Means {
        Means::with(match self {
            Self::NoPipe => Pipes::of_size(0, 64 * 1024),
            Self::OnePipe => Pipes::of_size(1, 64 * 1024),
            Self::OnePagePipes => Pipes::of_size(4, 4096),
            Self::Enough => Pipes::of_size(4, 64 * 1024),
        })
    }
}

#[test]
fn what_comes_out_is_what_copy_bidirectional_brings_out() {
    let lent = prop_oneof![Just(Lent::NoPipe), Just(Lent::OnePipe), Just(Lent::OnePagePipes), Just(Lent::Enough)];
    // A hang costs the patience: few steps of shrinking.
    let config = Config { cases: 48, failure_persistence: None, max_shrink_iters: 4, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let budget = prop_oneof![Just(usize::MAX), Just(1_000), 5_000..300_000_usize];
    let compare = |(client, server, lent, budget): (Peer, Peer, Lent, usize)| {
        let ours = exchange(&client, &server, |client, server| drop(relay(client, server, lent.means(), budget)));
        let oracle = exchange(&client, &server, copy_bidirectional);
        prop_assert!(ours == oracle, "{:?} and not {:?}", lengths(&ours), lengths(&oracle));
        prop_assert!(ours.0 == server.sent() && ours.1 == client.sent());
        Ok(())
    };
    runner.run(&(peer(1), peer(2), lent, budget), compare).unwrap();
}

#[test]
fn a_bulk_direction_is_spliced_and_gives_its_pipe_back() {
    let big = Peer { chunks: vec![(20_000_000, 0)], reads: 65_536, pause: 0, receive_buffer: 1 << 20, seed: 3 };
    let silent = Peer { chunks: Vec::new(), seed: 4, ..big.clone() };
    let mut kept = None;
    let counts = std::sync::Arc::default();
    let received = exchange(&silent, &big, |client, server| {
        let means = Means::new(std::sync::Arc::clone(&counts));
        kept = Some(relay(client, server, means, usize::MAX));
    });
    assert!(received.0 == big.sent());
    assert!(counts.spliced() > 10_000_000, "{} of 20,000,000", counts.spliced());
    assert_eq!((counts.existing(), counts.shortages()), (1, 0), "one pipe serves whoever keeps up");
}

fn peer(seed: u8) -> impl Strategy<Value = Peer> {
    let size = prop_oneof![1..100_usize, 1..70_000_usize, 200_000..900_000_usize];
    let chunks = prop::collection::vec((size, 0..3_u64), 0..6);
    let receive_buffer = prop_oneof![Just(4_096_usize), Just(65_536), Just(1 << 20)];
    (chunks, prop_oneof![1_000..9_000_usize, Just(131_072)], 0..2_u64, receive_buffer)
        .prop_map(move |(chunks, reads, pause, receive_buffer)| Peer { chunks, reads, pause, receive_buffer, seed })
}

impl Peer {
    fn sent(&self) -> Vec<u8> {
        let total: usize = self.chunks.iter().map(|(size, _)| size).sum();
        let byte = |at: usize| (at.wrapping_mul(2_654_435_761) >> 13) as u8 ^ self.seed;
        (0..total).map(byte).collect()
    }

    fn converse(&self, stream: TcpStream) -> Vec<u8> {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        thread::scope(|threads| {
            threads.spawn(|| self.send(&stream));
            self.receive(&stream)
        })
    }

    fn send(&self, mut stream: &TcpStream) {
        let (sent, mut at) = (self.sent(), 0);
        for (size, pause) in &self.chunks {
            stream.write_all(&sent[at..at + size]).unwrap();
            at += size;
            thread::sleep(Duration::from_millis(*pause));
        }
        stream.shutdown(Shutdown::Write).unwrap();
    }

    fn receive(&self, mut stream: &TcpStream) -> Vec<u8> {
        let (mut received, mut buffer, mut naps) = (Vec::new(), vec![0; self.reads], 20);
        while let count @ 1.. = stream.read(&mut buffer).unwrap() {
            received.extend_from_slice(&buffer[..count]);
            if naps > 0 {
                naps -= 1;
                thread::sleep(Duration::from_millis(self.pause));
            }
        }
        received
    }
}

/// What the client and the server have received once both have finished.
fn exchange(client: &Peer, server: &Peer, relay: impl FnOnce(TcpStream, TcpStream)) -> (Vec<u8>, Vec<u8>) {
    let ((client_end, near), (server_end, far)) = (connected(client), connected(server));
    thread::scope(|threads| {
        let client = threads.spawn(move || client.converse(client_end));
        let server = threads.spawn(move || server.converse(server_end));
        relay(near, far);
        (client.join().unwrap(), server.join().unwrap())
    })
}

/// The peer's end and the relay's.
fn connected(peer: &Peer) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(peer.receive_buffer).unwrap();
    socket.connect(&listener.local_addr().unwrap().into()).unwrap();
    let (ours, _) = listener.accept().unwrap();
    ours.set_nonblocking(true).unwrap();
    (socket.into(), ours)
}

/// The oracle.
fn copy_bidirectional(client: TcpStream, server: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = tokio::net::TcpStream::from_std(client).unwrap();
        let mut server = tokio::net::TcpStream::from_std(server).unwrap();
        tokio::io::copy_bidirectional(&mut client, &mut server).await.unwrap();
    });
}

/// As the loop does it, with the same interest, edge-triggered: a forgotten edge hangs here too. After a direction has used its budget up it has a
/// turn in which it may read nothing.
fn relay(client: TcpStream, server: TcpStream, mut means: Means, budget: usize) -> Means {
    let (mut client, mut server) =
        (Socket::new(client.into(), Readiness::Both), Socket::new(server.into(), Readiness::Writable));
    let (mut to_client, mut to_server) = (Direction::default(), Direction::default());
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    epoll::add(&epoll, &client, epoll::EventData::new_u64(0), Socket::INTEREST).unwrap();
    epoll::add(&epoll, &server, epoll::EventData::new_u64(1), Socket::INTEREST).unwrap();
    let mut budgets = [budget; 2];
    loop {
        let pauses = budgets.map(|left| left == 0);
        let [for_client, for_server] = &mut budgets;
        let progress = [
            to_client.turn(&mut server, &mut client, &mut means, for_client, &mut 0).unwrap(),
            to_server.turn(&mut client, &mut server, &mut means, for_server, &mut 0).unwrap(),
        ];
        match progress {
            [Progress::Finished, Progress::Finished] => return means,
            [Progress::Finished, _] => client.finish().unwrap(),
            [_, Progress::Finished] => server.finish().unwrap(),
            _ => {}
        }
        if !progress.contains(&Progress::Spent) && pauses == [false; 2] {
            for event in wait(&epoll) {
                if event.data.u64() == 0 { client.told(event.flags) } else { server.told(event.flags) }
            }
        }
        for (left, paused) in budgets.iter_mut().zip(pauses) {
            *left = if paused { budget } else { *left };
        }
    }
}

fn wait(epoll: &impl std::os::fd::AsFd) -> Vec<epoll::Event> {
    let mut events = Vec::with_capacity(4);
    let patience = rustix::event::Timespec::try_from(PATIENCE).unwrap();
    epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), Some(&patience)).unwrap();
    assert!(!events.is_empty(), "nothing became ready: an edge was forgotten");
    events
}

fn lengths((client, server): &(Vec<u8>, Vec<u8>)) -> (usize, usize) {
    (client.len(), server.len())
}
