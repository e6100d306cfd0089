//! The cadence of adverts on a machine that is busy with other things: what is sent, and how late the election wakes by its own
//! measure. A stall of the machine itself is in that measure too; the figures are printed, and what is asserted no stall breaks.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fmc_config::model::election::Centiseconds;
use fmc_vrrp::driver::{KeeperSettings, LatenessSummary, Snapshot};
use fmc_vrrp::router::role::Role;

use crate::keeper::{Running, settings};
use crate::lab::{Namespace, eventually, lan};

const WINDOW: Duration = Duration::from_secs(5);
const BUSY_LOOPS: usize = 16;
/// Of small packets to the node, whose kernel has to answer for each.
const PACKETS_A_SECOND: u64 = 200_000;
/// A burst, then a pause until it was due: a finer pace would need a finer clock.
const BURST: u64 = 200;

fn at_10_ms(rank: u8) -> KeeperSettings {
    KeeperSettings { interval: Centiseconds::new(1).unwrap(), ..settings(rank) }
}

/// Sends to a port of the owner that nobody listens on, until told to stop; counts what the kernel took.
fn flood(stranger: &Namespace, stop: &AtomicBool, sent: &AtomicU64) {
    stranger.enter(|| {
        let socket = UdpSocket::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)).unwrap();
        let began = Instant::now();
        let mut due = 0_u64;
        while !stop.load(Ordering::Relaxed) {
            // A refusal is the answer to an earlier packet.
            let taken = (0..BURST).filter(|_| socket.send_to(&[0; 18], ("192.168.0.30", 9)).is_ok()).count();
            sent.fetch_add(taken as u64, Ordering::Relaxed);
            due += BURST;
            let at = began + Duration::from_nanos(due * 1_000_000_000 / PACKETS_A_SECOND);
            std::thread::sleep(at.saturating_duration_since(Instant::now()));
        }
    });
}

/// Keepalived sends 72 of 100 under the loops: each advert an interval after the one before, however late that was.
#[test]
fn sixteen_busy_loops_cost_an_owner_no_advert() {
    let [one, _two, _stranger] = lan();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..BUSY_LOOPS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let kept = cadence(&one);
        stop.store(true, Ordering::Relaxed);
        kept.judge(&format!("{BUSY_LOOPS} busy loops"));
    });
}

#[test]
fn a_flood_of_packets_costs_an_owner_no_advert() {
    let [one, _two, stranger] = lan();
    let (stop, packets) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let began = Instant::now();
        scope.spawn(|| flood(&stranger, &stop, &packets));
        let kept = cadence(&one);
        stop.store(true, Ordering::Relaxed);
        let rate = packets.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
        kept.judge(&format!("{rate:.0} packets a second"));
    });
}

/// What an owner sent in [`WINDOW`], and how late it woke.
struct Cadence {
    sent: u64,
    due: u64,
    lateness: LatenessSummary,
    roles: [Role; 2],
}

fn cadence(one: &Namespace) -> Cadence {
    let running = Running::fit(one, at_10_ms(0));
    eventually("it owns both", Duration::from_secs(10), || running.roles() == [Role::Active; 2]);
    let before = running.snapshot();
    std::thread::sleep(WINDOW);
    let after = running.snapshot();
    let sent = |of: &Snapshot| of.vips[0].statistics.advertisements_sent;
    Cadence {
        sent: sent(&after) - sent(&before),
        due: after.at.saturating_duration_since(before.at).as_millis() as u64 / 10,
        lateness: after.lateness,
        roles: running.roles(),
    }
}

impl Cadence {
    /// On a grid that is never left: none is missing but to a stall over an interval, and none is too many.
    #[allow(clippy::print_stdout, reason = "figures are what these tests print")]
    fn judge(&self, load: &str) {
        let Self { sent, due, lateness, roles } = self;
        println!("figure: {load}: {sent} adverts of {due} due at 10 ms; {lateness:?}");
        assert!(sent * 100 >= due * 90 && *sent <= due + 2, "{sent} adverts, {due} were due");
        assert_eq!(*roles, [Role::Active; 2]);
    }
}
