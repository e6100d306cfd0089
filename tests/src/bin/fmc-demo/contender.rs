//! What is done to a pair of balancers, and what a client sees of it.

use std::time::{Duration, Instant};

use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;

use crate::junk::Spoken;

/// A new connection each 5 ms: the resolution of every gap printed.
const PACE: Duration = Duration::from_millis(5);
/// A client gives up after this; the kernel sends a lost SYN again after 1 s.
const PATIENCE: Duration = Duration::from_secs(2);
/// Clients come for this long before anything happens.
pub(crate) const QUIET: Duration = Duration::from_millis(700);

/// A nuisance lasts for so long; the client is watched throughout.
const NUISANCE: Duration = Duration::from_secs(3);

/// A pair of balancers that can be hurt.
pub(crate) trait Contender {
    /// As printed.
    fn name(&self) -> String;
    /// What it says of the web's address.
    fn speaks(&self) -> Spoken;
    /// How long a client is watched after a blow: longer than the recovery that is expected.
    fn watched(&self) -> Duration;
    /// The owner's cable is cut and its processes killed. Returns when.
    fn kill_node(&mut self) -> Instant;
    /// The operator moves the addresses. Returns when.
    fn fail_over(&mut self) -> Instant;
    /// The process that carries the connections is killed on the owner. Returns when.
    fn kill_data_plane(&mut self) -> Instant;
    /// The process that elects is killed on the owner. Returns when.
    fn kill_election(&mut self) -> Instant;
    /// Every process of the owner stands still for so long, then goes on. Returns when it began.
    fn pause(&mut self, span: Duration) -> Instant;
    /// The owner's cable is cut, and comes back when the other has served for a while. Returns when it came back.
    fn heal(&mut self) -> Instant;
    /// The owner's interface goes down, as one does whose cable is pulled. Returns when.
    fn take_link_down(&mut self) -> Instant;
    /// The owner's service is stopped, as for an upgrade of its machine. Returns when.
    fn stop(&mut self) -> Instant;
    /// Brings everything back and waits until one node owns both addresses again.
    fn restore(&mut self);
}

/// What a client saw of one blow.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The longest time without a served connection; `None`: none was served any more.
    pub(crate) gap: Option<Duration>,
    /// Connections that were refused, broken or not answered in time.
    pub(crate) failed: usize,
    /// Of how many.
    pub(crate) attempts: usize,
    /// For how long after the blow.
    pub(crate) watched: Duration,
}

/// One pair's results.
#[derive(Debug)]
pub(crate) struct Results {
    /// As printed.
    pub(crate) name: String,
    /// In the order of [`BLOWS`].
    pub(crate) seen: Vec<Seen>,
}

/// A blow and what to call it.
pub(crate) type Blow = (&'static str, fn(&Lab, &mut dyn Contender) -> Instant);

/// Everything that is done, in this order.
pub(crate) const BLOWS: [Blow; 3] = [
    ("node cut off and killed", |_, contender| contender.kill_node()),
    ("planned failover", |_, contender| contender.fail_over()),
    ("balancer process killed -9", |_, contender| contender.kill_data_plane()),
];

/// What is measured beside those: see `bench/election`.
pub(crate) const MORE_BLOWS: [Blow; 6] = [
    ("election process killed -9", |_, contender| contender.kill_election()),
    ("owner paused for 3 s", |_, contender| contender.pause(Duration::from_secs(3))),
    ("cable back after a cut", |_, contender| contender.heal()),
    ("interface down", |_, contender| contender.take_link_down()),
    ("service stopped", |_, contender| contender.stop()),
    ("sixteen busy loops", |_, _| keep_busy()),
];

/// Does it all, with clients coming all the time.
pub(crate) fn run_course(lab: &Lab, contender: &mut dyn Contender) -> Results {
    let name = contender.name();
    let seen = BLOWS.into_iter().map(|blow| {
        println!("  {name}: {} ...", blow.0);
        let seen = watch(lab, contender, blow);
        contender.restore();
        seen
    });
    let seen = seen.collect();
    Results { name, seen }
}

pub(crate) fn watch(lab: &Lab, contender: &mut dyn Contender, blow: Blow) -> Seen {
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80").within(PATIENCE), PACE);
    std::thread::sleep(QUIET);
    let struck = (blow.1)(lab, contender);
    let watched = contender.watched();
    std::thread::sleep(watched);
    let record = load.stop().between(struck - Duration::from_millis(50), Instant::now());
    // A connection that began with the blow may just have slipped through; one much later is a recovery.
    let recovered = record.served_after(struck + Duration::from_millis(100)).is_some();
    let gap = recovered.then(|| record.longest_gap());
    Seen { gap, failed: record.failures().len(), attempts: record.attempts().len(), watched }
}

/// The whole machine has more to do than it can. Returns when it began.
fn keep_busy() -> Instant {
    let began = Instant::now();
    let spin = || while began.elapsed() < NUISANCE {};
    std::thread::scope(|scope| (0..16).for_each(|_| drop(scope.spawn(spin))));
    began
}
