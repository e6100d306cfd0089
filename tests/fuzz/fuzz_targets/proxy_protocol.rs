//! What is a header to us is the same one to an independent decoder, every beginning of it needs more, and what goes on to a server says
//! the same.

#![no_main]

use fmc_lb::proxy_protocol::{Header, LONGEST, Reading, Told, decode, encode_v2};
use libfuzzer_sys::fuzz_target;
use proxy_header::{ParseConfig, ProxyHeader};

fuzz_target!(|input: &[u8]| {
    // The first octet chooses which signature the rest gets, so that the search is not for twelve octets in a row.
    let Some((choice, rest)) = input.split_first() else { return };
    let signature: &[u8] = [&b""[..], b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"][usize::from(choice % 3)];
    let bytes = [signature, rest].concat();
    let Ok(Reading::Header(header)) = decode(&bytes) else { return };
    assert!(header.length <= bytes.len() && header.length <= LONGEST);
    assert!((0..header.length).all(|cut| decode(&bytes[..cut]) == Ok(Reading::NeedMore)));
    agrees(&bytes, &header);

    let again = encode_v2(header.told, &header.tlvs);
    let Ok(Reading::Header(read)) = decode(&again) else { panic!("ours is not read: {again:02x?}") };
    assert_eq!((read.told, read.tlvs, read.length), (header.told, header.tlvs, again.len()));
});

fn agrees(bytes: &[u8], ours: &Header) {
    let Ok((theirs, length)) = ProxyHeader::parse(bytes, ParseConfig::default()) else { return };
    assert_eq!(length, ours.length);
    if let (Told::Client(ours), Some(theirs)) = (ours.told, theirs.proxied_address()) {
        assert_eq!(ours.source.ip().to_canonical(), theirs.source.ip().to_canonical());
        assert_eq!(ours.source.port(), theirs.source.port());
        assert_eq!(ours.destination.port(), theirs.destination.port());
    }
}
