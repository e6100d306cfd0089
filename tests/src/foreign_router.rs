//! A VRRP router of another make on a machine of the lab, by scapy: `tests/peers/vrrp_router.py`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::eventually::eventually;
use crate::lab::Lab;

/// Debian's interpreter, the one that has Debian's scapy.
const PYTHON: &str = "/usr/bin/python3";

/// One thing that was seen or done on the wire.
#[derive(Debug, Clone, Deserialize)]
pub struct Seen {
    /// In seconds, by the clock of [`now`].
    pub at: f64,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// What a frame is, in the words of scapy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "saw", rename_all = "lowercase")]
pub enum What {
    /// It runs.
    Ready {
        /// Of its interface.
        hardware: String,
    },
    /// A frame of its own.
    Sent {
        /// As it was ordered.
        name: String,
    },
    /// Somebody's advertisement.
    Advert(Advert),
    /// A gratuitous ARP, or an unsolicited neighbour advertisement.
    Announcement {
        /// That is announced.
        address: String,
        /// Where it is from now on.
        hardware: String,
        /// `request`, `reply`; `override` or `plain` for IPv6.
        form: String,
    },
    /// Somebody says where an address is that was asked for.
    Answer {
        /// That was asked for.
        address: String,
        /// Where it is.
        hardware: String,
    },
    /// Somebody answers a ping.
    Echo {
        /// That was pinged.
        address: String,
    },
    /// A heartbeat between the nodes.
    Heartbeat {
        /// As sent.
        source: String,
        /// As sent.
        destination: String,
        /// In hexadecimal.
        payload: String,
    },
    /// A record of a membership report, of IGMPv3 or MLDv2.
    Joined {
        /// The group.
        group: String,
    },
}

/// An advertisement as scapy reads it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Advert {
    /// 2 or 3.
    pub version: u8,
    /// VRID.
    pub vrid: u8,
    /// 0: the sender gives the address up.
    pub priority: u8,
    /// Hundredths of a second, in version 2 seconds.
    pub interval: u16,
    /// In their order.
    pub addresses: Vec<String>,
    /// As sent.
    pub source: String,
    /// As sent.
    pub destination: String,
    /// Or hop limit.
    pub ttl: u8,
    /// Or type of service.
    pub traffic_class: u8,
    /// By scapy's reckoning.
    pub checksum_holds: bool,
    /// Of the frame.
    pub from_hardware: String,
    /// Of the frame.
    pub to_hardware: String,
}

/// An advertisement to send, right or wrong; the fields are those of `vrrp_router.py`.
#[derive(Debug, Clone)]
pub struct Packet(Map<String, Value>);

impl Packet {
    /// VRRPv3 with an interval of 100 ms.
    pub fn new(vrid: u8, priority: u8, address: &str, source: &str, destination: &str) -> Self {
        let fields = json!({
            "version": 3, "vrid": vrid, "priority": priority, "interval": 10, "addresses": [address],
            "source": source, "destination": destination,
        });
        let Value::Object(fields) = fields else { unreachable!("an object was written") };
        Self(fields)
    }

    /// Cut off behind the priority.
    #[must_use]
    pub fn cut(self) -> Self {
        let octet = |field: &str| self.0.get(field).and_then(Value::as_u64).unwrap_or_default();
        let message = format!("31{:02x}{:02x}", octet("vrid"), octet("priority"));
        self.with("message", message)
    }

    /// With another value of a field.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.0.insert(field.to_owned(), value.into());
        self
    }
}

/// The moment, by the clock of every [`Seen`]: CLOCK_MONOTONIC.
///
/// # Panics
/// When the kernel has no such clock.
pub fn now() -> f64 {
    let moment = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("the monotonic clock");
    Duration::from(moment).as_secs_f64()
}

/// The running program; killed when dropped.
#[derive(Debug)]
pub struct ForeignRouter {
    child: Child,
    orders: ChildStdin,
    seen: Arc<Mutex<Vec<Seen>>>,
    hardware: String,
}

impl ForeignRouter {
    /// Starts it on the first interface of `machine`, and waits until it listens.
    ///
    /// # Panics
    /// When it does not within 10 s, because Debian's `python3-scapy` is missing for example.
    pub fn start(lab: &Lab, machine: &str) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/vrrp_router.py");
        let mut command = Command::new(PYTHON);
        command.args([program, "eth0"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = lab.machine(machine).run(move || command.spawn().expect("python3 starts"));
        let orders = child.stdin.take().expect("standard input is piped");
        let said = child.stdout.take().expect("standard output is piped");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = Arc::clone(&seen);
        // Ends with the program.
        std::thread::spawn(move || collect(said, &kept));
        let mut router = Self { child, orders, seen, hardware: String::new() };
        eventually("scapy listens (package python3-scapy)", Duration::from_secs(10), || !router.seen(0.0).is_empty());
        if let Some(Seen { what: What::Ready { hardware }, .. }) = router.seen(0.0).first() {
            router.hardware.clone_from(hardware);
        }
        router
    }

    /// The address of its interface.
    pub fn hardware(&self) -> &str {
        &self.hardware
    }

    /// Says `packet` at once and again and again, until [`ForeignRouter::stop`].
    pub fn advertise(&mut self, name: &str, every: Duration, packet: &Packet) {
        let every = every.as_secs_f64();
        self.order(json!({ "do": "advertise", "name": name, "every": every, "packet": packet.0 }));
    }

    /// Ends it.
    pub fn stop(&mut self, name: &str) {
        self.order(json!({ "do": "stop", "name": name }));
    }

    /// Says `packet` once.
    pub fn send(&mut self, name: &str, packet: &Packet) {
        self.order(json!({ "do": "send", "name": name, "packet": packet.0 }));
    }

    /// Asks who has `address`, from `own`.
    pub fn ask(&mut self, address: &str, own: &str) {
        self.order(json!({ "do": "ask", "address": address, "own": own }));
    }

    /// An echo request to `address`, in a frame to `hardware`.
    pub fn ping(&mut self, address: &str, hardware: &str, own: &str) {
        self.order(json!({ "do": "ping", "address": address, "hardware": hardware, "own": own }));
    }

    /// A datagram of UDP that says to come from `source`, in a frame to `hardware`.
    pub fn datagram(&mut self, source: &str, destination: &str, hardware: &str, port: u16, payload: &[u8]) {
        let hexadecimal: String = payload.iter().map(|octet| format!("{octet:02x}")).collect();
        let packet = json!({
            "source": source, "destination": destination, "hardware": hardware, "port": port, "payload": hexadecimal,
        });
        self.order(json!({ "do": "datagram", "name": "datagram", "packet": packet }));
    }

    /// Everything since a moment.
    pub fn seen(&self, since: f64) -> Vec<Seen> {
        lock(&self.seen).iter().filter(|seen| seen.at >= since).cloned().collect()
    }

    /// The advertisements among it for a virtual router, and when they came.
    pub fn adverts(&self, vrid: u8, since: f64) -> Vec<(f64, Advert)> {
        let of = |seen: Seen| match seen.what {
            What::Advert(advert) if advert.vrid == vrid => Some((seen.at, advert)),
            _ => None,
        };
        self.seen(since).into_iter().filter_map(of).collect()
    }

    /// The heartbeats among everything since a moment that came from `source`.
    pub fn heartbeats(&self, source: &str, since: f64) -> Vec<Vec<u8>> {
        let of = |seen: Seen| match seen.what {
            What::Heartbeat { source: from, payload, .. } if from == source => Some(octets(&payload)),
            _ => None,
        };
        self.seen(since).into_iter().filter_map(of).collect()
    }

    /// When it last sent a frame of that name.
    ///
    /// # Panics
    /// When it never did.
    pub fn last_sent(&self, name: &str) -> f64 {
        let is_it = |seen: &Seen| matches!(&seen.what, What::Sent { name: sent } if sent == name);
        let sent = self.seen(0.0).into_iter().rev().find(is_it);
        sent.unwrap_or_else(|| panic!("{name} was never sent")).at
    }

    fn order(&mut self, order: Value) {
        writeln!(self.orders, "{order}").expect("scapy takes orders");
    }
}

fn collect(said: ChildStdout, into: &Mutex<Vec<Seen>>) {
    for line in BufReader::new(said).lines().map_while(Result::ok) {
        let seen = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        lock(into).push(seen);
    }
}

fn octets(hexadecimal: &str) -> Vec<u8> {
    let octet = |at: usize| u8::from_str_radix(&hexadecimal[at..at + 2], 16).expect("hexadecimal of scapy");
    (0..hexadecimal.len()).step_by(2).map(octet).collect()
}

fn lock(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for ForeignRouter {
    fn drop(&mut self) {
        let _ended_already_is_fine = self.child.kill();
        let _status = self.child.wait();
    }
}
