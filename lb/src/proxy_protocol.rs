//! The PROXY protocol, version 2 (HAProxy's `doc/proxy-protocol.txt`): tells a server who its client is.
//!
//! ```text
//!  0..12  signature  0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
//!  12     version 2, command PROXY
//!  13     family AF_INET, protocol STREAM
//!  14..16 length of what follows
//!  16..20 source address      20..24 destination address
//!  24..26 source port         26..28 destination port      (network order)
//! ```

use std::net::SocketAddrV4;

/// Bytes of a header for TCP over IPv4 without TLVs.
pub const V2_TCP4_LEN: usize = 28;

/// Chosen by the protocol so that no HTTP, TLS or SMTP server can take it for a request (§2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const VERSION_2_COMMAND_PROXY: u8 = 0x21;
const AF_INET_STREAM: u8 = 0x11;
const ADDRESSES_LEN: u16 = 12;

/// The header a server reads before the client's first byte: `source` is the client, `destination` what it connected to.
pub fn encode_v2(source: SocketAddrV4, destination: SocketAddrV4) -> [u8; V2_TCP4_LEN] {
    let mut header = [0; V2_TCP4_LEN];
    header[..12].copy_from_slice(&SIGNATURE);
    header[12] = VERSION_2_COMMAND_PROXY;
    header[13] = AF_INET_STREAM;
    header[14..16].copy_from_slice(&ADDRESSES_LEN.to_be_bytes());
    header[16..20].copy_from_slice(&source.ip().octets());
    header[20..24].copy_from_slice(&destination.ip().octets());
    header[24..26].copy_from_slice(&source.port().to_be_bytes());
    header[26..28].copy_from_slice(&destination.port().to_be_bytes());
    header
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use proptest::prelude::*;
    use proxy_header::{ParseConfig, ProxyHeader};

    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_specification() {
        let client = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 7), 51234);
        let vip = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 33), 443);
        let expected = [
            0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c, 192, 168,
            0, 7, 192, 168, 0, 33, 0xc8, 0x22, 0x01, 0xbb,
        ];
        assert_eq!(encode_v2(client, vip), expected);
    }

    proptest! {
        #[test]
        fn an_independent_decoder_reads_what_we_wrote(a in any::<u32>(), ap in any::<u16>(), b in any::<u32>(), bp in any::<u16>()) {
            let source = SocketAddrV4::new(a.into(), ap);
            let destination = SocketAddrV4::new(b.into(), bp);
            let header = encode_v2(source, destination);
            let (decoded, length) = ProxyHeader::parse(&header, ParseConfig::default()).unwrap();
            let addresses = decoded.proxied_address().unwrap();
            prop_assert_eq!(length, V2_TCP4_LEN);
            prop_assert_eq!(addresses.source, SocketAddr::V4(source));
            prop_assert_eq!(addresses.destination, SocketAddr::V4(destination));
        }
    }
}
