//! Whatever comes in whatever order: no panic, the address exactly while the role holds it, no deadline in the past, and never more
//! advertisements than the interval and the assertions out of turn allow (P-03, P-08).

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fmc_config::model::election::{Centiseconds, ChecksumForm, Failback, Password, Transport, Version};
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::boot_instant::BootInstant;
use fmc_vrrp::heartbeat::PeerReport;
use fmc_vrrp::packet::{Advertisement, IpMeta, MULTICAST_GROUP, TTL};
use fmc_vrrp::priority::Priority;
use fmc_vrrp::router::role::Role;
use fmc_vrrp::router::{Action, AddressLoss, Linger, Link, Parameters, Peer, VirtualRouter};
use fmc_vrrp::tier::{Cause, Fitness, Tier, TierPriorities};
use libfuzzer_sys::fuzz_target;

const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32));
const START: BootInstant = BootInstant::from_nanos(1_000_000_000_000);

fn address(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 168, 0, last))
}

/// The first octet chooses what the router is told.
fn parameters(choice: u8) -> Option<Parameters> {
    let is_v2 = choice & 1 == 1;
    let version = if is_v2 { Version::V2(Password::new("labpair")) } else { Version::V3(ChecksumForm::PseudoHeader) };
    let hundredths = if is_v2 { 100 } else { [1, 2, 10, 100][usize::from(choice >> 1 & 3)] };
    Some(Parameters {
        virtual_router_id: VirtualRouterId::new(32)?,
        address: VIP,
        others: Vec::new(),
        source: address(31),
        rank: 1,
        version,
        transport: if choice & 8 == 8 { Transport::Unicast } else { Transport::Multicast },
        interval: Centiseconds::new(hundredths)?,
        priorities: TierPriorities::new(254, 1).ok()?,
        failback: [Failback::Never, Failback::Always, Failback::After(Duration::from_secs(1))]
            [usize::from(choice >> 4) % 3],
        settle: Duration::from_secs(2),
        lease: Duration::from_secs(1),
        peers: [0, 2].map(|rank| Peer { rank, source: address(30 + rank) }).into_iter().collect(),
    })
}

const TIERS: [Tier; 3] = [Tier::Unfit, Tier::Degraded, Tier::Fit];
const ROLES: [Role; 4] = [Role::Initialize, Role::Backup, Role::Active, Role::Leaving];

fn hear(router: &mut VirtualRouter, [_, a, b, c]: [u8; 4], now: BootInstant) {
    let Some(interval) = Centiseconds::new(u16::from(c) * 10) else { return };
    let destination = if a & 1 == 1 { MULTICAST_GROUP } else { address(31) };
    let ip = IpMeta { ttl: TTL, source: address(29 + (a >> 1) % 5), destination };
    let id = router.parameters().virtual_router_id;
    let heard = Advertisement::of_one(id, Priority::new(b), interval, VIP);
    let before = (router.explain(), router.next_deadline(), router.statistics());
    if router.handle_advertisement(&heard, &ip, now).is_err() {
        assert_eq!(before, (router.explain(), router.next_deadline(), router.statistics()));
    }
}

fn report([_, a, b, c]: [u8; 4]) -> PeerReport {
    PeerReport {
        virtual_router_id: 32,
        address: VIP,
        source: address(30 + (a & 2)),
        role: ROLES[usize::from(b & 3)],
        tier: TIERS[usize::from(b >> 2) % 3],
        serving: b & 64 == 0,
        priority: Priority::new(c),
        claim: (b & 128 == 128).then_some(c % 4),
    }
}

fn perform_one(router: &mut VirtualRouter, event: [u8; 4], now: BootInstant) {
    let [kind, a, b, _] = event;
    let losses = [AddressLoss::Expired, AddressLoss::Removed, AddressLoss::Unanswered];
    match kind % 12 {
        0..=2 => hear(router, event, now),
        3 | 4 => router.handle_peer(a & 3, report(event), now),
        5 => router.set_fitness(
            Fitness {
                tier: TIERS[usize::from(a) % 3],
                cause: if b & 1 == 1 { Cause::Local } else { Cause::Backend },
                serving: b & 6 != 0,
            },
            now,
        ),
        6 => router.handle_link(if a & 7 == 0 { Link::Down } else { Link::Up }, now),
        7 => drop(router.resign((a & 4 == 4).then_some(a & 3), now)),
        8 => drop(router.claim(a & 3, now)),
        9 if router.role().holds_address() => router.handle_address_lost(losses[usize::from(a) % 3], now),
        9 => router.handle_address_answered(now),
        10 => router.startup(now),
        _ => router.shutdown(if a & 1 == 1 { Linger::UntilTaken } else { Linger::None }, now),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, events)) = input.split_first() else { return };
    let Some(parameters) = parameters(choice) else { return };
    let interval = parameters.interval.duration();
    let (mut router, mut now) = (VirtualRouter::new(parameters, START), START);
    let (mut installed, mut sent) = (false, 0);
    router.startup(now);
    router.set_fitness(Fitness::FIT, now);
    for event in events.as_chunks::<5>().0 {
        let [pause, event @ ..] = *event;
        let until = now + Duration::from_millis(u64::from(pause) * u64::from(pause) / 16);
        // On time, but for the last: a stall.
        while let Some(due) = router.next_deadline().filter(|due| *due <= until && pause != 255) {
            now = now.max(due);
            router.handle_deadline(now, Duration::ZERO);
            settle(&mut router, &mut installed, &mut sent, now);
        }
        now = until;
        perform_one(&mut router, event, now);
        settle(&mut router, &mut installed, &mut sent, now);
        if let Some(due) = router.next_deadline().filter(|due| *due <= now) {
            router.handle_deadline(now, now.saturating_duration_since(due));
            settle(&mut router, &mut installed, &mut sent, now);
        }
        assert!(router.next_deadline().is_none_or(|due| due >= now), "{router:?}");
    }
    let span = now.saturating_duration_since(START).as_secs_f64();
    // In turn, and out of turn one in 50 ms; beyond them an operator's or a heartbeat's wish may make one each.
    let bound = span / interval.as_secs_f64() + span / 0.05 + 2.0 + 2.0 * (events.len() / 5) as f64;
    assert!(f64::from(sent) <= bound, "{sent} advertisements in {span} s");
});

fn settle(router: &mut VirtualRouter, installed: &mut bool, sent: &mut u32, now: BootInstant) {
    while let Some(action) = router.poll_action() {
        match action {
            Action::SendAdvertisement(_) => *sent += 1,
            Action::AddAddress => *installed = true,
            Action::RemoveAddress => *installed = false,
            Action::Announce | Action::SendHeartbeat | Action::RoleChanged(_) | Action::Alarm(_) => {}
        }
    }
    assert_eq!(*installed, router.role().holds_address(), "{:?} at {now:?}", router.role());
}
