//! What does the PROXY protocol cost a new connection: version 2 to write it, either version to read it?

#![allow(missing_docs, reason = "criterion writes undocumented functions")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fmc_lb::proxy_protocol::{Endpoints, Tlvs, Told, decode, encode_v2};

const LINE: &[u8] = b"PROXY TCP4 192.168.0.7 192.168.0.33 51234 443\r\n";

fn told() -> Told {
    Told::Client(Endpoints { source: ([192, 168, 0, 7], 51_234).into(), destination: ([192, 168, 0, 33], 443).into() })
}

fn encode(criterion: &mut Criterion) {
    let (told, tlvs) = (told(), Tlvs::default());
    let mut group = criterion.benchmark_group("proxy_v2");
    group.throughput(Throughput::Bytes(encode_v2(told, &tlvs).len() as u64));
    group.bench_function("encode", |bencher| bencher.iter(|| encode_v2(black_box(told), &tlvs)));
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let binary = encode_v2(told(), &Tlvs::default());
    let mut group = criterion.benchmark_group("proxy_decode");
    for (version, bytes) in [("v1", LINE), ("v2", &binary)] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(version, |bencher| bencher.iter(|| decode(black_box(bytes))));
    }
    group.finish();
}

criterion_group!(benches, encode, read);
criterion_main!(benches);
