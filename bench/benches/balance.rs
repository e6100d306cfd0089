//! What does choosing a server cost a new connection, by rule and by size of the backend? And what does filling the table of
//! source hash cost the control thread when a weight changes?

#![allow(missing_docs, reason = "criterion writes undocumented functions")]

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fmc_config::model::backend::Weight;
use fmc_lb::balance::{self, Candidate, Rule, SourceTable, TableEntry};

/// The lab's three, and a backend far larger than it will ever have.
const SIZES: [usize; 2] = [3, 64];

/// An odd number with many bits set: each turn's multiple of it differs from the last in all places.
const SCATTER: u64 = 0x9e37_79b9_7f4a_7c15;

fn choose(criterion: &mut Criterion) {
    type Ruled = for<'a> fn(u64, &'a SourceTable) -> Rule<'a>;
    let rules: [(&str, Ruled); 4] = [
        ("least_connections", |turn, _| Rule::LeastConnections { turn: turn as u32 }),
        ("round_robin", |_, _| Rule::RoundRobin),
        ("power_of_two", |turn, _| Rule::PowerOfTwo { entropy: turn.wrapping_mul(SCATTER) }),
        ("source_hash", |turn, table| Rule::SourceHash { source: Ipv4Addr::from(turn as u32).into(), table }),
    ];
    for (name, rule) in rules {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let (mut servers, table) = (candidates(size), SourceTable::new(entries(size)));
            let mut turn = 0;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    turn += 1;
                    balance::choose(rule(turn, &table), black_box(&mut servers))
                });
            });
        }
        group.finish();
    }
}

/// The clients of one server of three that is away: the walk goes on until it meets another.
fn away(criterion: &mut Criterion) {
    let (mut servers, table) = (candidates(2), SourceTable::new(entries(3)));
    let mut turn = 0;
    criterion.bench_function("source_hash_one_of_3_away", |bencher| {
        bencher.iter(|| {
            turn += 1;
            balance::choose(
                Rule::SourceHash { source: Ipv4Addr::from(turn).into(), table: &table },
                black_box(&mut servers),
            )
        });
    });
}

fn fill(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("source_hash_fill");
    for size in SIZES {
        let entries = entries(size);
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| SourceTable::new(black_box(entries.clone())));
        });
    }
    group.finish();
}

fn weight() -> Weight {
    Weight::new(100).expect("100 is a weight")
}

fn candidates(size: usize) -> Vec<Candidate> {
    let candidate = |position| Candidate { position, weight: weight(), in_flight: (position % 7) as u32, credit: 0 };
    (0..size).map(candidate).collect()
}

fn entries(size: usize) -> Vec<TableEntry> {
    let name = |position| format!("worker{position}").parse().expect("a name");
    let entry = |position| TableEntry { position, name: name(position), weight: weight() };
    (0..size as u16).map(entry).collect()
}

criterion_group!(benches, choose, away, fill);
criterion_main!(benches);
