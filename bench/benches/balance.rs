//! What does choosing a server cost a new connection, by rule and by size of the backend?

#![allow(missing_docs, reason = "criterion writes undocumented functions")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use fmc_config::model::backend::{Balance, Weight};
use fmc_lb::balance::{self, Candidate};

/// The lab's three, and a backend far larger than it will ever have.
const SIZES: [usize; 2] = [3, 64];

fn choose(criterion: &mut Criterion) {
    for (name, rule) in [("least_connections", Balance::LeastConnections), ("round_robin", Balance::RoundRobin)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let mut servers = candidates(size);
            let mut turn = 0u32;
            group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
                bencher.iter(|| {
                    turn = turn.wrapping_add(1);
                    balance::choose(rule, black_box(&mut servers), turn)
                });
            });
        }
        group.finish();
    }
}

fn candidates(size: usize) -> Vec<Candidate> {
    let weight = Weight::new(100).expect("100 is a weight");
    (0..size).map(|position| Candidate { position, weight, in_flight: (position % 7) as u32, credit: 0 }).collect()
}

criterion_group!(benches, choose);
criterion_main!(benches);
