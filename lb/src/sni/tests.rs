use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;

/// `[type, data]` as it stands in a hello.
fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

fn name_extension(name: &str) -> Vec<u8> {
    let entry = [&[HOST_NAME][..], &(name.len() as u16).to_be_bytes(), name.as_bytes()].concat();
    extension(SERVER_NAME, &[&(entry.len() as u16).to_be_bytes()[..], &entry].concat())
}

/// A hello with these extensions, in records of `fragment` bytes.
fn hello_of(extensions: &[u8], fragment: usize) -> Vec<u8> {
    let mut body = [&[3, 3][..], &[7; 32], &[0], &[0, 2, 0x13, 0x01], &[1, 0]].concat();
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let message = [&[CLIENT_HELLO][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat();
    records(&message, fragment)
}

fn records(message: &[u8], fragment: usize) -> Vec<u8> {
    let record = |part: &[u8]| [&[HANDSHAKE, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    message.chunks(fragment).flat_map(record).collect()
}

fn named(name: &str) -> Reading {
    Reading::Hello(ClientHello { server_name: Some(name.to_owned()), alpn: Vec::new() })
}

#[test]
fn a_hello_of_post_quantum_size_is_read_over_as_many_records_as_it_takes() {
    // X25519MLKEM768: 1216 octets of key share (draft-ietf-tls-ecdhe-mlkem).
    let extensions = [extension(51, &[1; 1216 + 6]), name_extension("Grafana.LAB")].concat();
    for fragment in [1, 5, 100, 1400, LONGEST_FRAGMENT] {
        let bytes = hello_of(&extensions, fragment);
        assert_eq!(read(&bytes), named("grafana.lab"), "{fragment}");
    }
}

#[test]
fn the_outer_name_of_an_encrypted_hello_is_what_can_be_seen() {
    let extensions = [name_extension("front.lab"), extension(0xfe0d, &[9; 3000])].concat();
    assert_eq!(read(&hello_of(&extensions, 1000)), named("front.lab"));
}

#[test]
fn who_names_nobody_has_a_hello_without_a_name() {
    assert_eq!(read(&hello_of(&[], 100)), Reading::Hello(ClientHello::default()));
    let latin = extension(SERVER_NAME, &[0, 5, 0, 0, 2, 0xff, 0xfe]);
    assert_eq!(read(&hello_of(&latin, 100)), Reading::Hello(ClientHello::default()));
}

#[test]
fn what_is_no_hello_is_seen_to_be_none_at_the_byte_that_says_so() {
    for other in [
        &b"G"[..],
        b"\x16\x02",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\x40\x01",
        b"\x16\x03\x01\x00\x01\x02",
        b"\x80\x2e\x01",
        b"\x17\x03\x03",
        b"SSH-2.0-",
    ] {
        assert_eq!(read(other), Reading::NoHello, "{other:02x?}");
    }
    assert_eq!(read(b""), Reading::NeedMore);
    let huge = [&[HANDSHAKE, 3, 1, 0x40, 0][..], &[CLIENT_HELLO, 1, 0, 0], &[0; 0x4000 - 4]].concat();
    assert_eq!(read(&huge), Reading::NoHello, "longer than anybody's");
}

#[test]
fn a_hello_whose_lengths_do_not_fit_is_none() {
    let whole = hello_of(&name_extension("grafana.lab"), 4096);
    for at in [44, 48, 50, 51, 55, 57, 60] {
        let mut wrong = whole.clone();
        wrong[at] = wrong[at].wrapping_add(1);
        assert_eq!(read(&wrong), Reading::NoHello, "octet {at}");
    }
}

/// What rustls, as a client, says first; in fragments of at most `fragment` bytes.
fn of_rustls(name: &str, alpn: &[Vec<u8>], fragment: usize) -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    // It never comes so far as to trust anybody.
    let mut config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    config.alpn_protocols = alpn.to_vec();
    config.max_fragment_size = Some(fragment);
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// What rustls, as a server, reads of it.
fn seen_by_rustls(bytes: &[u8]) -> ClientHello {
    let (mut acceptor, mut bytes) = (rustls::server::Acceptor::default(), bytes);
    loop {
        acceptor.read_tls(&mut bytes).unwrap();
        if let Ok(Some(accepted)) = acceptor.accept() {
            let hello = accepted.client_hello();
            return ClientHello {
                server_name: hello.server_name().map(str::to_owned),
                alpn: hello.alpn().into_iter().flatten().map(<[u8]>::to_vec).collect(),
            };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn we_read_of_a_real_client_what_a_real_server_reads(
        name in "[a-z][a-z0-9]{0,20}(\\.[a-z][a-z0-9-]{0,20}[a-z0-9]){0,3}",
        alpn in vec(vec(any::<u8>(), 1..40), 0..60),
        fragment in 32..2000_usize,
        after in vec(any::<u8>(), 0..30),
    ) {
        let mut bytes = of_rustls(&name, &alpn, fragment);
        for cut in 0..bytes.len() {
            prop_assert_eq!(read(&bytes[..cut]), Reading::NeedMore);
        }
        let seen = seen_by_rustls(&bytes);
        prop_assert_eq!(seen.server_name.as_deref(), Some(name.as_str()));
        bytes.extend(after);
        prop_assert_eq!(read(&bytes), Reading::Hello(seen));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..300), fragment in 1..300_usize, is_framed in any::<bool>()) {
        let bytes = if is_framed { records(&[&[CLIENT_HELLO, 0, 0, bytes.len() as u8][..], &bytes].concat(), fragment) } else { bytes };
        let _ = read(&bytes);
        let _ = read(&hello_of(&bytes, fragment));
    }
}
