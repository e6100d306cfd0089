use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;
use crate::heartbeat::{MAX_LEN, MAX_VIRTUAL_ROUTERS, room_for};
use crate::priority::Priority;
use crate::router::role::Role;
use crate::tier::Tier;

const KEY: [u8; 32] = [7; 32];
const NEWEST: Sequence = Sequence::from_bits(0x6800_0000_8000_0000);
const HASH: u64 = 0xfeed_beef_0123_4567;

fn report(role: Role) -> PeerReport {
    PeerReport {
        virtual_router_id: 32,
        address: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32)),
        source: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30)),
        role,
        tier: Tier::Degraded,
        serving: true,
        priority: Priority::new(102),
        claim: Some(1),
    }
}

fn key() -> Keys {
    keys(&[KEY])
}

fn keys(octets: &[[u8; 32]]) -> Keys {
    Keys::new(octets.iter().map(<[u8; 32]>::as_slice))
}

/// Node 0 and node 1 of one pair.
fn pair() -> (Session, Session) {
    (Session::new(0, 1, 0xaaaa, key()), Session::new(1, 0, 0xbbbb, key()))
}

fn datagram(from: &mut Session) -> Vec<u8> {
    let mut out = [0xa5; MAX_LEN];
    let length = from.encode(HASH, None, &[report(Role::Active)], &mut out);
    out[..length].to_vec()
}

/// Datagrams both ways until each accepts the other.
fn acquaint(a: &mut Session, b: &mut Session) {
    for _ in 0..3 {
        let _ = b.accept(&datagram(a));
        let _ = a.accept(&datagram(b));
    }
    assert!(b.accept(&datagram(a)).is_ok());
    assert!(a.accept(&datagram(b)).is_ok());
}

#[test]
fn two_nodes_accept_each_other_after_one_round_trip() {
    let (mut a, mut b) = pair();
    assert_eq!(b.accept(&datagram(&mut a)), Err(Rejected::Unproven));
    assert!(a.accept(&datagram(&mut b)).is_ok(), "b echoes a");
    assert!(b.accept(&datagram(&mut a)).is_ok(), "a echoes b");
}

#[test]
fn what_is_said_arrives() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let heartbeat = b.accept(&datagram(&mut a)).unwrap();
    assert_eq!((heartbeat.rank, heartbeat.config_hash), (0, HASH));
    assert_eq!(heartbeat.virtual_routers.as_slice(), [report(Role::Active)]);
}

#[test]
fn only_a_signed_datagram_says_which_of_our_signed_advertisements_counted() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let open = || Keys::default();
    let (mut c, mut d) = (Session::new(0, 1, 0xcccc, open()), Session::new(1, 0, 0xdddd, open()));
    acquaint(&mut c, &mut d);
    for (from, to, told) in [(&mut a, &mut b, Some(NEWEST)), (&mut c, &mut d, None)] {
        let mut out = [0xa5; MAX_LEN];
        let length = from.encode(HASH, Some(NEWEST), &[report(Role::Active)], &mut out);
        assert_eq!(to.accept(&out[..length]).unwrap().accepted, told);
    }
}

#[test]
fn an_accepted_datagram_counts_once() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let once = datagram(&mut a);
    let later = datagram(&mut a);
    assert!(b.accept(&later).is_ok());
    assert_eq!(b.accept(&later), Err(Rejected::Replayed));
    assert_eq!(b.accept(&once), Err(Rejected::Replayed), "out of order");
}

#[test]
fn a_changed_octet_anywhere_is_a_forgery_or_nonsense() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let genuine = datagram(&mut a);
    for offset in 0..genuine.len() {
        let mut forged = genuine.clone();
        forged[offset] ^= 1;
        assert!(b.accept(&forged).is_err(), "offset {offset}");
    }
    assert!(b.accept(&genuine).is_ok(), "the forgeries had no effect");
    assert!(b.rejected()[Rejected::Forged.index()] > 60);
}

#[test]
fn another_key_no_key_and_an_unexpected_key_are_told_apart() {
    let (mut signed, _) = pair();
    let mut other = Session::new(1, 0, 5, keys(&[[8; 32]]));
    let mut open = Session::new(1, 0, 5, Keys::default());
    assert_eq!(signed.accept(&datagram(&mut other)), Err(Rejected::Forged));
    assert_eq!(signed.accept(&datagram(&mut open)), Err(Rejected::Unsigned));
    assert_eq!(open.accept(&datagram(&mut signed)), Err(Rejected::Unexpected));
}

#[test]
fn a_key_is_replaced_on_one_node_after_the_other_and_no_datagram_is_lost() {
    let (old, new) = (KEY, [9; 32]);
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    // Both accept both, then both sign with the new one, then both forget the old one: node after node.
    for steps in [vec![old, new], vec![new, old], vec![new]] {
        for turn in [0, 1] {
            let node = if turn == 0 { &mut a } else { &mut b };
            node.set_keys(keys(&steps));
            assert!(b.accept(&datagram(&mut a)).is_ok(), "{steps:?}, turn {turn}");
            assert!(a.accept(&datagram(&mut b)).is_ok(), "{steps:?}, turn {turn}");
        }
    }
    let mut stranger = Session::new(1, 0, 0xbbbb, keys(&[old]));
    assert_eq!(a.accept(&datagram(&mut stranger)), Err(Rejected::Forged), "the old key is worth nothing now");
}

#[test]
fn a_third_node_cannot_speak_for_the_second() {
    let (mut a, _) = pair();
    let mut third = Session::new(2, 0, 0xcccc, key());
    assert_eq!(a.accept(&datagram(&mut third)), Err(Rejected::Rank));
}

#[test]
fn a_replay_of_an_earlier_life_of_ours_is_unproven() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let recorded = datagram(&mut a);
    let mut restarted = Session::new(1, 0, 0xb0b0, key());
    assert_eq!(restarted.accept(&recorded), Err(Rejected::Unproven));
}

#[test]
fn a_restarted_peer_is_accepted_within_its_second_datagram() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let mut restarted = Session::new(1, 0, 0xb0b0, key());
    assert_eq!(a.accept(&datagram(&mut restarted)), Err(Rejected::Unproven), "it has heard nobody");
    let _ = restarted.accept(&datagram(&mut a));
    assert!(a.accept(&datagram(&mut restarted)).is_ok());
}

#[test]
fn a_replay_of_an_earlier_life_of_the_peer_changes_nothing() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    // Held back on its way: genuine, echoes our process, never seen.
    let held_back: Vec<_> = (0..5).map(|_| datagram(&mut b)).collect();
    let mut restarted = Session::new(1, 0, 0xb0b0, key());
    for _ in 0..4 {
        let _ = restarted.accept(&datagram(&mut a));
        let _ = a.accept(&datagram(&mut restarted));
    }
    for old in &held_back {
        assert!(a.accept(old).is_err());
    }
    let _ = restarted.accept(&datagram(&mut a));
    assert!(a.accept(&datagram(&mut restarted)).is_ok(), "the living one is still heard");
}

#[test]
fn a_flood_of_replays_does_not_keep_a_restarted_peer_out() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let replays: Vec<_> = (0..8)
        .map(|life| {
            let mut old = Session::new(1, 0, 0xdead_0000 + life, key());
            datagram(&mut old)
        })
        .collect();
    let mut restarted = Session::new(1, 0, 0xb0b0, key());
    let mut accepted = false;
    for round in 0..200 {
        let first = round % 2 == 0;
        if first {
            accepted |= a.accept(&datagram(&mut restarted)).is_ok();
        }
        for replay in &replays {
            assert!(a.accept(replay).is_err());
        }
        if !first {
            accepted |= a.accept(&datagram(&mut restarted)).is_ok();
        }
        let _ = restarted.accept(&datagram(&mut a));
    }
    assert!(accepted);
}

#[test]
fn replays_of_other_lives_do_not_silence_the_established_one() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let mut old = Session::new(1, 0, 0xdead, key());
    let replay = datagram(&mut old);
    let mut heard = 0;
    for _ in 0..20 {
        assert!(a.accept(&replay).is_err());
        heard += u32::from(b.accept(&datagram(&mut a)).is_ok());
        assert!(a.accept(&datagram(&mut b)).is_ok());
    }
    assert!(heard >= 10, "every second datagram still echoes the living one, so {heard} of 20 count");
}

#[test]
fn a_datagram_that_answers_a_long_past_one_is_stale() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let delayed = datagram(&mut b);
    for _ in 0..ECHO_WINDOW + 1 {
        datagram(&mut a);
    }
    assert_eq!(a.accept(&delayed), Err(Rejected::Stale));
}

#[test]
fn a_peer_that_cannot_hear_us_is_not_live() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let verdicts: Vec<_> = (0..ECHO_WINDOW + 4)
        .map(|_| {
            datagram(&mut a);
            a.accept(&datagram(&mut b)).is_ok()
        })
        .collect();
    assert!(verdicts[0] && !verdicts[verdicts.len() - 1], "{verdicts:?}");
}

#[test]
fn two_nodes_that_lost_a_whole_window_find_each_other_again() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    for _ in 0..10 * ECHO_WINDOW {
        datagram(&mut a);
        datagram(&mut b);
    }
    let _ = b.accept(&datagram(&mut a));
    let _ = a.accept(&datagram(&mut b));
    assert!(b.accept(&datagram(&mut a)).is_ok());
    assert!(a.accept(&datagram(&mut b)).is_ok());
}

#[test]
fn what_was_said_to_one_node_says_nothing_to_another() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let mut a_to_third = Session::new(0, 2, 0xaaaa, key());
    let said_to_third = (0..100).map(|_| datagram(&mut a_to_third)).last().unwrap();
    assert_eq!(b.accept(&said_to_third), Err(Rejected::Rank));
    assert!(b.accept(&datagram(&mut a)).is_ok());
}

#[test]
fn without_a_key_the_same_freshness_holds() {
    let (mut a, mut b) = (Session::new(0, 1, 1, Keys::default()), Session::new(1, 0, 2, Keys::default()));
    acquaint(&mut a, &mut b);
    let once = datagram(&mut a);
    assert!(b.accept(&once).is_ok());
    assert_eq!(b.accept(&once), Err(Rejected::Replayed));
}

#[test]
fn the_largest_heartbeat_fits_one_ethernet_frame() {
    let (mut a, mut b) = pair();
    acquaint(&mut a, &mut b);
    let of_6 = PeerReport { address: "fd00::32".parse().unwrap(), ..report(Role::Backup) };
    for (each, many) in [(report(Role::Backup), MAX_VIRTUAL_ROUTERS), (of_6, 37)] {
        let mut out = [0; MAX_LEN];
        let length = a.encode(HASH, None, &[each; MAX_VIRTUAL_ROUTERS + 1], &mut out);
        assert!(length <= 1452, "{length} octets of UDP payload over IPv6");
        assert_eq!(b.accept(&out[..length]).unwrap().virtual_routers.len(), many);
    }
}

#[test]
fn every_reason_has_its_own_counter() {
    let mut labels = Rejected::COUNTERS.to_vec();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), Rejected::COUNTERS.len());
}

fn any_report() -> impl Strategy<Value = PeerReport> {
    let roles = prop_oneof![Just(Role::Initialize), Just(Role::Backup), Just(Role::Active), Just(Role::Leaving)];
    let tiers = prop_oneof![Just(Tier::Unfit), Just(Tier::Degraded), Just(Tier::Fit)];
    let claim = proptest::option::of(0..255_u8);
    let addresses = prop_oneof![
        any::<[Ipv4Addr; 2]>().prop_map(|both| both.map(IpAddr::from)),
        any::<[Ipv6Addr; 2]>().prop_map(|both| both.map(IpAddr::from)),
    ];
    (1..=255_u8, addresses, roles, tiers, any::<bool>(), any::<u8>(), claim).prop_map(
        |(virtual_router_id, [address, source], role, tier, serving, priority, claim)| PeerReport {
            virtual_router_id,
            address,
            source,
            role,
            tier,
            serving,
            priority: Priority::new(priority),
            claim,
        },
    )
}

proptest! {
    #[test]
    fn every_report_survives_the_way(reports in proptest::collection::vec(any_report(), 0..=MAX_VIRTUAL_ROUTERS), hash: u64) {
        let (mut a, mut b) = pair();
        acquaint(&mut a, &mut b);
        let mut out = [0xff; MAX_LEN];
        let length = a.encode(hash, None, &reports, &mut out);
        let heartbeat = b.accept(&out[..length]).unwrap();
        let room = room_for(reports.iter().map(|report| report.address));
        prop_assert_eq!(heartbeat.config_hash, hash);
        prop_assert_eq!(heartbeat.virtual_routers.as_slice(), &reports[..room]);
    }

    #[test]
    fn no_octets_make_accept_panic_and_none_are_accepted(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let (mut signed, _) = pair();
        prop_assert!(signed.accept(&bytes).is_err());
        let mut framed = b"fmc+\x01\x01".to_vec();
        framed.extend(&bytes);
        let mut open = Session::new(0, 1, 9, Keys::default());
        prop_assert!(open.accept(&framed).is_err());
        prop_assert_eq!(open.rejected().iter().sum::<u64>(), 1);
    }
}
