//! Who holds which virtual address, watched all the time, with the moment of every change.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::eventually::{eventually, eventually_some};
use crate::lab::Lab;

/// Addresses are read this often: the error of every moment reported here.
const RESOLUTION: Duration = Duration::from_millis(2);

/// The thread that causes a change may lose its processor before it takes the moment; the change may then be seen this
/// much before that moment, and is still its effect.
const OVERTAKEN: Duration = Duration::from_millis(20);

/// A machine began or ceased to hold an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Seen at most 2 ms, on an idle machine, after it happened.
    pub at: Instant,
    /// Whose.
    pub machine: &'static str,
    /// Which.
    pub address: IpAddr,
    /// Began (or ceased).
    pub held: bool,
}

/// Watches the addresses of some machines until dropped.
#[derive(Debug)]
pub struct Ownership {
    stop: Arc<AtomicBool>,
    changes: Arc<Mutex<Vec<Change>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Ownership {
    /// Watches `machines`.
    pub fn watch(lab: &Lab, machines: &[&'static str]) -> Self {
        let (stop, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let start = |&machine: &&'static str| {
            let (stop, changes) = (Arc::clone(&stop), Arc::clone(&changes));
            lab.machine(machine).thread(move || follow(machine, &stop, &changes))
        };
        let threads = machines.iter().map(start).collect();
        Self { stop, changes, threads }
    }

    /// Every change so far, in the order of time.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = lock(&self.changes).clone();
        changes.sort_by_key(|change| change.at);
        changes
    }

    /// Who holds `address` now.
    pub fn holders(&self, address: &str) -> Vec<&'static str> {
        holders(&self.of(address))
    }

    /// Waits until `machine` alone holds `address`, and returns how long that took.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub fn wait_for(&self, machine: &str, address: &str, limit: Duration) -> Duration {
        let what = || self.holders(address) == [machine];
        eventually(&format!("{address} is on {machine} alone"), limit, what)
    }

    /// The one that holds `address` alone.
    ///
    /// # Panics
    /// When that is nobody or several for all of `limit`.
    pub fn owner(&self, address: &str, limit: Duration) -> &'static str {
        eventually(&format!("one machine holds {address}"), limit, || self.holders(address).len() == 1);
        self.holders(address)[0]
    }

    /// From `moment`, taken when the cause was complete, to the first change after it by which `machine` began (or
    /// ceased) to hold `address`; zero when the change was up to 20 ms faster than the taking of the moment.
    pub fn changed_after(&self, moment: Instant, machine: &str, address: &str, held: bool) -> Option<Duration> {
        let caused = |change: &Change| change.at + OVERTAKEN >= moment;
        let wanted = |change: &&Change| caused(change) && change.machine == machine && change.held == held;
        self.of(address).iter().find(wanted).map(|change| change.at.saturating_duration_since(moment))
    }

    /// The same, waited for.
    ///
    /// # Panics
    /// When it has not happened within `limit` of now.
    pub fn changed_within(
        &self,
        moment: Instant,
        machine: &str,
        address: &str,
        held: bool,
        limit: Duration,
    ) -> Duration {
        let what = format!("{address} {} {machine}", if held { "comes to" } else { "leaves" });
        eventually_some(&what, limit, || self.changed_after(moment, machine, address, held)).0
    }

    /// Every moment at which somebody began or ceased to hold `address`.
    pub fn moments(&self, address: &str) -> Vec<Instant> {
        self.of(address).into_iter().map(|change| change.at).collect()
    }

    /// How often somebody began to hold `address`.
    pub fn claims(&self, address: &str) -> usize {
        self.of(address).iter().filter(|change| change.held).count()
    }

    /// The longest time since `moment` in which two machines held `address`; the last one counted until now.
    pub fn longest_overlap_since(&self, moment: Instant, address: &str) -> Duration {
        let changes = self.of(address);
        let ends = changes.iter().skip(1).map(|change| change.at).chain([Instant::now()]);
        let overlap = |(index, end): (usize, Instant)| {
            let several = holders(&changes[..=index]).len() > 1;
            if several { end.saturating_duration_since(changes[index].at.max(moment)) } else { Duration::ZERO }
        };
        ends.take(changes.len()).enumerate().map(overlap).max().unwrap_or_default()
    }

    fn of(&self, address: &str) -> Vec<Change> {
        let address: IpAddr = address.parse().unwrap_or_else(|error| panic!("{address}: {error}"));
        self.changes().into_iter().filter(|change| change.address == address).collect()
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
        if std::thread::panicking() {
            self.dump();
        }
    }
}

impl Ownership {
    fn dump(&self) {
        let changes = self.changes();
        let first = changes.first().map_or_else(Instant::now, |change| change.at);
        eprintln!("--- addresses");
        for Change { at, machine, address, held } in changes {
            eprintln!("{:>9.3} s {machine} {} {address}", (at - first).as_secs_f64(), if held { "+" } else { "-" });
        }
    }
}

fn holders(changes: &[Change]) -> Vec<&'static str> {
    let mut holders = BTreeSet::new();
    for change in changes {
        if change.held {
            holders.insert(change.machine)
        } else {
            holders.remove(change.machine)
        };
    }
    holders.into_iter().collect()
}

fn follow(machine: &'static str, stop: &AtomicBool, changes: &Mutex<Vec<Change>>) {
    let mut held = BTreeSet::new();
    while !stop.load(Ordering::Relaxed) {
        let now = addresses();
        let at = Instant::now();
        let change = |&address: &IpAddr, held| Change { at, machine, address, held };
        let gained = now.difference(&held).map(|address| change(address, true));
        let lost = held.difference(&now).map(|address| change(address, false));
        lock(changes).extend(lost.chain(gained));
        held = now;
        std::thread::sleep(RESOLUTION);
    }
}

/// The addresses of the calling thread's namespace. A read that the kernel interrupts is made again.
fn addresses() -> BTreeSet<IpAddr> {
    loop {
        if let Ok(interfaces) = nix::ifaddrs::getifaddrs() {
            let addresses = interfaces.filter_map(|interface| {
                let address = interface.address?;
                let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
                v4.or(address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
            });
            return addresses.collect();
        }
    }
}

fn lock(changes: &Mutex<Vec<Change>>) -> MutexGuard<'_, Vec<Change>> {
    changes.lock().unwrap_or_else(PoisonError::into_inner)
}
