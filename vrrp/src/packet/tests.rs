use pnet::util::{checksum as pnet_message, ipv4_checksum};
use proptest::prelude::*;

use super::*;

mod ipv6;
mod version_2;

const H1: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 11));
const H2: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 12));
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
/// The form is what is sent; both are received.
const V3: Version = Version::V3(ChecksumForm::PseudoHeader);

fn decode(ip: &IpMeta, bytes: &[u8]) -> Result<Received, Discarded> {
    Advertisement::decode(ip, V3, bytes)
}

struct Golden {
    name: &'static str,
    priority: u8,
    interval: u16,
    source: IpAddr,
    destination: IpAddr,
    form: ChecksumForm,
    bytes: [u8; 12],
}

/// Captured from Keepalived 2.2.7; tshark says every checksum is right. The second is RFC 9568's form of the first.
const GOLDEN: [Golden; 6] = [
    Golden {
        name: "multicast, priority 150, 100 cs",
        priority: 150,
        interval: 100,
        source: H1,
        destination: MULTICAST_GROUP,
        form: ChecksumForm::PseudoHeader,
        bytes: [0x31, 0x33, 0x96, 0x01, 0x00, 0x64, 0xd3, 0x67, 0xc0, 0x00, 0x02, 0x64],
    },
    Golden {
        name: "the same, message alone",
        priority: 150,
        interval: 100,
        source: H1,
        destination: MULTICAST_GROUP,
        form: ChecksumForm::Message,
        bytes: [0x31, 0x33, 0x96, 0x01, 0x00, 0x64, 0x76, 0x02, 0xc0, 0x00, 0x02, 0x64],
    },
    Golden {
        name: "multicast, resignation",
        priority: 0,
        interval: 100,
        source: H1,
        destination: MULTICAST_GROUP,
        form: ChecksumForm::PseudoHeader,
        bytes: [0x31, 0x33, 0x00, 0x01, 0x00, 0x64, 0x69, 0x68, 0xc0, 0x00, 0x02, 0x64],
    },
    Golden {
        name: "multicast, priority 150, 10 cs",
        priority: 150,
        interval: 10,
        source: H1,
        destination: MULTICAST_GROUP,
        form: ChecksumForm::PseudoHeader,
        bytes: [0x31, 0x33, 0x96, 0x01, 0x00, 0x0a, 0xd3, 0xc1, 0xc0, 0x00, 0x02, 0x64],
    },
    Golden {
        name: "unicast, priority 100, 10 cs",
        priority: 100,
        interval: 10,
        source: H2,
        destination: H1,
        form: ChecksumForm::PseudoHeader,
        bytes: [0x31, 0x33, 0x64, 0x01, 0x00, 0x0a, 0x23, 0xc8, 0xc0, 0x00, 0x02, 0x64],
    },
    Golden {
        name: "unicast, priority 150, 10 cs",
        priority: 150,
        interval: 10,
        source: H1,
        destination: H2,
        form: ChecksumForm::PseudoHeader,
        bytes: [0x31, 0x33, 0x96, 0x01, 0x00, 0x0a, 0xf1, 0xc7, 0xc0, 0x00, 0x02, 0x64],
    },
];

fn advertisement(priority: u8, interval: u16) -> Advertisement {
    Advertisement::of_one(id(51), Priority::new(priority), Centiseconds::new(interval).unwrap(), VIP)
}

fn id(octet: u8) -> VirtualRouterId {
    VirtualRouterId::new(octet).unwrap()
}

fn multicast(ttl: u8) -> IpMeta {
    IpMeta { ttl, source: H1, destination: MULTICAST_GROUP }
}

/// The first golden packet with one octet changed and the checksum made right again.
fn altered(offset: usize, octet: u8) -> [u8; 12] {
    let mut bytes = GOLDEN[0].bytes;
    bytes[offset] = octet;
    bytes[CHECKSUM].fill(0);
    let sum = checksum::of(ChecksumForm::Message, H1, MULTICAST_GROUP, &bytes);
    bytes[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Proves V-11, V-13+, V-15+, V-16, V-26.
#[test]
fn captured_packets_encode_to_the_same_octets_over_junk() {
    for golden in &GOLDEN {
        let mut out = [0xa5; 40];
        let advertisement = advertisement(golden.priority, golden.interval);
        let written = advertisement.encode(golden.source, golden.destination, Version::V3(golden.form), &mut out);
        assert_eq!(out[..written], golden.bytes, "{}", golden.name);
        assert!(out[written..].iter().all(|&octet| octet == 0xa5), "{}: wrote beyond its length", golden.name);
    }
}

/// Proves V-15+.
#[test]
fn captured_packets_decode_and_tell_their_checksum_form() {
    for golden in &GOLDEN {
        let ip = IpMeta { ttl: 255, source: golden.source, destination: golden.destination };
        let received = decode(&ip, &golden.bytes).unwrap();
        assert_eq!(received.advertisement, advertisement(golden.priority, golden.interval), "{}", golden.name);
        assert_eq!(received.checksum, golden.form, "{}", golden.name);
    }
}

/// Proves V-15-, V-50-, V-51, V-52, V-53-, V-54, V-55, V-57, V-95.
#[test]
fn each_rule_of_7_1_discards_by_its_own_name() {
    let good = GOLDEN[0].bytes;
    let mut longer = good.to_vec();
    longer.extend([0; 4]);
    let cases: [(&str, u8, &[u8], Discarded); 12] = [
        ("ttl", 254, &good, Discarded::Ttl(254)),
        ("nothing", 255, &[], Discarded::Length(0)),
        ("version 2", 255, &altered(0, 0x21), Discarded::Version { theirs: 2, ours: 3 }),
        ("version 7", 255, &altered(0, 0x71), Discarded::Version { theirs: 7, ours: 3 }),
        ("type", 255, &altered(0, 0x32), Discarded::Type(2)),
        ("header cut", 255, &good[..7], Discarded::Length(7)),
        ("address cut", 255, &good[..11], Discarded::Length(11)),
        ("trailing octets inside the IP length", 255, &longer, Discarded::Length(16)),
        ("count beyond the packet", 255, &altered(3, 2), Discarded::Length(12)),
        ("checksum", 255, &[0x31, 0x33, 0x96, 1, 0, 0x64, 0, 0, 192, 0, 2, 100], Discarded::Checksum),
        ("identifier 0", 255, &altered(1, 0), Discarded::VirtualRouterId(0)),
        ("interval 0", 255, &altered(5, 0), Discarded::Interval),
    ];
    for (name, ttl, bytes, expected) in cases {
        assert_eq!(decode(&multicast(ttl), bytes), Err(expected), "{name}");
    }
}

/// Proves V-56.
#[test]
fn an_advertisement_of_no_address_is_discarded() {
    let mut bytes = altered(3, 0)[..8].to_vec();
    bytes[CHECKSUM].fill(0);
    let sum = checksum::of(ChecksumForm::Message, H1, MULTICAST_GROUP, &bytes);
    bytes[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(decode(&multicast(255), &bytes), Err(Discarded::AddressList));
}

/// Proves V-13-.
#[test]
fn the_reserved_bits_are_ignored_on_receive() {
    let received = decode(&multicast(255), &altered(4, 0xf0)).unwrap();
    assert_eq!(received.advertisement.interval.get(), 100);
}

#[test]
fn every_reason_has_its_own_counter() {
    let mut names = Discarded::COUNTERS.to_vec();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Discarded::COUNTERS.len());
    assert_eq!(Discarded::Checksum.counter(), "checksum-errors");
    assert_eq!(Discarded::OwnAddress.counter(), "own-address-pkts");
}

fn any_advertisement() -> impl Strategy<Value = Advertisement> {
    of_addresses(any::<Ipv4Addr>())
}

fn of_addresses<A: Into<IpAddr> + std::fmt::Debug>(
    address: impl Strategy<Value = A>,
) -> impl Strategy<Value = Advertisement> {
    let addresses = proptest::collection::vec(address, 1..=MAX_ADDRESSES);
    (1..=255_u8, any::<u8>(), 1..=4095_u16, addresses).prop_map(|(vrid, priority, interval, addresses)| Advertisement {
        virtual_router_id: id(vrid),
        priority: Priority::new(priority),
        interval: Centiseconds::new(interval).unwrap(),
        addresses: addresses.into_iter().map(Into::into).collect(),
    })
}

fn any_form() -> impl Strategy<Value = ChecksumForm> {
    prop_oneof![Just(ChecksumForm::PseudoHeader), Just(ChecksumForm::Message)]
}

proptest! {
    #[test]
    fn decode_of_encode_is_the_same(sent in any_advertisement(), form in any_form(), source: Ipv4Addr) {
        let source = IpAddr::V4(source);
        let mut bytes = [0xff; MAX_LEN];
        let length = sent.encode(source, MULTICAST_GROUP, Version::V3(form), &mut bytes);
        let ip = IpMeta { ttl: 255, source, destination: MULTICAST_GROUP };
        let received = decode(&ip, &bytes[..length]).unwrap();
        prop_assert_eq!(&received.advertisement, &sent);
        // A pseudo-header that sums to nothing makes both forms the same octets.
        let same = |form| {
            let mut other = [0; MAX_LEN];
            sent.encode(source, MULTICAST_GROUP, Version::V3(form), &mut other);
            other[..length] == bytes[..length]
        };
        prop_assert!(received.checksum == form || same(received.checksum));
    }

    #[test]
    fn the_checksum_is_what_pnet_computes(sent in any_advertisement(), from: Ipv4Addr) {
        let (source, group) = (IpAddr::V4(from), Ipv4Addr::new(224, 0, 0, 18));
        let mut bytes = [0; MAX_LEN];
        let length = sent.encode(source, MULTICAST_GROUP, Version::V3(ChecksumForm::Message), &mut bytes);
        let message = u16::from_be_bytes([bytes[6], bytes[7]]);
        prop_assert_eq!(message, pnet_message(&bytes[..length], 3));
        sent.encode(source, MULTICAST_GROUP, Version::V3(ChecksumForm::PseudoHeader), &mut bytes);
        let with_header = u16::from_be_bytes([bytes[6], bytes[7]]);
        let vrrp = pnet::packet::ip::IpNextHeaderProtocols::Vrrp;
        prop_assert_eq!(with_header, ipv4_checksum(&bytes[..length], 3, &[], &from, &group, vrrp));
    }

    #[test]
    fn no_octets_make_decode_panic(ttl: u8, bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let decoded = decode(&multicast(ttl), &bytes);
        prop_assert!(decoded.is_err() || bytes.len() == decoded.map_or(0, |received| received.advertisement.len(V3)));
    }

    #[test]
    fn whatever_is_accepted_encodes_to_the_same_octets_but_the_reserved_bits(
        mut bytes in proptest::collection::vec(any::<u8>(), 12..=12), reserved in 0..16_u8,
    ) {
        bytes[0] = 0x31;
        bytes[3] = 1;
        bytes[4] = (bytes[4] & 0x0f) | (reserved << 4);
        bytes[CHECKSUM].fill(0);
        let sum = checksum::of(ChecksumForm::PseudoHeader, H1, MULTICAST_GROUP, &bytes);
        bytes[CHECKSUM].copy_from_slice(&sum.to_be_bytes());
        if let Ok(received) = decode(&multicast(255), &bytes) {
            let mut again = [0; 12];
            received.advertisement.encode(H1, MULTICAST_GROUP, Version::V3(received.checksum), &mut again);
            prop_assert_eq!(&again[..4], &bytes[..4]);
            prop_assert_eq!(again[4], bytes[4] & 0x0f);
            prop_assert_eq!(again[5], bytes[5]);
            prop_assert_eq!(&again[8..], &bytes[8..]);
        }
    }
}

#[test]
fn an_observer_reads_both_versions_and_whatever_authentication() {
    let two = [0x21, 51, 110, 1, 1, 1, 0, 0, 192, 168, 0, 32, b'l', b'a', b'b', b'p', b'a', b'i', b'r', 0];
    let seen = Advertisement::glance(Family::V4, &two).unwrap();
    assert_eq!((seen.virtual_router_id.get(), seen.priority.get(), seen.interval.get()), (51, 110, 100));
    assert_eq!(seen.addresses.as_slice(), [IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32))]);
    let three = [0x31, 32, 254, 1, 0xf0, 10, 0, 0, 192, 168, 0, 32];
    assert_eq!(Advertisement::glance(Family::V4, &three).unwrap().interval.get(), 10);
    for none in
        [&[][..], &[0x31; 7], &[0x41, 1, 1, 1, 0, 1, 0, 0], &[0x31, 1, 1, 1, 0, 0, 0, 0], &[0x31, 0, 1, 1, 0, 1, 0, 0]]
    {
        assert_eq!(Advertisement::glance(Family::V4, none), None, "{none:02x?}");
    }
    let count_lies = [0x31, 32, 254, 255, 0, 10, 0, 0, 192, 168, 0, 32, 1, 2];
    assert_eq!(Advertisement::glance(Family::V4, &count_lies).unwrap().addresses.len(), 1);
}
