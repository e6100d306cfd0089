//! What does finding out whom a TLS client wants cost a new connection, by the size of its first message?

#![allow(missing_docs, reason = "criterion writes undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fmc_lb::sni::read;

fn sized(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A hello for `grafana.lab` with `padding` octets of other extensions, in records of `fragment`.
fn hello(padding: usize, fragment: usize) -> Vec<u8> {
    let extension = |kind: u16, data: &[u8]| [&kind.to_be_bytes()[..], &sized(data)].concat();
    let name = extension(0, &sized(&[&[0][..], &sized(b"grafana.lab")].concat()));
    let extensions = [extension(51, &vec![1; padding]), name].concat();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0], &sized(&extensions)].concat();
    let message = [&[1][..], &(body.len() as u32).to_be_bytes()[1..], &body].concat();
    let record = |part: &[u8]| [&[22, 3, 1][..], &sized(part)].concat();
    message.chunks(fragment).flat_map(record).collect()
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sni");
    for (kind, bytes) in
        [("classic", hello(300, 16_384)), ("post_quantum", hello(1_500, 16_384)), ("split", hello(1_500, 64))]
    {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(kind, |bencher| bencher.iter(|| read(black_box(&bytes))));
    }
    group.finish();
}

criterion_group!(benches, parse);
criterion_main!(benches);
