//! One server as the data plane knows it: what outlives every snapshot of its pool.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fmc_config::model;
use fmc_config::model::name::ServerName;

use crate::dial::Failure;
use crate::durations::{Counted, Durations};
use crate::pool::Queue;
use crate::pulse::Ticks;
use crate::trouble::Trouble;

/// How long a server that failed a dial is put last; doubled at each further failure up to [`LONGEST_SUSPICION`].
pub const FIRST_SUSPICION: Duration = Duration::from_secs(1);

/// The longest a server is put last without a new failure.
pub const LONGEST_SUSPICION: Duration = Duration::from_secs(16);

/// A server's name, address and counters.
#[derive(Debug)]
pub struct Server {
    name: ServerName,
    address: IpAddr,
    port: Option<NonZeroU16>,
    in_flight: AtomicU32,
    connect_times: Durations,
    failures: [AtomicU64; Failure::ALL.len()],
    credit: AtomicI64,
    suspicion: Suspicion,
    trouble: Mutex<Trouble>,
    /// Parts of choices that it was owed while it warmed up.
    owed: AtomicU32,
    /// Of its backend: those who wait are told when a connection leaves.
    queue: Arc<Queue>,
}

impl Server {
    pub(crate) fn new(server: &model::backend::Server, queue: Arc<Queue>) -> Self {
        Self {
            name: server.name.clone(),
            address: server.address,
            port: server.port,
            in_flight: AtomicU32::new(0),
            connect_times: Durations::default(),
            failures: Default::default(),
            credit: AtomicI64::new(0),
            suspicion: Suspicion::default(),
            trouble: Mutex::default(),
            owed: AtomicU32::new(0),
            queue,
        }
    }

    /// Unique in its backend.
    pub fn name(&self) -> &ServerName {
        &self.name
    }

    /// Where it is.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Its own port; `None`: it follows the frontend's.
    pub fn port(&self) -> Option<NonZeroU16> {
        self.port
    }

    /// Where a connection that came in on `route` is dialled: the route's mapping first, then the server's own port.
    pub fn socket_address(&self, route: model::frontend::PortRoute) -> SocketAddr {
        let port = route.server.or(self.port).unwrap_or(route.listen);
        SocketAddr::new(self.address, port.get())
    }

    /// Connections open to it, or being opened.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Connections that it accepted since the start.
    pub fn connections(&self) -> u64 {
        self.connect_times().total()
    }

    /// How long its accepted connections took to open.
    pub fn connect_times(&self) -> Counted {
        self.connect_times.counted()
    }

    /// Dials that failed in this way since the start.
    pub fn failures(&self, failure: Failure) -> u64 {
        self.failures[failure as usize].load(Ordering::Relaxed)
    }

    /// True while a failed dial puts it last.
    pub fn is_suspected(&self, now: Ticks) -> bool {
        now < self.suspicion.until()
    }

    /// Counts one more connection until the guard is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    /// Called when it is chosen. After a failure one client at a time finds out whether it accepts again.
    pub(crate) fn chosen(&self, now: Ticks) {
        self.suspicion.hold_others_back(now);
    }

    pub(crate) fn accepted(&self, took: Duration) {
        self.connect_times.record(took);
        self.suspicion.clear();
    }

    pub(crate) fn failed(&self, failure: Failure, now: Ticks) {
        self.failures[failure as usize].fetch_add(1, Ordering::Relaxed);
        if failure.is_the_servers() {
            self.suspicion.raise(now);
        }
    }

    /// Notes a failure of a client in what clients say of it.
    pub(crate) fn in_trouble<T>(&self, note: impl FnOnce(&mut Trouble) -> T) -> T {
        note(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn trust(&self) {
        self.suspicion.clear();
    }

    /// True in `part` of `whole` calls, spread evenly.
    pub(crate) fn is_due(&self, part: u32, whole: u32) -> bool {
        let owed = self.owed.load(Ordering::Relaxed) + part;
        self.owed.store(owed % whole, Ordering::Relaxed);
        owed >= whole
    }

    pub(crate) fn credit(&self) -> i64 {
        self.credit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_credit(&self, credit: i64) {
        self.credit.store(credit, Ordering::Relaxed);
    }
}

/// One connection counted on its server, until dropped.
#[derive(Debug)]
pub(crate) struct InFlight(Arc<Server>);

impl InFlight {
    /// The server it counts on.
    pub(crate) fn server(&self) -> &Arc<Server> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.0.queue.look_again();
    }
}

/// What clients learned of a server before its health check did.
#[derive(Debug, Default)]
struct Suspicion {
    failures_in_a_row: AtomicU32,
    until: AtomicU64,
}

impl Suspicion {
    fn until(&self) -> Ticks {
        Ticks(self.until.load(Ordering::Relaxed))
    }

    fn raise(&self, now: Ticks) {
        let before = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        self.until.store(now.after(span(before)).0, Ordering::Relaxed);
    }

    fn hold_others_back(&self, now: Ticks) {
        let failures = self.failures_in_a_row.load(Ordering::Relaxed);
        if failures > 0 && now >= self.until() {
            self.until.store(now.after(span(failures)).0, Ordering::Relaxed);
        }
    }

    fn clear(&self) {
        self.failures_in_a_row.store(0, Ordering::Relaxed);
        self.until.store(0, Ordering::Relaxed);
    }
}

fn span(failures_before: u32) -> Duration {
    FIRST_SUSPICION.saturating_mul(1 << failures_before.min(10)).min(LONGEST_SUSPICION)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use fmc_config::model::backend::Weight;

    use super::*;

    fn server() -> Arc<Server> {
        Arc::new(Server::new(
            &model::backend::Server {
                name: "worker1".parse().unwrap(),
                address: IpAddr::V4(Ipv4Addr::LOCALHOST),
                port: NonZeroU16::new(6443),
                weight: Weight::new(1).unwrap(),
                max_connections: None,
                backup: false,
                check_address: None,
                found_by: None,
                serving_ports: Vec::new(),
            },
            Arc::default(),
        ))
    }

    #[test]
    fn a_failed_dial_puts_it_last_for_longer_each_time() {
        let server = server();
        server.failed(Failure::Refused, Ticks(0));
        assert!(server.is_suspected(Ticks(999)) && !server.is_suspected(Ticks(1000)));
        server.failed(Failure::TimedOut, Ticks(1000));
        assert!(server.is_suspected(Ticks(2999)) && !server.is_suspected(Ticks(3000)));
        (0..40).for_each(|_| server.failed(Failure::Refused, Ticks(3000)));
        assert!(!server.is_suspected(Ticks(3000 + 16_000)));
    }

    #[test]
    fn one_client_at_a_time_finds_out_whether_it_accepts_again() {
        let server = server();
        server.failed(Failure::TimedOut, Ticks(0));
        assert!(!server.is_suspected(Ticks(1000)));
        server.chosen(Ticks(1000));
        assert!(server.is_suspected(Ticks(1001)), "the next client goes elsewhere while the first one tries");
        server.accepted(Duration::from_millis(1));
        assert!(!server.is_suspected(Ticks(1001)));
        server.chosen(Ticks(1002));
        assert!(!server.is_suspected(Ticks(1003)), "a server that never failed is never held back");
    }

    #[test]
    fn a_fault_of_this_node_is_not_held_against_the_server() {
        let server = server();
        server.failed(Failure::NoDescriptor, Ticks(0));
        server.failed(Failure::NoLocalPort, Ticks(0));
        assert!(!server.is_suspected(Ticks(1)));
        assert_eq!(server.failures(Failure::NoDescriptor), 1);
    }

    #[test]
    fn in_flight_counts_until_the_guard_drops() {
        let server = server();
        let (one, two) = (server.enter(), server.enter());
        assert_eq!(server.in_flight(), 2);
        drop(one);
        assert_eq!(two.server().in_flight(), 1);
    }

    #[test]
    fn the_frontends_mapping_wins_over_the_servers_port_and_that_over_following() {
        let port = |n| NonZeroU16::new(n);
        let route = |server| model::frontend::PortRoute { listen: port(80).unwrap(), server };
        assert_eq!(server().socket_address(route(port(32591))).port(), 32591);
        assert_eq!(server().socket_address(route(None)).port(), 6443);
    }
}
