//! What does the PROXY v2 header cost a new connection?

#![allow(missing_docs, reason = "criterion writes undocumented functions")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddrV4};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fmc_lb::proxy_protocol::{V2_TCP4_LEN, encode_v2};

fn encode(criterion: &mut Criterion) {
    let client = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 7), 51_234);
    let vip = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 33), 443);
    let mut group = criterion.benchmark_group("proxy_v2");
    group.throughput(Throughput::Bytes(V2_TCP4_LEN as u64));
    group.bench_function("encode", |bencher| bencher.iter(|| encode_v2(black_box(client), black_box(vip))));
    group.finish();
}

criterion_group!(benches, encode);
criterion_main!(benches);
