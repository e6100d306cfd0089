use std::time::Duration;

use fmc_config::model::election::{Centiseconds, Failback};

use super::lan::{Lan, Life, Seeded};
use crate::router::Parameters;
use crate::router::role::Role;
use crate::router::tests::harness::{INTERVAL, LOCAL_UNFIT, millis};
use crate::tier::{Cause, Fitness, Tier};

/// Longest Active_Down_Interval of a fit node, its turn at start-up, one interval, and the way.
const DETECTION: Duration = Duration::from_millis(305);
/// After the last disturbance: a stall's grace, two detections, a fall that settles and its preemption.
const CALM: Duration = Duration::from_secs(4);

#[test]
fn a_killed_owner_is_replaced_within_the_detection_time() {
    for seed in 0..200 {
        let mut lan = Lan::settled(seed, 2 + (seed % 2) as u8);
        lan.run(millis(seed));
        lan.kill(0);
        lan.run(DETECTION);
        assert_eq!(lan.active(), [1], "{}", lan.story());
    }
}

#[test]
fn with_lost_packets_the_owner_stays_the_owner() {
    for seed in 0..100 {
        let mut lan = Lan::settled(seed, 2);
        lan.loss = 30;
        lan.run(Duration::from_secs(20));
        assert_eq!((lan.active(), lan.promotions()), (vec![0], 1), "{}", lan.story());
    }
}

#[test]
fn a_planned_move_leaves_no_instant_without_the_address() {
    for seed in 0..200 {
        let mut lan = Lan::settled(seed, 2 + (seed % 2) as u8);
        lan.never_unserved = true;
        lan.loss = if seed % 4 == 0 { 100 } else { 0 };
        lan.run(millis(seed));
        let to = (seed % 3 == 0).then_some(1);
        assert!(lan.resign(0, to));
        lan.run(INTERVAL);
        assert!(lan.loss > 0 || lan.active() == [1], "{}", lan.story());
        lan.loss = 0;
        lan.run(CALM);
        assert_eq!(lan.active().len(), 1, "{}", lan.story());
    }
}

#[test]
fn a_shut_down_owner_hands_over_without_a_gap() {
    for seed in 0..100 {
        let mut lan = Lan::settled(seed, 2);
        lan.never_unserved = true;
        lan.run(millis(seed));
        lan.shutdown(0);
        lan.run(INTERVAL);
        assert_eq!((lan.active(), lan.nodes[0].router.role()), (vec![1], Role::Initialize), "{}", lan.story());
    }
}

#[test]
fn a_local_fall_moves_the_address_without_a_gap_and_a_recovery_does_not_move_it_back() {
    for seed in 0..100 {
        let mut lan = Lan::settled(seed, 2);
        lan.never_unserved = true;
        lan.run(millis(seed));
        lan.set_fitness(0, LOCAL_UNFIT);
        lan.run(millis(10));
        assert_eq!(lan.active(), [1], "{}", lan.story());
        lan.set_fitness(0, Fitness::FIT);
        lan.run(Duration::from_secs(10));
        assert_eq!((lan.active(), lan.promotions()), (vec![1], 2), "{}", lan.story());
    }
}

#[test]
fn a_dead_proxy_moves_the_address_in_milliseconds() {
    for seed in 0..100 {
        let mut lan = Lan::settled(seed, 3);
        lan.run(millis(seed));
        lan.set_fitness(0, Fitness::NOT_SERVING);
        lan.run(millis(5));
        assert_eq!(lan.active(), [1], "{}", lan.story());
        assert_eq!(lan.holders(), [1], "{}", lan.story());
    }
}

#[test]
fn all_backends_die_and_return_at_jittered_times_and_nothing_moves() {
    for seed in 0..200 {
        let mut lan = Lan::settled(seed, 2 + (seed % 2) as u8);
        let fall = Fitness::serving(if seed % 5 == 0 { Tier::Degraded } else { Tier::Unfit }, Cause::Backend);
        for fitness in [fall, Fitness::FIT, fall, Fitness::FIT] {
            let mut times: Vec<_> = (0..lan.nodes.len()).map(|node| (lan.random.below(1900), node)).collect();
            times.sort_unstable();
            let mut passed = 0;
            for (at, node) in times {
                lan.run(millis(at - passed));
                passed = at;
                lan.set_fitness(node, fitness);
            }
            lan.run(millis(3000));
        }
        assert_eq!((lan.active(), lan.promotions()), (vec![0], 1), "{}", lan.story());
    }
}

/// When a node sees one master less, or one more: a master goes each 2.5 s and returns after 1.5 s, and checks take up to 1.9 s to find that. A
/// node may see two of three dead for a while, and another one none.
fn replacements_as_seen(lan: &mut Lan, node: usize) -> Vec<(u64, usize, i8)> {
    let mut seen = Vec::new();
    for went in [0, 2500, 5000] {
        let dead_at = went + lan.random.below(1900);
        let well_at = (went + 1500 + lan.random.below(1900)).max(dead_at + 1);
        seen.extend([(dead_at, node, -1), (well_at, node, 1)]);
    }
    seen
}

#[test]
fn masters_that_are_replaced_one_after_the_other_and_are_seen_so_at_jittered_times_move_nothing() {
    for seed in 0..100 {
        let mut lan = Lan::settled(seed, 2 + (seed % 2) as u8);
        let mut seen: Vec<_> = (0..lan.nodes.len()).flat_map(|node| replacements_as_seen(&mut lan, node)).collect();
        seen.sort_unstable();
        let (mut healthy, mut passed) = (vec![3_i8; lan.nodes.len()], 0);
        for (at, node, change) in seen {
            lan.run(millis(at - passed));
            (passed, healthy[node]) = (at, healthy[node] + change);
            lan.set_fitness(
                node,
                match healthy[node] {
                    0 => Fitness::serving(Tier::Unfit, Cause::Backend),
                    1 => Fitness::serving(Tier::Degraded, Cause::Backend),
                    _ => Fitness::FIT,
                },
            );
        }
        lan.run(millis(3000));
        assert_eq!((lan.active(), lan.promotions()), (vec![0], 1), "{}", lan.story());
    }
}

#[test]
fn servers_that_only_the_owner_cannot_reach_move_the_address_after_the_settle_time() {
    for seed in 0..50 {
        let mut lan = Lan::settled(seed, 2);
        lan.never_unserved = true;
        lan.set_fitness(0, Fitness::serving(Tier::Unfit, Cause::Backend));
        lan.run(millis(1950));
        assert_eq!(lan.active(), [0], "{}", lan.story());
        lan.run(millis(600));
        assert_eq!((lan.active(), lan.promotions()), (vec![1], 2), "{}", lan.story());
    }
}

#[test]
fn a_better_ranked_node_that_returns_takes_nothing() {
    for seed in 0..100 {
        let mut lan = Lan::settled(seed, 3);
        lan.kill(0);
        lan.run(millis(1000 + seed));
        lan.start(0);
        lan.run(Duration::from_secs(5));
        assert_eq!((lan.active(), lan.nodes[0].promotions), (vec![1], 1), "{}", lan.story());
    }
}

#[test]
fn a_better_ranked_node_that_returns_takes_its_address_when_failback_is_always() {
    for seed in 0..50 {
        let mut lan = Lan::with(seed, 2, |parameters| Parameters { failback: Failback::Always, ..parameters });
        lan.start_all();
        lan.kill(0);
        lan.run(millis(1000 + seed));
        lan.start(0);
        lan.never_unserved = true;
        lan.run(millis(600));
        assert_eq!(lan.active(), [0], "{}", lan.story());
    }
}

#[test]
fn nodes_that_start_together_elect_the_first_without_a_contest() {
    for seed in 0..100 {
        let mut lan = Lan::new(seed, 3);
        for node in 0..3 {
            lan.start(node);
            let pause = lan.random.below(30);
            lan.run(millis(pause));
        }
        lan.run(Duration::from_secs(2));
        assert_eq!((lan.active(), lan.promotions()), (vec![0], 1), "{}", lan.story());
    }
}

/// Proves V-97.
#[test]
fn a_healed_split_has_one_owner_within_an_interval_and_it_announces() {
    for seed in 0..200 {
        let mut lan = Lan::settled(seed, 2);
        lan.cut(0, 1);
        lan.run(millis(1000 + 7 * seed));
        assert_eq!(lan.active(), [0, 1], "{}", lan.story());
        let healed = lan.now;
        lan.heal();
        lan.run(INTERVAL + millis(3));
        assert_eq!((lan.active(), lan.holders()), (vec![0], vec![0]), "{}", lan.story());
        assert!(lan.nodes[0].announced_at.is_some_and(|at| at >= healed), "{}", lan.story());
        let promotions = lan.promotions();
        lan.run(Duration::from_secs(5));
        assert_eq!((lan.active(), lan.promotions()), (vec![0], promotions), "{}", lan.story());
    }
}

/// Two nodes without, or two or three with heartbeats.
fn any_pair(seed: u64) -> Lan {
    match seed % 3 {
        0 => Lan::settled_without_heartbeats(seed, 2),
        nodes => Lan::settled(seed, 1 + nodes as u8),
    }
}

/// Proves V-98.
#[test]
fn a_stalled_owner_loses_the_address_at_most_once_and_never_flaps() {
    for seed in 0..300 {
        let mut lan = any_pair(seed);
        let stall = millis(20 + lan.random.below(3000));
        let phase = millis(lan.random.below(100));
        lan.run(phase);
        lan.freeze(0);
        lan.run(stall);
        lan.resume(0);
        lan.run(CALM);
        let moves = lan.promotions() - 1;
        assert_eq!(lan.active().len(), 1, "{}", lan.story());
        assert!(moves <= 1, "{moves} moves in a stall of {stall:?}\n{}", lan.story());
        assert_eq!(moves == 1, lan.active() != [0], "it came back after a stall of {stall:?}\n{}", lan.story());
        assert!(stall >= millis(200) || moves == 0, "moved in a stall of {stall:?}\n{}", lan.story());
    }
}

/// Proves V-99.
#[test]
fn a_stalled_backup_claims_nothing() {
    for seed in 0..200 {
        let mut lan = any_pair(seed);
        let stall = millis(20 + lan.random.below(3000));
        lan.freeze(1);
        lan.run(stall);
        lan.resume(1);
        lan.run(CALM);
        assert_eq!((lan.active(), lan.promotions()), (vec![0], 1), "{}", lan.story());
    }
}

#[test]
fn a_stall_of_the_whole_host_moves_nothing_while_the_lease_is_safe() {
    for seed in 0..200 {
        let mut lan = if seed % 2 == 0 { Lan::settled(seed, 2) } else { Lan::settled_without_heartbeats(seed, 2) };
        // Without heartbeats a Backup knows of a stall only when its timer is later than one interval.
        let least = if lan.heartbeats { 20 } else { 305 };
        let stall = millis(least + lan.random.below(470 - least));
        lan.freeze(0);
        lan.freeze(1);
        lan.run(stall);
        let order = lan.random.below(2) as usize;
        lan.resume(order);
        let apart = millis(lan.random.below(20));
        lan.run(apart);
        lan.resume(1 - order);
        lan.run(CALM);
        assert_eq!((lan.active(), lan.promotions()), (vec![0], 1), "stall {stall:?}\n{}", lan.story());
    }
}

#[test]
fn a_broken_path_of_advertisements_moves_nothing_while_heartbeats_pass() {
    for seed in 0..50 {
        let mut lan = Lan::settled(seed, 2 + (seed % 2) as u8);
        lan.advertisements = false;
        lan.run(Duration::from_secs(5));
        assert_eq!((lan.active(), lan.promotions()), (vec![0], 1), "{}", lan.story());
        lan.kill(0);
        lan.run(DETECTION);
        assert_eq!(lan.active(), [1], "{}", lan.story());
    }
}

#[test]
fn a_frozen_owner_has_no_address_when_its_lease_ends() {
    for seed in 0..50 {
        let mut lan = Lan::settled(seed, 2);
        lan.freeze(0);
        lan.run(millis(1000 + seed));
        assert_eq!(lan.holders(), [1], "{}", lan.story());
    }
}

#[test]
fn at_ten_milliseconds_a_killed_owner_is_replaced_within_forty() {
    for seed in 0..100 {
        let fast = |parameters| Parameters { interval: Centiseconds::new(1).unwrap(), ..parameters };
        let mut lan = Lan::with(seed, 2, fast);
        lan.heartbeats = false;
        lan.start_all();
        lan.run(millis(seed));
        lan.kill(0);
        lan.run(millis(40));
        assert_eq!(lan.active(), [1], "{}", lan.story());
    }
}

/// One random disturbance.
pub(super) fn disturb(lan: &mut Lan, random: &mut Seeded) {
    let node = random.below(lan.nodes.len() as u64) as usize;
    let other = (node + 1) % lan.nodes.len();
    let tier = [Tier::Unfit, Tier::Degraded, Tier::Fit][random.below(3) as usize];
    let cause = if random.below(2) == 0 { Cause::Local } else { Cause::Backend };
    match (random.below(12), lan.nodes[node].life) {
        (0, Life::Running) => lan.kill(node),
        (1 | 2, Life::Dead { .. }) => lan.start(node),
        (3, Life::Running) => lan.freeze(node),
        (4 | 5, Life::Frozen { .. }) => lan.resume(node),
        (6, _) => lan.cut(node, other),
        (7, _) => lan.heal(),
        (8, _) => lan.loss = [0, 20, 200][random.below(3) as usize],
        (9, Life::Running) => lan.set_fitness(node, Fitness::serving(tier, cause)),
        (10, Life::Running) => lan.set_fitness(node, Fitness::NOT_SERVING),
        (11, Life::Running) => drop(lan.resign(node, (random.below(2) == 0).then_some(other as u8))),
        _ => {}
    }
}

/// Ends every disturbance but the fitness and the deaths that are there.
pub(super) fn calm_down(lan: &mut Lan) {
    lan.heal();
    lan.loss = 0;
    for node in 0..lan.nodes.len() {
        lan.resume(node);
    }
    if lan.nodes.iter().all(|node| node.life != Life::Running) {
        lan.start(0);
    }
}

#[test]
fn after_any_disturbance_there_is_one_owner_it_is_of_the_best_tier_and_it_stays() {
    for seed in 0..300 {
        let mut lan = Lan::new(seed, 2 + (seed % 2) as u8);
        let mut random = Seeded::new(seed ^ 0xd15a_57e5);
        for node in 0..lan.nodes.len() {
            lan.start(node);
        }
        for _ in 0..40 {
            let pause = millis(random.below(400));
            lan.run(pause);
            disturb(&mut lan, &mut random);
        }
        calm_down(&mut lan);
        lan.run(CALM);
        expect_one_lasting_owner(&mut lan);
    }
}

pub(super) fn expect_one_lasting_owner(lan: &mut Lan) {
    let serving = |lan: &Lan, node: usize| lan.nodes[node].life == Life::Running && tier(lan, node).is_some();
    let able: Vec<_> = (0..lan.nodes.len()).filter(|&node| serving(lan, node)).collect();
    let active = lan.active();
    assert_eq!(active.len(), able.len().min(1), "{}", lan.story());
    assert_eq!(lan.holders(), active, "{}", lan.story());
    if let Some(&owner) = active.first() {
        let best = able.iter().filter_map(|&node| tier(lan, node)).max();
        assert_eq!(tier(lan, owner), best, "{}", lan.story());
    }
    let promotions = lan.promotions();
    lan.run(Duration::from_secs(3));
    assert_eq!((lan.active(), lan.promotions()), (active, promotions), "{}", lan.story());
}

fn tier(lan: &Lan, node: usize) -> Option<Tier> {
    let report = lan.nodes[node].router.report();
    report.serving.then_some(report.tier)
}
