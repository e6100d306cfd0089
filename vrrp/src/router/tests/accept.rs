//! What a virtual router takes and what it discards; and that a discarded packet changes nothing.

use fmc_config::model::election::Centiseconds;
use fmc_config::model::vip::VirtualRouterId;
use proptest::prelude::*;

use super::harness::*;
use crate::packet::{Advertisement, Discarded, IpMeta, MAX_LEN};
use crate::priority::Priority;
use crate::router::{Parameters, VirtualRouter};

/// An advertisement that would end any ownership.
fn advert(id: u8, interval: u16) -> Advertisement {
    let id = VirtualRouterId::new(id).unwrap();
    Advertisement::of_one(id, Priority::OWNER, Centiseconds::new(interval).unwrap(), VIP)
}

fn unicast(source: std::net::IpAddr) -> IpMeta {
    IpMeta { destination: address(1), ..multicast(source) }
}

/// The router in every state it can be in.
fn in_every_state(parameters: &Parameters) -> [Bench; 4] {
    let stopped = Bench::stopped(parameters.clone());
    let backup = Bench::backup_with(parameters.clone());
    let active = Bench::active_with(parameters.clone());
    let mut leaving = Bench::active_with(parameters.clone());
    leaving.router.resign(None, leaving.now).unwrap();
    leaving.actions();
    [stopped, backup, active, leaving]
}

fn snapshot(router: &VirtualRouter) -> String {
    format!("{:?} {:?} {:?}", router.explain(), router.next_deadline(), router.statistics())
}

/// In every state: discarded for this reason, and nothing else has happened.
fn assert_discarded(parameters: &Parameters, advertisement: &Advertisement, ip: &IpMeta, expected: Discarded) {
    for mut bench in in_every_state(parameters) {
        let before = snapshot(&bench.router);
        assert_eq!(bench.router.handle_advertisement(advertisement, ip, bench.now), Err(expected));
        assert_eq!((snapshot(&bench.router), bench.actions().as_str()), (before, ""));
    }
}

/// Proves V-55, V-65, V-66, V-77, V-85-.
#[test]
fn another_identifier_our_own_address_and_unicast_are_discarded_and_change_nothing() {
    let ours = parameters(1, 3);
    assert_discarded(&ours, &advert(33, 10), &multicast(FOREIGN_HIGH), Discarded::VirtualRouterId(33));
    assert_discarded(&ours, &advert(32, 10), &multicast(address(1)), Discarded::OwnAddress);
    assert_discarded(&ours, &advert(32, 10), &unicast(FOREIGN_HIGH), Discarded::Destination(address(1)));
}

/// Proves V-84+, V-84-, V-85+, V-85-.
#[test]
fn by_unicast_only_nodes_are_heard_and_multicast_is_not() {
    let ours = by_unicast();
    assert_discarded(&ours, &advert(32, 10), &unicast(FOREIGN_HIGH), Discarded::Stranger);
    let group = multicast(address(0));
    assert_discarded(&ours, &advert(32, 10), &group, Discarded::Destination(group.destination));
    assert_discarded(&ours, &advert(32, 10), &unicast(address(1)), Discarded::OwnAddress);
    let mut bench = Bench::backup_with(ours);
    let now = bench.now;
    assert_eq!(bench.router.handle_advertisement(&advert(32, 10), &unicast(address(0)), now), Ok(()));
}

/// Proves V-60.
#[test]
fn version_2_discards_another_interval_than_ours() {
    let differs = Discarded::IntervalDiffers { theirs: 2, ours: 1 };
    assert_discarded(&version_2(), &advert(32, 200), &multicast(FOREIGN_HIGH), differs);
    let mut bench = Bench::backup_with(version_2());
    let now = bench.now;
    assert_eq!(bench.router.handle_advertisement(&advert(32, 100), &multicast(FOREIGN_HIGH), now), Ok(()));
}

/// Proves V-62, V-63.
#[test]
fn another_list_of_addresses_is_obeyed_in_both_versions() {
    for ours in [parameters(1, 3), version_2()] {
        let interval = ours.interval;
        let mut bench = Bench::backup_with(ours);
        let id = VirtualRouterId::new(32).unwrap();
        let other = Advertisement::of_one(id, Priority::new(254), interval, FOREIGN_LOW);
        let mut hear_after = |span| {
            bench.after(millis(span));
            bench.router.handle_advertisement(&other, &multicast(FOREIGN_HIGH), bench.now).unwrap();
            bench.until_deadline()
        };
        assert_eq!(hear_after(0), hear_after(50), "each starts the timer anew");
    }
}

/// The octets of a good advertisement of `ours`, some of them changed; half of the time with its checksum made right again.
fn junk(ours: &Parameters, changes: &[(usize, u8)], mend: bool) -> Vec<u8> {
    let mut bytes = [0; MAX_LEN];
    let good = advert(32, ours.interval.get());
    let length = good.encode(FOREIGN_HIGH, multicast(FOREIGN_HIGH).destination, ours.version, &mut bytes);
    let mut bytes = bytes[..length].to_vec();
    changes.iter().for_each(|&(place, octet)| bytes[place % length] = octet);
    if mend {
        bytes[6..8].fill(0);
        let sum = pnet::util::checksum(&bytes, 3);
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

proptest! {
    /// Proves V-66.
    #[test]
    fn whatever_is_discarded_leaves_every_state_as_it_was(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        mend: bool,
        ttl in prop_oneof![Just(255), Just(254_u8)],
        to_group: bool,
        cut in 0..3_usize,
    ) {
        for ours in [parameters(1, 3), version_2(), by_unicast()] {
            let bytes = junk(&ours, &changes, mend);
            let bytes = &bytes[..bytes.len() - cut];
            let ip = if to_group { multicast(FOREIGN_HIGH) } else { unicast(FOREIGN_HIGH) };
            let ip = IpMeta { ttl, ..ip };
            for mut bench in in_every_state(&ours) {
                let before = snapshot(&bench.router);
                let (router, now) = (&mut bench.router, bench.now);
                let heard = Advertisement::decode(&ip, ours.version, bytes)
                    .and_then(|received| router.handle_advertisement(&received.advertisement, &ip, now));
                if heard.is_err() {
                    prop_assert_eq!(snapshot(&bench.router), before);
                    prop_assert_eq!(bench.actions(), "");
                }
            }
        }
    }
}
