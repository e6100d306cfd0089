use proptest::collection::vec;
use proptest::prelude::*;
use proxy_header::{ParseConfig, ProxyHeader};

use super::*;

fn endpoints(source: &str, destination: &str) -> Endpoints {
    Endpoints { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
}

fn header(bytes: &[u8]) -> Header {
    match decode(bytes) {
        Ok(Reading::Header(header)) => header,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bytes_are_those_of_the_specification() {
    let told = Told::Client(endpoints("192.168.0.7:51234", "192.168.0.33:443"));
    let expected = [
        0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c, 192, 168, 0, 7,
        192, 168, 0, 33, 0xc8, 0x22, 0x01, 0xbb,
    ];
    assert_eq!(encode_v2(told, &Tlvs::default()), expected);
    assert_eq!(header(&expected), Header { version: 2, told, tlvs: Tlvs::default(), length: 28 });
    let local = encode_v2(Told::Local, &Tlvs::default());
    assert_eq!(local[12..], [0x20, 0x00, 0x00, 0x00]);
    assert_eq!(header(&local).told, Told::Local);
}

#[test]
fn a_line_of_version_1_is_read_and_what_follows_is_the_clients() {
    for (line, told) in [
        ("PROXY TCP4 192.168.0.7 192.168.0.33 51234 443", endpoints("192.168.0.7:51234", "192.168.0.33:443")),
        ("PROXY TCP6 2001:db8::7 2001:db8::33 1 65535", endpoints("[2001:db8::7]:1", "[2001:db8::33]:65535")),
        ("PROXY TCP6 ::ffff:10.0.0.7 ::ffff:10.0.0.1 5 443", endpoints("10.0.0.7:5", "10.0.0.1:443")),
    ] {
        let bytes = format!("{line}\r\nGET / HTTP/1.1\r\n");
        let expected = Header { version: 1, told: Told::Client(told), tlvs: Tlvs::default(), length: line.len() + 2 };
        assert_eq!(header(bytes.as_bytes()), expected);
    }
    assert_eq!(header(b"PROXY UNKNOWN\r\n").told, Told::Nobody);
    assert_eq!(header(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n").told, Told::Nobody);
}

#[test]
fn a_line_that_is_not_exactly_one_is_refused() {
    for line in [
        "PROXY TCP4 192.168.0.7 192.168.0.33 51234\r\n",
        "PROXY TCP4 192.168.0.7 192.168.0.33 51234 443 1\r\n",
        "PROXY TCP4  192.168.0.7 192.168.0.33 51234 443\r\n",
        "PROXY TCP4 192.168.0.7 192.168.0.33 051234 443\r\n",
        "PROXY TCP4 192.168.0.7 192.168.0.33 +1 443\r\n",
        "PROXY TCP4 192.168.0.7 192.168.0.33 65536 443\r\n",
        "PROXY TCP4 2001:db8::7 192.168.0.33 1 443\r\n",
        "PROXY TCP6 192.168.0.7 192.168.0.33 1 443\r\n",
        "PROXY UDP4 192.168.0.7 192.168.0.33 1 443\r\n",
        "PROXY tcp4 192.168.0.7 192.168.0.33 1 443\r\n",
        "PROXY \r\n",
    ] {
        assert_eq!(decode(line.as_bytes()), Err(Malformed::Line), "{line:?}");
    }
    let endless = format!("PROXY UNKNOWN {}", "x".repeat(200));
    assert_eq!(decode(endless.as_bytes()), Err(Malformed::Line));
    assert_eq!(decode(&endless.as_bytes()[..106]), Ok(Reading::NeedMore));
}

/// A header of version 2 with `body` behind its length.
fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend(body);
    bytes
}

const ADDRESSES: [u8; 12] = [10, 8, 0, 7, 10, 8, 0, 1, 0x12, 0x34, 0x01, 0xbb];

#[test]
fn each_rule_of_version_2_has_its_own_word() {
    let long = vec![0; LONGEST];
    for (bytes, fault) in [
        (v2(0x11, 0x11, &ADDRESSES), Malformed::Version),
        (v2(0x22, 0x11, &ADDRESSES), Malformed::Command),
        (v2(0x21, 0x41, &ADDRESSES), Malformed::Family),
        (v2(0x21, 0x13, &ADDRESSES), Malformed::Family),
        (v2(0x21, 0x11, &ADDRESSES[..11]), Malformed::TooShort),
        (v2(0x21, 0x21, &ADDRESSES), Malformed::TooShort),
        (v2(0x21, 0x31, &[0; 215]), Malformed::TooShort),
        (v2(0x21, 0x11, &long), Malformed::TooLong),
        (v2(0x21, 0x11, &[&ADDRESSES[..], &[2, 0]].concat()), Malformed::Tlv),
        (v2(0x21, 0x11, &[&ADDRESSES[..], &[2, 0, 2, b'x']].concat()), Malformed::Tlv),
        (v2(0x21, 0x11, &[&ADDRESSES[..], &[3, 0, 4, 1, 2, 3, 4]].concat()), Malformed::Checksum),
        (v2(0x21, 0x11, &[&ADDRESSES[..], &[3, 0, 1, 1]].concat()), Malformed::Tlv),
    ] {
        assert_eq!(decode(&bytes), Err(fault), "{bytes:02x?}");
    }
}

#[test]
fn who_cannot_be_named_is_nobody_and_who_is_local_has_no_client() {
    assert_eq!(header(&v2(0x21, 0x00, &[])).told, Told::Nobody);
    assert_eq!(header(&v2(0x21, 0x31, &[0; 216])).told, Told::Nobody);
    assert_eq!(header(&v2(0x21, 0x12, &ADDRESSES)).told, Told::Nobody, "a datagram is not this stream's client");
    assert_eq!(header(&v2(0x20, 0x11, &ADDRESSES)).told, Told::Local, "whatever addresses stand there");
}

#[test]
fn a_checksum_is_verified_and_neither_it_nor_padding_is_passed_on() {
    let authority = [2, 0, 3, b'l', b'a', b'b'];
    let body = [&ADDRESSES[..], &[4, 0, 2, 0, 0], &authority, &[3, 0, 4, 0, 0, 0, 0], &[0xe0, 0, 0]].concat();
    let mut bytes = v2(0x21, 0x11, &body);
    let at = 16 + 12 + 5 + authority.len() + 3;
    let sum = crc32c::of(&[&bytes]).to_be_bytes();
    bytes[at..at + 4].copy_from_slice(&sum);
    assert_eq!(header(&bytes).tlvs.as_bytes(), [&authority[..], &[0xe0, 0, 0]].concat());
    bytes[20] ^= 1;
    assert_eq!(decode(&bytes), Err(Malformed::Checksum));
}

#[test]
fn what_begins_otherwise_is_no_header_at_its_first_byte() {
    for other in [&b"GET / HTTP/1.1"[..], b"\x16\x03\x01", b"PRI * HTTP/2.0", b"\r\nSSH", b"Q"] {
        assert_eq!(decode(other), Ok(Reading::NoHeader), "{other:?}");
    }
    assert_eq!(decode(b""), Ok(Reading::NeedMore));
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    let v4 = any::<([u8; 4], u16)>().prop_map(SocketAddr::from);
    let v6 = any::<([u8; 16], u16)>().prop_map(SocketAddr::from);
    prop_oneof![v4, v6]
}

fn any_tlvs() -> impl Strategy<Value = Tlvs> {
    let one = (5_u8.., vec(any::<u8>(), 0..40));
    vec(one, 0..5).prop_map(|all| {
        let put = |(kind, value): (u8, Vec<u8>)| [&[kind, 0, value.len() as u8][..], &value].concat();
        let bytes: Vec<u8> = all.into_iter().flat_map(put).collect();
        Tlvs::decode(&bytes, 0).unwrap()
    })
}

proptest! {
    #[test]
    fn an_independent_decoder_reads_what_we_wrote_and_so_do_we(
        source in any_address(), destination in any_address(), tlvs in any_tlvs(), rest in vec(any::<u8>(), 0..20),
    ) {
        let told = Told::Client(Endpoints::canonical(source, destination));
        let mut bytes = encode_v2(told, &tlvs);
        let length = bytes.len();
        bytes.extend(&rest);
        let ours = header(&bytes);
        let (theirs, their_length) = ProxyHeader::parse(&bytes, ParseConfig::default()).unwrap();
        prop_assert_eq!((ours.length, their_length), (length, length));
        prop_assert_eq!(&ours.tlvs, &tlvs);
        let Told::Client(read) = ours.told else { panic!("{ours:?}") };
        let seen = theirs.proxied_address().unwrap();
        prop_assert_eq!(Endpoints::canonical(seen.source, seen.destination), read);
        prop_assert_eq!(read.source.ip().to_canonical(), source.ip().to_canonical());
        prop_assert_eq!(read.destination.port(), destination.port());
    }

    #[test]
    fn every_beginning_of_a_header_needs_more(
        source in any_address(), destination in any_address(), tlvs in any_tlvs(), is_line in any::<bool>(),
    ) {
        let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
        let bytes = match is_line && source.is_ipv4() == destination.is_ipv4() {
            true => format!("PROXY {family} {} {} {} {}\r\n", source.ip(), destination.ip(), source.port(), destination.port())
                .into_bytes(),
            false => encode_v2(Told::Client(Endpoints { source, destination }), &tlvs),
        };
        for cut in 0..bytes.len() {
            prop_assert_eq!(decode(&bytes[..cut]), Ok(Reading::NeedMore));
        }
        prop_assert_eq!(header(&bytes).length, bytes.len());
    }

    #[test]
    fn no_bytes_make_it_panic(mut bytes in vec(any::<u8>(), 0..200), kind in 0..3_usize) {
        let signature: &[u8] = [&b""[..], b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"][kind];
        bytes.splice(0..0, signature.iter().copied());
        if let Ok(Reading::Header(header)) = decode(&bytes) {
            prop_assert!(header.length <= bytes.len() && header.length <= LONGEST);
        }
    }
}
