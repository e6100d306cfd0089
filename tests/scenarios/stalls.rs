//! How soon may a node be given up? Whole nodes are stalled at random, and what that moved and cut is counted for each detection time.

use std::time::{Duration, Instant};

use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::figure::table;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::process::{Process, Spawn};
use fmc_tests::server::Server;
use fmc_tests::stream::Streams;

/// Advertisement intervals; a silent owner is replaced after three of them and a skew: 60, 90, 150 and 300 ms.
const INTERVALS: [u32; 4] = [20, 30, 50, 100];
/// One detection time is tried for so long, then the next, so that the machine's moods meet all of them.
const LEG: Duration = Duration::from_secs(300);
/// Relays that a move cuts.
const RELAYS: usize = 10;
/// The shortest stall, in milliseconds, and how often it doubles up to the longest: 50 to 3,000 ms.
const SHORTEST: f64 = 50.0;
const DOUBLINGS: f64 = 5.907;
/// After a stall, until everything that it sets off has happened.
const AFTERMATH: Duration = Duration::from_millis(1500);
/// Above the election's priority: who is starved gets nothing, as when the hypervisor gives the processor to others.
const ABOVE_ALL: &str = "90";

const TITLES: [&str; 2] = [
    "| kind | detection | stalls below / above it | that moved the address | relays cut, of ten each | processes replaced |",
    "|---|---|---|---|---|---|",
];

#[test]
#[ignore = "two hours, or as many minutes as MINUTES says, on a machine with nothing else to do"]
fn stalls_of_whole_nodes_are_counted_for_each_detection_time() {
    let minutes = std::env::var("MINUTES").map_or(120, |minutes| minutes.parse().expect("MINUTES is a number"));
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    let leg = LEG.min(Duration::from_secs(minutes * 60) / INTERVALS.len() as u32);
    let mut tallies = INTERVALS.map(|interval| [Kind::Frozen, Kind::Starved].map(|kind| Tally::new(interval, kind)));
    let mut chance = Chance(u64::from(std::process::id()) | 1);
    while Instant::now() < end {
        for tally in &mut tallies {
            stall_for(leg, tally, &mut chance);
        }
    }
    table(&TITLES.join("\n"));
    for tally in tallies.as_flattened() {
        table(&tally.row());
        assert!(tally.stalls.iter().sum::<usize>() > 0, "no stall was made: {tally:?}");
        assert_eq!(tally.unowned, 0, "an address had not exactly one owner at the end of a round: {tally:?}");
    }
}

/// How a node is kept from running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All its processes are stopped and continued, as a virtual machine is for a snapshot.
    Frozen,
    /// Somebody above the election's priority has its one processor.
    Starved,
}

/// What stalls of one kind did to a pair of one detection time.
#[derive(Debug)]
struct Tally {
    interval: u32,
    kind: Kind,
    /// Stalls shorter than the detection time, and longer ones.
    stalls: [usize; 2],
    /// Those of each that moved an address.
    moves: [usize; 2],
    /// Relays cut by each.
    cut: [usize; 2],
    /// Processes that were replaced.
    restarts: u32,
    /// Rounds at whose end not exactly one node owned an address.
    unowned: usize,
}

impl Tally {
    fn new(interval: u32, kind: Kind) -> Self {
        Self { interval, kind, stalls: [0; 2], moves: [0; 2], cut: [0; 2], restarts: 0, unowned: 0 }
    }

    /// Three intervals and the skew of priority 254 (RFC 9568 §6.1).
    fn detection(&self) -> Duration {
        Duration::from_millis(u64::from(self.interval)) * (3 * 256 + 2) / 256
    }

    /// A line of the table: `below / above` the detection time.
    fn row(&self) -> String {
        let Self { kind, stalls, moves, cut, restarts, .. } = self;
        let pair = |[below, above]: [usize; 2]| format!("{below} / {above}");
        let detection = self.detection().as_millis();
        format!("| {kind:?} | {detection} ms | {} | {} | {} | {restarts} |", pair(*stalls), pair(*moves), pair(*cut))
    }
}

/// One pair, stalled again and again in both ways in turn.
fn stall_for(leg: Duration, tallies: &mut [Tally; 2], chance: &mut Chance) {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let election = format!("[election]\nadvertisement_interval = \"{}ms\"\n", tallies[0].interval);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_streams().with(&election));
    // Each node has one processor, as its virtual machine has.
    pin(&lab, &pair.first, 0);
    pin(&lab, &pair.second, 1);
    let end = Instant::now() + leg;
    while Instant::now() < end {
        for tally in &mut *tallies {
            round(&lab, &pair, tally, chance);
        }
    }
}

/// The owner of the web is stalled once.
fn round(lab: &Lab, pair: &Pair<'_>, tally: &mut Tally, chance: &mut Chance) {
    let streams = Streams::open(lab.client(), "192.168.0.33:7", RELAYS, Duration::from_millis(100));
    let (claims, restarts) = (pair.ownership.claims(WEB), restarts(pair));
    let owner = pair.ownership.owner(WEB, AFTERMATH);
    let balancer = if owner == NODES[0] { &pair.first } else { &pair.second };
    let lasted = stall(lab, balancer, tally.kind, chance.length());
    std::thread::sleep(AFTERMATH);
    pair.first.wait_until_ready();
    pair.second.wait_until_ready();

    let which = usize::from(lasted >= tally.detection());
    tally.stalls[which] += 1;
    tally.moves[which] += usize::from(pair.ownership.claims(WEB) > claims);
    tally.cut[which] += streams.close().iter().filter(|end| end.cut.is_some()).count();
    tally.restarts += self::restarts(pair).saturating_sub(restarts);
    tally.unowned += usize::from([API, WEB].iter().any(|vip| pair.ownership.holders(vip).len() != 1));
    // Processes that were replaced are not pinned yet.
    pin(lab, &pair.first, 0);
    pin(lab, &pair.second, 1);
}

/// Returns how long the node did not run.
fn stall(lab: &Lab, balancer: &Balancer<'_>, kind: Kind, length: Duration) -> Duration {
    let begun = Instant::now();
    match kind {
        Kind::Frozen => {
            balancer.freeze_all();
            std::thread::sleep(length);
            balancer.thaw_all() - begun
        }
        Kind::Starved => {
            let hog = hog(lab, usize::from(balancer.node() != NODES[0]));
            std::thread::sleep(length);
            drop(hog);
            begun.elapsed()
        }
    }
}

/// A program that has one processor to itself until it is dropped.
fn hog(lab: &Lab, processor: usize) -> Process {
    let spin = ["taskset", "--cpu-list", &processor.to_string(), "sh", "-c", "while :; do :; done"].map(str::to_owned);
    let words = ["--fifo", ABOVE_ALL].map(str::to_owned).into_iter().chain(spin);
    Spawn::new("chrt", lab.path("hog.log")).args(words).start()
}

/// All threads of a node run on one processor.
fn pin(lab: &Lab, balancer: &Balancer<'_>, processor: usize) {
    for pid in balancer.roles() {
        let words = ["--all-tasks", "--cpu-list", "--pid", &processor.to_string(), &pid.to_string()];
        let output = lab.machine(balancer.node()).output("taskset", &words);
        assert!(output.status.success(), "{words:?}: {output:?}");
    }
}

fn restarts(pair: &Pair<'_>) -> u32 {
    let of = |balancer: &Balancer<'_>| balancer.status().map(|status| status.roles);
    let roles = [&pair.first, &pair.second].into_iter().filter_map(of);
    roles.map(|roles| roles.keeper.restarts + roles.proxy.restarts).sum()
}

/// A generator of Marsaglia's (xorshift64): which lengths come is of no account, only that all do.
struct Chance(u64);

impl Chance {
    /// As many stalls between 50 and 100 ms as between 1.5 and 3 s.
    fn length(&mut self) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let share = (self.0 >> 11) as f64 / (1_u64 << 53) as f64;
        Duration::from_secs_f64(SHORTEST * (share * DOUBLINGS).exp2() / 1000.0)
    }
}
