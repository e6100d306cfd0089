//! The election path allocates nothing once it runs: an allocation may wait for a lock, or for memory that a flood has taken.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use allocation_counter::measure;
use fmc_config::model::election::{Centiseconds, ChecksumForm, Failback, Transport, Version};
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::boot_instant::BootInstant;
use fmc_vrrp::heartbeat::session::{Keys, Session};
use fmc_vrrp::packet::{Advertisement, IpMeta, MULTICAST_GROUP, TTL};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::role::Role;
use fmc_vrrp::router::{Parameters, Peer, VirtualRouter};
use fmc_vrrp::tier::{Cause, Fitness, Tier, TierPriorities};

const VERSION: Version = Version::V3(ChecksumForm::PseudoHeader);
const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32));
const OWN: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 31));
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30));

fn parameters() -> Parameters {
    Parameters {
        virtual_router_id: VirtualRouterId::new(32).unwrap(),
        address: VIP,
        others: Vec::new(),
        source: OWN,
        rank: 1,
        version: VERSION,
        transport: Transport::Multicast,
        interval: Centiseconds::new(10).unwrap(),
        priorities: TierPriorities::new(254, 1).unwrap(),
        failback: Failback::Never,
        settle: Duration::from_secs(2),
        lease: Duration::from_secs(1),
        peers: [Peer { rank: 0, source: PEER }].into_iter().collect(),
    }
}

/// An advertisement over the wire and through the router, with everything it asks for.
fn hear(router: &mut VirtualRouter, priority: u8, now: BootInstant) {
    let mut wire = [0; 64];
    let sent = router.advertisement(Priority::new(priority));
    let length = sent.encode(PEER, MULTICAST_GROUP, VERSION, &mut wire);
    let ip = IpMeta { ttl: TTL, source: PEER, destination: MULTICAST_GROUP };
    let received = Advertisement::decode(&ip, VERSION, &wire[..length]).unwrap();
    router.handle_advertisement(&received.advertisement, &ip, now).unwrap();
    while router.poll_action().is_some() {}
}

#[test]
fn a_virtual_router_allocates_nothing_in_any_role() {
    let start = BootInstant::from_nanos(0);
    let mut router = VirtualRouter::new(parameters(), start);
    let mut roles = Vec::with_capacity(8);
    let counted = measure(|| {
        router.startup(start);
        router.set_fitness(Fitness::FIT, start);
        roles.push(router.role());
        for turn in 0..10 {
            hear(&mut router, 254, start + Duration::from_millis(100) * turn);
        }
        for _ in 0..50 {
            let now = router.next_deadline().unwrap();
            router.handle_deadline(now, Duration::ZERO);
            while router.poll_action().is_some() {}
        }
        roles.push(router.role());
        let now = router.next_deadline().unwrap();
        router.set_fitness(Fitness::serving(Tier::Unfit, Cause::Local), now);
        roles.push(router.role());
        hear(&mut router, 254, now);
        roles.push(router.role());
    });
    assert_eq!(roles, [Role::Backup, Role::Active, Role::Leaving, Role::Backup]);
    assert_eq!(counted.count_total, 0);
}

#[test]
fn a_signed_heartbeat_allocates_nothing() {
    let router = VirtualRouter::new(parameters(), BootInstant::from_nanos(0));
    let session = |own, peer, number| Session::new(own, peer, number, Keys::new([&[7; 32][..]]));
    let (mut a, mut b) = (session(0, 1, 11), session(1, 0, 22));
    let mut wire = [0; fmc_vrrp::heartbeat::MAX_LEN];
    let mut accepted = 0;
    let counted = measure(|| {
        for _ in 0..10 {
            let length = a.encode(1, None, &[router.report()], &mut wire);
            accepted += u32::from(b.accept(&wire[..length]).is_ok());
            let length = b.encode(1, None, &[router.report()], &mut wire);
            accepted += u32::from(a.accept(&wire[..length]).is_ok());
        }
    });
    assert_eq!((accepted, counted.count_total), (19, 0), "all but the very first are accepted");
}
