//! Thousands of routers for an hour of their time: pairs and threes on LANs of their own, disturbed and left in peace by turns.
//!
//! While disturbed, every step is held to P-01 to P-03, P-08 and P-11; in peace to P-05, P-06 and P-09: one owner, of the best tier,
//! and it stays.

use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fmc_config::model::election::Centiseconds;

use super::clock::Clock;
use super::lan::{Lan, Seeded};
use super::scenarios::{calm_down, disturb, expect_one_lasting_owner};
use crate::router::Parameters;
use crate::router::tests::harness::millis;

/// The doubts and settle times of the slowest interval here, and what a fall that settles takes.
const CALM: Duration = Duration::from_secs(4);

/// Intervals in hundredths of a second: the two profiles, and as fast as it goes.
const INTERVALS: [u16; 3] = [10, 2, 1];

/// Clocks differ by this at most: a bad crystal.
const PARTS_PER_MILLION: u64 = 200;

/// So many routers, two and three on a LAN by turns, for `span` each, on every CPU. Returns how many packets they sent.
fn run(routers: u64, span: Duration) -> u64 {
    let (next, sent) = (AtomicU64::new(0), AtomicU64::new(0));
    let worker = || {
        // Two LANs have five routers.
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < routers * 2 / 5) {
            sent.fetch_add(one_lan(seed, 2 + (seed % 2) as u8, span), Ordering::Relaxed);
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(worker))));
    sent.into_inner()
}

fn one_lan(seed: u64, nodes: u8, span: Duration) -> u64 {
    let interval = Centiseconds::new(INTERVALS[seed as usize % INTERVALS.len()]).unwrap();
    let mut lan = Lan::with(seed, nodes, |parameters| Parameters { interval, ..parameters });
    let mut random = Seeded::new(seed ^ 0x0005_eed0_f7e1);
    for node in 0..lan.nodes.len() {
        lan.nodes[node].clock = any_clock(&mut random);
        lan.start(node);
    }
    let end = lan.now + span;
    while lan.now < end {
        disturbed(&mut lan, &mut random);
        in_peace(&mut lan);
    }
    lan.wire.sent
}

fn any_clock(random: &mut Seeded) -> Clock {
    Clock {
        ahead: millis(random.below(3_600_000)),
        fast_by_parts_per_million: random.below(2 * PARTS_PER_MILLION + 1) as i32 - PARTS_PER_MILLION as i32,
    }
}

fn disturbed(lan: &mut Lan, random: &mut Seeded) {
    lan.duplication = [0, 10, 300][random.below(3) as usize];
    for _ in 0..20 {
        let pause = millis(random.below(600));
        lan.run(pause);
        disturb(lan, random);
        lan.inject_junk();
    }
}

fn in_peace(lan: &mut Lan) {
    calm_down(lan);
    lan.run(CALM);
    expect_one_lasting_owner(lan);
}

/// A hundredth of the hour below.
#[test]
fn five_thousand_routers_for_thirty_six_seconds_keep_their_properties() {
    let sent = run(5_000, Duration::from_secs(36));
    println!("{sent} packets");
}

#[test]
#[ignore = "minutes: cargo test --release -p fmc-vrrp --lib -- --ignored --nocapture router::simulation"]
fn five_thousand_routers_for_an_hour_keep_their_properties() {
    let sent = run(5_000, Duration::from_secs(3600));
    println!("{sent} packets");
}
