use std::net::Ipv4Addr;

use fmc_config::model::backend::Weight;
use proptest::prelude::*;

use super::super::chi_square::assert_follows;
use super::*;

fn entries(servers: &[(&str, u16)]) -> Vec<TableEntry> {
    let entry = |(position, (name, weight)): (usize, &(&str, u16))| TableEntry {
        position: position as u16,
        name: name.parse().unwrap(),
        weight: Weight::new(*weight).unwrap(),
    };
    servers.iter().enumerate().map(entry).collect()
}

fn table(servers: &[(&str, u16)]) -> SourceTable {
    SourceTable::new(entries(servers))
}

fn candidates(positions: &[usize]) -> Vec<Candidate> {
    let weight = Weight::new(1).unwrap();
    positions.iter().map(|&position| Candidate { position, weight, in_flight: 0, credit: 0 }).collect()
}

fn slots_of(table: &SourceTable, servers: usize) -> Vec<u64> {
    let mut counts = vec![0; servers];
    (0..SLOTS).for_each(|slot| counts[table.server(slot).unwrap()] += 1);
    counts
}

/// The clients of a /16, as in the lab.
fn sources() -> impl Iterator<Item = IpAddr> {
    (0..=u16::MAX).map(|host| Ipv4Addr::from(0x0a11_0000 | u32::from(host)).into())
}

const MASTERS: [(&str, u16); 3] = [("master1", 1), ("master2", 1), ("master3", 1)];

/// FNV-1a over the slots, a byte each: one number that stands for a whole table.
fn fingerprint(table: &SourceTable) -> u64 {
    let slot = |hash: u64, slot| (hash ^ table.server(slot).unwrap() as u64).wrapping_mul(0x0000_0100_0000_01b3);
    (0..SLOTS).fold(0xcbf2_9ce4_8422_2325, slot)
}

/// These numbers are a promise: nodes of different releases must agree, so a change of any of them is a break. They come from
/// a second implementation, written from the papers in another language; its SipHash passes the vector of the SipHash paper.
#[test]
fn every_node_build_and_architecture_makes_the_same_table_and_the_same_choice() {
    assert_eq!(fingerprint(&table(&MASTERS)), GOLDEN_EQUAL);
    assert_eq!(fingerprint(&table(&[("worker1", 3), ("worker2", 1), ("worker3", 256)])), GOLDEN_WEIGHTED);
    let table = table(&MASTERS);
    for (source, server) in GOLDEN_CHOICES {
        let chosen = choose(&candidates(&[0, 1, 2]), Ipv4Addr::from(source).into(), &table).unwrap();
        assert_eq!(MASTERS[chosen].0, server, "{source:?}");
    }
}

/// Two writes are one message: the byte of the purpose, then the rest.
#[test]
fn the_hash_is_siphash_2_4_of_the_purpose_and_the_bytes_under_our_key() {
    let message = [2, 192, 168, 0, 5];
    assert_eq!(hash(Purpose::Source, &[192, 168, 0, 5]), SipHasher24::new_with_key(b"fmc-lb maglev v1").hash(&message));
    assert_eq!(hash(Purpose::Source, &[192, 168, 0, 5]), GOLDEN_HASH);
    assert_eq!(hash(Purpose::Offset, b"master1"), GOLDEN_OFFSET);
}

#[test]
fn the_order_of_the_servers_in_the_file_does_not_matter() {
    let (forth, back) = (table(&MASTERS), table(&[MASTERS[2], MASTERS[0], MASTERS[1]]));
    for slot in 0..SLOTS {
        assert_eq!(
            MASTERS[forth.server(slot).unwrap()].0,
            ["master3", "master1", "master2"][back.server(slot).unwrap()]
        );
    }
}

#[test]
fn equal_servers_have_equally_many_slots_to_within_one() {
    for servers in 1..=16 {
        let names: Vec<_> = (1..=servers).map(|n| format!("worker{n}")).collect();
        let counts = slots_of(&table(&names.iter().map(|name| (name.as_str(), 7)).collect::<Vec<_>>()), servers);
        assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
    }
}

#[test]
fn real_clients_spread_in_proportion_to_the_weights() {
    for weights in [[1, 1, 1], [3, 1, 2], [256, 1, 64]] {
        let servers = [("a", weights[0]), ("b", weights[1]), ("c", weights[2])];
        let table = table(&servers);
        let mut clients = vec![0; 3];
        sources().for_each(|source| clients[choose(&candidates(&[0, 1, 2]), source, &table).unwrap()] += 1);
        assert_follows(&clients, &weights.map(f64::from));
    }
}

#[test]
fn a_server_that_is_away_moves_its_own_clients_and_nobody_else_and_they_spread_over_the_others() {
    let table = table(&[("a", 1), ("b", 2), ("c", 1)]);
    let mut moved = [0; 3];
    for source in sources() {
        let before = choose(&candidates(&[0, 1, 2]), source, &table).unwrap();
        let after = choose(&candidates(&[0, 1]), source, &table).unwrap();
        if before == 2 { moved[after] += 1 } else { assert_eq!(before, after) }
    }
    assert_follows(&moved[..2], &[1.0, 2.0]);
}

/// The optimum moves the clients of the server that leaves: 1 of n. Maglev moves a few more.
#[test]
fn a_server_that_leaves_the_file_moves_at_most_one_percent_more_than_its_own_share() {
    for servers in [2, 3, 5, 10, 16] {
        let names: Vec<_> = (1..=servers).map(|n| format!("worker{n}")).collect();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        for gone in 0..servers {
            let rest: Vec<_> =
                all.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, server)| *server).collect();
            let (before, after) = (table(&all), table(&rest));
            let name = |slot| all[before.server(slot).unwrap()].0;
            let needless = (0..SLOTS).filter(|&slot| name(slot) != all[gone].0);
            let needless = needless.filter(|&slot| name(slot) != rest[after.server(slot).unwrap()].0).count();
            assert!(needless * 100 <= SLOTS, "{gone} of {servers}: {needless} slots moved that need not");
        }
    }
}

#[test]
fn the_flows_of_one_address_spread_over_the_servers_and_each_stays_where_it_is() {
    let table = table(&MASTERS);
    let chosen = |port, among: &[usize]| {
        choose_for_flow(&candidates(among), SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), &table).unwrap()
    };
    let mut flows = vec![0; 3];
    for port in 1..30_000 {
        let server = chosen(port, &[0, 1, 2]);
        flows[server] += 1;
        assert!(server == 2 || chosen(port, &[0, 1]) == server, "nobody moves whose server is there");
    }
    assert_follows(&flows, &[1.0; 3]);
}

#[test]
fn a_table_without_the_candidates_still_gives_one() {
    assert_eq!(choose(&candidates(&[4]), IpAddr::V4(Ipv4Addr::LOCALHOST), &table(&MASTERS)), Some(4));
    assert_eq!(choose(&candidates(&[1]), IpAddr::V4(Ipv4Addr::LOCALHOST), &SourceTable::default()), Some(1));
    assert_eq!(choose(&[], IpAddr::V4(Ipv4Addr::LOCALHOST), &table(&MASTERS)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A round gives the heaviest one slot and the others their part: nobody is ever more than one turn from the share, and
    /// the last round may be cut short.
    #[test]
    fn every_server_has_its_share_of_the_slots(weights in prop::collection::vec(1u16..=256, 1..12)) {
        let names: Vec<_> = (0..weights.len()).map(|n| format!("s{n}")).collect();
        let servers: Vec<_> = names.iter().map(String::as_str).zip(weights.iter().copied()).collect();
        let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
        for (count, weight) in slots_of(&table(&servers), servers.len()).into_iter().zip(weights) {
            let share = SLOTS as f64 * f64::from(weight) / total;
            prop_assert!((count as f64 - share).abs() <= servers.len() as f64, "{count} slots of {share}");
        }
    }

    #[test]
    fn a_walk_meets_every_slot_once(source in any::<u32>()) {
        let mut met = vec![false; SLOTS];
        walk(&source.to_be_bytes()).for_each(|slot| met[slot] = true);
        prop_assert!(met.into_iter().all(|met| met));
    }
}

const GOLDEN_EQUAL: u64 = 0xaae2_73fb_047f_8b61;
const GOLDEN_WEIGHTED: u64 = 0xe26b_0581_7ad9_8451;
const GOLDEN_HASH: u64 = 0x0f4d_1ca4_9e3c_0f10;
const GOLDEN_OFFSET: u64 = 0xacdb_b882_92b3_a685;
const GOLDEN_CHOICES: [([u8; 4], &str); 6] = [
    ([192, 168, 0, 5], "master2"),
    ([192, 168, 0, 6], "master3"),
    ([192, 168, 0, 40], "master2"),
    ([10, 17, 4, 24], "master1"),
    ([10, 17, 4, 25], "master1"),
    ([127, 0, 0, 1], "master3"),
];
