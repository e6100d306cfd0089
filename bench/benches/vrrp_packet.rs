//! What does an advertisement cost the election thread: bytes to value, the router's decision, value to bytes? At 10,000 junk
//! packets a second the answer times 10,000 is the share of one core.

#![allow(missing_docs, reason = "criterion writes undocumented functions")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fmc_config::model::election::{AuthMode, Centiseconds, ChecksumForm, Failback, Transport, Version};
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::boot_instant::BootInstant;
use fmc_vrrp::heartbeat::MAX_LEN;
use fmc_vrrp::heartbeat::session::{Keys, Session};
use fmc_vrrp::packet::auth_hmac::{self, Authenticator};
use fmc_vrrp::packet::sequence::Sequences;
use fmc_vrrp::packet::{Advertisement, IpMeta, MULTICAST_GROUP, TTL};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::{Parameters, Peer, VirtualRouter};
use fmc_vrrp::tier::{Fitness, TierPriorities};

const VERSION: Version = Version::V3(ChecksumForm::PseudoHeader);
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32));
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 31));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30));
const IP: IpMeta = IpMeta { ttl: TTL, source: PEER, destination: MULTICAST_GROUP };

fn parameters() -> Parameters {
    Parameters {
        virtual_router_id: VirtualRouterId::new(32).expect("32 is an identifier"),
        address: VIP,
        others: Vec::new(),
        source: OWN,
        rank: 1,
        version: VERSION,
        transport: Transport::Multicast,
        interval: Centiseconds::new(10).expect("10 is an interval"),
        priorities: TierPriorities::new(254, 1).expect("254 leaves room"),
        failback: Failback::Never,
        settle: Duration::from_secs(2),
        lease: Duration::from_secs(1),
        peers: [Peer { rank: 0, source: PEER }].into_iter().collect(),
    }
}

fn backup() -> VirtualRouter {
    let start = BootInstant::from_nanos(0);
    let mut router = VirtualRouter::new(parameters(), start);
    router.set_fitness(Fitness::FIT, start);
    router.startup(start);
    while router.poll_action().is_some() {}
    router
}

fn codec(criterion: &mut Criterion) {
    let advertisement = backup().advertisement(Priority::new(254));
    let mut wire = [0; 64];
    let length = advertisement.encode(PEER, MULTICAST_GROUP, VERSION, &mut wire);
    let good = wire;
    let mut junk = wire;
    junk[6] ^= 0xff;

    let mut group = criterion.benchmark_group("vrrp_packet");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bencher| {
        bencher.iter(|| advertisement.encode(PEER, MULTICAST_GROUP, VERSION, black_box(&mut wire)));
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| Advertisement::decode(&IP, VERSION, black_box(&good[..length])).is_ok());
    });
    group.bench_function("decode_junk", |bencher| {
        bencher.iter(|| Advertisement::decode(&IP, VERSION, black_box(&junk[..length])).is_err());
    });
    group.finish();
}

/// What `auth_hmac` adds, and what each forged packet of a flood costs before it is discarded.
fn signed(criterion: &mut Criterion) {
    let advertisement = backup().advertisement(Priority::new(254));
    let keys = Authenticator::new(AuthMode::Enforce, [(1, &[7; 32][..])]);
    let mut sequences = Sequences::default();
    let mut wire = [0; 64];
    let mut sign = || {
        let length = advertisement.encode(PEER, MULTICAST_GROUP, VERSION, &mut wire);
        keys.sign((PEER, MULTICAST_GROUP), sequences.next(Duration::ZERO), length, &mut wire)
    };
    let length = sign();
    let mut group = criterion.benchmark_group("vrrp_signed");
    group.throughput(Throughput::Elements(1));
    group.bench_function("encode", |bencher| bencher.iter(|| black_box(sign())));
    let good = wire;
    let mut forged = wire;
    forged[length - 1] ^= 0xff;
    group.bench_function("decode", |bencher| {
        bencher.iter(|| auth_hmac::decode(&IP, VERSION, Some(&keys), black_box(&good[..length])).is_ok());
    });
    group.bench_function("decode_forged", |bencher| {
        bencher.iter(|| auth_hmac::decode(&IP, VERSION, Some(&keys), black_box(&forged[..length])).is_err());
    });
    group.finish();
}

fn router(criterion: &mut Criterion) {
    let mut router = backup();
    let advertisement = router.advertisement(Priority::new(254));
    let mut now = BootInstant::from_nanos(0);
    let mut group = criterion.benchmark_group("vrrp_router");
    group.throughput(Throughput::Elements(1));
    group.bench_function("backup_hears_active", |bencher| {
        bencher.iter(|| {
            now = now + Duration::from_micros(1);
            let accepted = router.handle_advertisement(black_box(&advertisement), &IP, now);
            while let Some(action) = router.poll_action() {
                black_box(action);
            }
            accepted
        });
    });
    group.finish();
}

fn heartbeat(criterion: &mut Criterion) {
    let report = backup().report();
    let session = |own, peer, number| Session::new(own, peer, number, Keys::new([&[7; 32][..]]));
    let (mut a, mut b) = (session(0, 1, 11), session(1, 0, 22));
    let mut wire = [0; MAX_LEN];
    let mut group = criterion.benchmark_group("heartbeat");
    group.throughput(Throughput::Elements(2));
    group.bench_function("signed_round_trip", |bencher| {
        bencher.iter(|| {
            let length = a.encode(1, None, black_box(&[report, report]), &mut wire);
            let there = b.accept(&wire[..length]).is_ok();
            let length = b.encode(1, None, black_box(&[report, report]), &mut wire);
            there && a.accept(&wire[..length]).is_ok()
        });
    });
    group.finish();
}

criterion_group!(benches, codec, signed, router, heartbeat);
criterion_main!(benches);
