//! What a real server reads of a hello, we read too; every beginning of it needs more; and in whatever records it comes, it says the same.

#![no_main]

use fmc_lb::sni::{Reading, read};
use libfuzzer_sys::fuzz_target;
use rustls::server::Acceptor;

/// A message in records of at most `fragment` bytes.
fn records(message: &[u8], fragment: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    message.chunks(fragment).flat_map(record).collect()
}

fuzz_target!(|input: &[u8]| {
    let _ = read(input);
    // The first octet chooses the records, the rest is the body of a hello.
    let Some((fragment, body)) = input.split_first() else { return };
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let message = [&[1, length[1], length[2], length[3]][..], body].concat();
    let (whole, pieces) = (records(&message, 16_384), records(&message, 1 + usize::from(*fragment)));
    if pieces.len() >= fmc_lb::sni::LONGEST {
        return;
    }
    let ours = read(&whole);
    assert_eq!(read(&pieces), ours);
    assert!((0..pieces.len()).all(|cut| read(&pieces[..cut]) == Reading::NeedMore));

    let (mut acceptor, mut rest) = (Acceptor::default(), &whole[..]);
    while !rest.is_empty() && acceptor.read_tls(&mut rest).is_ok_and(|count| count > 0) {}
    let Ok(Some(accepted)) = acceptor.accept() else { return };
    let (theirs, Reading::Hello(ours)) = (accepted.client_hello(), ours) else { panic!("a server takes it, we do not") };
    if let Some(name) = theirs.server_name() {
        assert!(ours.server_name.is_some_and(|ours| ours.eq_ignore_ascii_case(name)));
    }
    if let Some(alpn) = theirs.alpn() {
        assert!(alpn.eq(ours.alpn.iter().map(Vec::as_slice)));
    }
});
