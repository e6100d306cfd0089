//! What a third host may say on the link, of which none should cost a client anything: for `bench/election`.

use std::net::Ipv4Addr;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fmc_tests::junk::{GROUP, socket};
use fmc_tests::lab::Lab;
use socket2::SockAddr;

/// The machine that says it, and the address that it speaks of.
const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 50);
const WEB: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 33);
/// Twenty a second: nothing that a network would notice.
const EVERY: Duration = Duration::from_millis(50);
/// Where the checksum stands.
const CHECKSUM: usize = 6;

/// What a pair speaks about the web's address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoken {
    /// 2 or 3.
    pub(crate) version: u8,
    /// VRID.
    pub(crate) virtual_router_id: u8,
}

/// A claim of priority 200 and what is wrong with it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// As printed.
    pub(crate) name: &'static str,
    spoil: fn(&mut Claim),
}

/// An advertisement in the making.
#[derive(Debug)]
struct Claim {
    ttl: u32,
    version: u8,
    message: Vec<u8>,
}

/// The matrix.
pub(crate) const KINDS: [Kind; 9] = [
    Kind { name: "junk: wrong checksum", spoil: |claim| claim.message[CHECKSUM] ^= 0xff },
    Kind { name: "junk: TTL 64", spoil: |claim| claim.ttl = 64 },
    Kind { name: "junk: version 7", spoil: |claim| claim.set(0, 0x71) },
    Kind { name: "junk: no address", spoil: |claim| claim.set(3, 0) },
    Kind { name: "junk: interval 0", spoil: |claim| claim.set(5, 0) },
    Kind { name: "junk: another password", spoil: Claim::become_version_2_with_a_password },
    Kind { name: "junk: checksum without pseudo-header", spoil: Claim::forget_the_pseudo_header },
    Kind { name: "junk: another virtual router", spoil: |claim| claim.set(1, 177) },
    Kind { name: "forged resignation", spoil: |claim| claim.set(2, 0) },
];

/// Says it from the client's machine for `span`.
pub(crate) fn start(lab: &Lab, kind: Kind, spoken: Spoken, span: Duration) -> JoinHandle<()> {
    let mut claim = Claim::of(spoken);
    (kind.spoil)(&mut claim);
    lab.client().thread(move || say(&claim, span))
}

fn say(claim: &Claim, span: Duration) {
    let socket = socket(claim.ttl);
    let started = Instant::now();
    while started.elapsed() < span {
        socket.send_to(&claim.message, &SockAddr::from(GROUP)).expect("the client's machine sends");
        std::thread::sleep(EVERY);
    }
}

impl Claim {
    fn of(Spoken { version, virtual_router_id }: Spoken) -> Self {
        // An interval is of hundredths in version 3, of seconds in version 2, whose authentication data stands at the end.
        let (head, interval, data) = if version == 3 { (0x31, 10, 0) } else { (0x21, 1, 8) };
        let mut message = vec![head, virtual_router_id, 200, 1, 0, interval, 0, 0];
        message.extend(WEB.octets());
        message.resize(message.len() + data, 0);
        let mut claim = Self { ttl: 255, version, message };
        claim.sum();
        claim
    }

    /// One octet is another, and the checksum is right.
    fn set(&mut self, place: usize, octet: u8) {
        self.message[place] = octet;
        self.sum();
    }

    fn become_version_2_with_a_password(&mut self) {
        *self = Self::of(Spoken { version: 2, virtual_router_id: self.message[1] });
        let password = self.message.len() - 8;
        self.message[password..].copy_from_slice(b"another\0");
        self.set(4, 1);
    }

    /// RFC 9568 may be read so; of a priority that harms nobody, for whoever takes it.
    fn forget_the_pseudo_header(&mut self) {
        self.message[2] = 1;
        self.sum_from(0);
    }

    fn sum(&mut self) {
        let words = |address: Ipv4Addr| address.octets().chunks(2).map(word).sum::<u32>();
        let length = u32::try_from(self.message.len()).unwrap_or_default();
        let pseudo_header = words(CLIENT) + words(*GROUP.ip()) + 112 + length;
        self.sum_from(if self.version == 3 { pseudo_header } else { 0 });
    }

    fn sum_from(&mut self, start: u32) {
        self.message[CHECKSUM..CHECKSUM + 2].fill(0);
        let mut sum = self.message.chunks(2).map(word).sum::<u32>() + start;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        let checksum = (!sum & 0xffff) as u16;
        self.message[CHECKSUM..CHECKSUM + 2].copy_from_slice(&checksum.to_be_bytes());
    }
}

fn word(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |word, octet| (word << 8) | u32::from(*octet))
}
