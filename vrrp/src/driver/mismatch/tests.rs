use std::net::Ipv4Addr;

use fmc_config::model::election::{Centiseconds, ChecksumForm, Failback, Transport, Version};
use fmc_config::model::vip::VirtualRouterId;

use super::*;
use crate::tier::TierPriorities;

const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 99));

fn ours() -> Parameters {
    Parameters {
        virtual_router_id: VirtualRouterId::new(32).unwrap(),
        address: VIP,
        others: Vec::new(),
        source: [192, 168, 0, 30].into(),
        rank: 0,
        version: Version::V3(ChecksumForm::PseudoHeader),
        transport: Transport::Multicast,
        interval: Centiseconds::new(10).unwrap(),
        priorities: TierPriorities::new(254, 0).unwrap(),
        failback: Failback::Never,
        settle: Duration::from_secs(2),
        lease: Duration::from_secs(1),
        peers: [].into_iter().collect(),
    }
}

fn at(seconds: u64) -> BootInstant {
    BootInstant::from_nanos(seconds * 1_000_000_000)
}

fn advert(priority: u8, interval: u16, address: IpAddr) -> Advertisement {
    let (id, interval) = (VirtualRouterId::new(32).unwrap(), Centiseconds::new(interval).unwrap());
    Advertisement::of_one(id, Priority::new(priority), interval, address)
}

fn accepted(advertisement: &Advertisement) -> Vec<Difference> {
    let mut mismatches = Mismatches::default();
    mismatches.accepted(OTHER, advertisement, &ours(), Priority::new(254), at(0));
    mismatches.standing(&ours(), at(0)).map(|mismatch| mismatch.difference).collect()
}

/// Proves V-61, V-62, V-93.
#[test]
fn what_is_accepted_and_differs_is_told() {
    assert_eq!(accepted(&advert(100, 10, VIP)), []);
    assert_eq!(accepted(&advert(100, 100, VIP)), [Difference::Interval { theirs: 100, ours: 10 }]);
    assert_eq!(accepted(&advert(100, 10, OTHER)), [Difference::AddressList { theirs: OTHER }]);
    assert_eq!(accepted(&advert(254, 10, VIP)), [Difference::SamePriority(Priority::new(254))]);
}

fn discarded(reason: Discarded) -> Option<Difference> {
    let mut mismatches = Mismatches::default();
    mismatches.discarded(OTHER, reason, &ours(), at(0));
    mismatches.standing(&ours(), at(0)).next().map(|mismatch| mismatch.difference)
}

/// Proves V-51, V-59-, V-60, V-65, V-77.
#[test]
fn what_is_discarded_for_a_configuration_is_told_and_what_is_broken_is_not() {
    let version = Discarded::Version { theirs: 2, ours: 3 };
    assert_eq!(discarded(version), Some(Difference::Version { theirs: 2, ours: 3 }));
    assert_eq!(discarded(Discarded::Password), Some(Difference::Password));
    let interval = Discarded::IntervalDiffers { theirs: 2, ours: 1 };
    assert_eq!(discarded(interval), Some(Difference::Interval { theirs: 200, ours: 100 }));
    assert_eq!(discarded(Discarded::OwnAddress), Some(Difference::SameAddress));
    for broken in
        [Discarded::Version { theirs: 7, ours: 3 }, Discarded::Checksum, Discarded::Ttl(64), Discarded::Interval]
    {
        assert_eq!(discarded(broken), None, "{broken:?}");
    }
}

#[test]
fn a_mismatch_is_mended_when_it_is_not_seen_any_more() {
    let mut mismatches = Mismatches::default();
    mismatches.discarded(OTHER, Discarded::Password, &ours(), at(0));
    mismatches.discarded(OTHER, Discarded::Password, &ours(), at(50));
    assert_eq!(mismatches.standing(&ours(), at(110)).count(), 1);
    assert_eq!(mismatches.standing(&ours(), at(111)).count(), 0);
}

#[test]
fn forged_ones_fill_the_room_there_is_and_leave_it() {
    let mut mismatches = Mismatches::default();
    for last in 0..=255 {
        mismatches.discarded([10, 0, 0, last].into(), Discarded::Password, &ours(), at(0));
    }
    assert_eq!(mismatches.standing(&ours(), at(0)).count(), REMEMBERED);
    mismatches.discarded(OTHER, Discarded::Password, &ours(), at(99));
    let standing: Vec<_> = mismatches.standing(&ours(), at(99)).map(|mismatch| mismatch.source).collect();
    assert_eq!(standing, [OTHER]);
}
