//! Peers that behave badly, or in ways that few do: each relay keeps every byte or ends for a reason, and no other notices.

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use crate::harness::{Setup, manual_server};

/// RFC 6093 §6: the urgent mark means nothing that two implementations agree on, but the byte is a byte.
#[test]
fn an_urgent_byte_arrives_in_its_place_among_the_others_in_both_directions() {
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut ends = (running.connect(), accepted.recv().unwrap());
    for _ in 0..2 {
        let (from, to) = &mut ends;
        from.write_all(b"before ").unwrap();
        socket2::SockRef::from(&*from).send_out_of_band(b"!").unwrap();
        from.write_all(b" after").unwrap();
        let mut came = [0; 14];
        to.read_exact(&mut came).unwrap();
        assert_eq!(came.escape_ascii().to_string(), "before ! after");
        ends = (ends.1, ends.0);
    }
}

/// splice(2) stops before an urgent byte and calls it EAGAIN, which looks like a sender that pauses.
#[test]
fn an_urgent_byte_in_the_middle_of_bulk_holds_nothing_up() {
    const BULK: usize = 6_000_000;
    let (address, accepted) = manual_server();
    let running = Setup::with(&[address]).start();
    let mut client = running.connect();
    let mut server = accepted.recv().unwrap();
    let sending = thread::spawn(move || {
        client.write_all(&vec![b'x'; BULK]).unwrap();
        while socket2::SockRef::from(&client).send_out_of_band(b"!").is_err() {
            thread::sleep(Duration::from_millis(1));
        }
        client.write_all(b"and so on").unwrap();
        client
    });
    let mut came = vec![0; BULK + 10];
    server.read_exact(&mut came).unwrap();
    assert_eq!(came[BULK - 1..].escape_ascii().to_string(), "x!and so on");
    drop(sending.join().unwrap());
}
