use std::net::{IpAddr, Ipv4Addr};
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use fmc_config::model::backend::{Backend, Balance, Queue, Server};
use fmc_config::model::health_check::{HealthCheck, Probe};

use super::*;
use crate::dial::Failure;

const NOW: Ticks = Ticks(10_000);
const ASKED: Occasion =
    Occasion { entropy: 0, source: IpAddr::V4(Ipv4Addr::new(192, 168, 0, 5)), flow: None, now: NOW };

#[test]
fn the_best_health_present_is_chosen_alone() {
    let pool = pool(3);
    pool.set_health("s2", Health::Healthy);
    pool.set_health("s3", Health::Unhealthy);
    assert_eq!(order(&pool), [1, 0, 2], "healthy, then unknown, then unhealthy: every one of them is tried");
}

#[test]
fn drained_and_maintained_servers_never_take_a_new_connection() {
    let pool = pool(3);
    pool.set_administrative("s1", Administrative::Drain);
    pool.set_administrative("s2", Administrative::Maint);
    assert_eq!(order(&pool), [2]);
    pool.set_weight("s3", Weight::new(0).unwrap());
    assert_eq!(order(&pool), [0; 0]);
}

#[test]
fn a_server_whose_dial_just_failed_comes_after_the_others_and_before_failing_ones() {
    let pool = pool(3);
    for (server, health) in [("s1", Health::Healthy), ("s2", Health::Healthy), ("s3", Health::Unhealthy)] {
        pool.set_health(server, health);
    }
    pool.snapshot().members[0].server.failed(Failure::TimedOut, NOW);
    assert_eq!(order(&pool), [1, 0, 2]);
    pool.check_passed("s1");
    assert_eq!(order(&pool).len(), 3);
    assert!(!pool.status(NOW).servers[0].suspected, "a passed check ends the suspicion");
}

#[test]
fn a_prospect_is_what_the_next_choice_does_and_asking_for_it_changes_nothing() {
    let pool = pool(4);
    pool.set_health("s4", Health::Unhealthy);
    pool.set_administrative("s3", Administrative::Drain);
    let prospects = || pool.status(NOW).servers.iter().map(|server| server.prospect).collect::<Vec<_>>();
    assert_eq!(prospects(), [Prospect::Next, Prospect::Next, Prospect::Never, Prospect::LastResort]);
    let (first, _held) = pool.choose(&pool.snapshot(), &[], ASKED).unwrap();
    let other = 1 - first;
    assert_eq!((prospects()[first], prospects()[other]), (Prospect::Candidate, Prospect::Next));
    assert_eq!(prospects(), prospects());
    assert_eq!(pool.choose(&pool.snapshot(), &[], ASKED).map(|(position, _)| position), Some(other));
}

#[test]
fn changes_from_many_threads_are_all_kept() {
    let pool = pool(8);
    std::thread::scope(|threads| {
        for server in 1..=8u16 {
            let pool = &pool;
            threads.spawn(move || {
                for weight in 0..=100 {
                    pool.set_weight(&format!("s{server}"), Weight::new(weight + server).unwrap());
                }
            });
        }
    });
    let weights: Vec<_> = pool.snapshot().members.iter().map(|m| m.weight.get()).collect();
    assert_eq!(weights, [101, 102, 103, 104, 105, 106, 107, 108]);
}

#[test]
fn a_setter_says_what_was_before_and_none_for_a_stranger() {
    let pool = pool(1);
    assert_eq!(pool.set_health("s1", Health::Healthy), Some(Health::Unknown));
    assert_eq!(pool.set_administrative("s1", Administrative::Drain), Some(Administrative::Ready));
    assert_eq!(pool.set_health("nobody", Health::Healthy), None);
}

#[test]
fn in_flight_counts_survive_a_new_snapshot() {
    let pool = pool(2);
    let guard = pool.choose(&pool.snapshot(), &[1], ASKED).map(|(_, in_flight)| in_flight);
    pool.set_health("s1", Health::Unhealthy);
    assert_eq!(pool.status(NOW).servers[0].in_flight, 1);
    drop(guard);
    assert_eq!(pool.status(NOW).servers[0].in_flight, 0);
}

#[test]
fn a_new_configuration_keeps_what_is_known_of_the_servers_that_stay() {
    let pool = pool(2);
    pool.set_health("s1", Health::Healthy);
    pool.set_administrative("s2", Administrative::Drain);
    let mut next = backend(3);
    next.servers[1].address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 99));
    pool.reconfigure(&next, |_| ());
    let status = pool.status(NOW);
    assert_eq!(status.servers[0].health, Health::Healthy);
    assert_eq!(status.servers[1].administrative, Administrative::Ready, "another address is another server");
    assert_eq!(status.servers[2].health, Health::Unknown);
}

#[test]
fn least_connections_spreads_connections_that_stay() {
    let pool = pool(3);
    let guards: Vec<_> = (0..30).filter_map(|_| pool.choose(&pool.snapshot(), &[], ASKED)).collect();
    assert_eq!(guards.len(), 30);
    assert!(pool.status(NOW).servers.iter().all(|s| s.in_flight == 10));
}

#[test]
fn a_server_that_came_back_takes_a_share_that_grows_with_time() {
    for (balance, shares) in [(Balance::RoundRobin, [0, 75, 150]), (Balance::LeastConnections, [0, 150, 300])] {
        let mut backend = backend(2);
        (backend.balance, backend.slow_start) = (balance, Some(Duration::from_secs(30)));
        let pool = Pool::new(&backend);
        pool.warm_up("s2", NOW);
        let mut open = Vec::new();
        let mut taken = |seconds| {
            let now = NOW.after(Duration::from_secs(seconds));
            let chosen: Vec<_> =
                (0..300).filter_map(|_| pool.choose(&pool.snapshot(), &[], Occasion { now, ..ASKED })).collect();
            let count = chosen.iter().filter(|(position, _)| *position == 1).count();
            open.extend(chosen);
            count
        };
        assert_eq!([taken(0), taken(15), taken(30)], shares, "{balance:?}");
    }
}

#[test]
fn a_server_that_warms_up_takes_all_when_there_is_no_other() {
    let mut backend = backend(2);
    backend.slow_start = Some(Duration::from_secs(30));
    let pool = Pool::new(&backend);
    pool.warm_up("s2", NOW);
    let is_warming = |seconds| {
        let snapshot = pool.snapshot();
        let at = NOW.after(Duration::from_secs(seconds));
        snapshot.member("s2").unwrap().is_warming_up(snapshot.policy.slow_start, at)
    };
    assert_eq!([is_warming(0), is_warming(29), is_warming(30)], [true, true, false]);
    pool.set_administrative("s1", Administrative::Maint);
    assert_eq!(pool.choose(&pool.snapshot(), &[], ASKED).map(|(position, _)| position), Some(1));
    pool.set_administrative("s1", Administrative::Ready);
    assert_eq!(order(&pool), [0, 1], "a failed attempt on the other one leads to it");
}

#[test]
fn without_slow_start_a_server_that_came_back_has_its_share_at_once() {
    let pool = pool(2);
    pool.warm_up("s2", NOW);
    let chosen = (0..10).filter_map(|_| pool.choose(&pool.snapshot(), &[], ASKED)).filter(|(at, _)| *at == 1).count();
    assert_eq!(chosen, 5);
}

#[test]
fn round_robin_keeps_its_turn_between_choices() {
    let mut backend = backend(2);
    backend.balance = Balance::RoundRobin;
    backend.servers[0].weight = Weight::new(3).unwrap();
    let pool = Pool::new(&backend);
    let chosen: Vec<_> = (0..8).map(|_| pool.choose(&pool.snapshot(), &[], ASKED).unwrap().0).collect();
    assert_eq!(chosen, [0, 0, 1, 0, 0, 0, 1, 0]);
}

#[test]
fn a_backup_serves_only_while_no_other_ready_server_is_healthy_or_unknown() {
    let mut backend = backend(3);
    backend.servers[0].backup = true;
    let pool = Pool::new(&backend);
    assert_eq!(order(&pool), [1, 2], "not even a connection whose dials all failed");
    pool.set_health("s2", Health::Unhealthy);
    assert_eq!(order(&pool), [2, 1]);
    pool.snapshot().members[2].server.failed(Failure::TimedOut, NOW);
    assert_eq!(order(&pool), [2, 1], "a lost dial is not a death");
    pool.set_health("s3", Health::Unhealthy);
    assert_eq!(order(&pool), [0, 1, 2], "the backup, then those that fail their check");
    pool.set_health("s1", Health::Unhealthy);
    assert_eq!(order(&pool), [1, 0, 2], "fail-open: the regular first, who failed a client too last");
    pool.set_health("s3", Health::Healthy);
    assert_eq!(order(&pool), [2, 1]);
    pool.set_administrative("s3", Administrative::Drain);
    pool.set_administrative("s2", Administrative::Maint);
    assert_eq!(order(&pool), [0], "drained servers are not ready");
}

#[test]
fn a_full_server_is_passed_over_by_every_rule() {
    for balance in RULES {
        let mut backend = backend(3);
        backend.balance = balance;
        backend.servers[0].max_connections = NonZeroU32::new(2);
        backend.servers[1].max_connections = NonZeroU32::new(3);
        backend.servers[2].max_connections = NonZeroU32::new(4);
        let pool = Pool::new(&backend);
        let guards: Vec<_> = (0..9).map(|n| pool.choose(&pool.snapshot(), &[], asked(n)).unwrap()).collect();
        assert_eq!(open(&pool), [2, 3, 4], "{balance:?}");
        assert!(pool.choose(&pool.snapshot(), &[], ASKED).is_none(), "{balance:?} went over a limit");
        drop(guards);
        assert!(pool.choose(&pool.snapshot(), &[], ASKED).is_some());
    }
}

#[test]
fn the_first_rule_fills_a_server_before_the_next_and_returns_to_it() {
    let mut backend = backend(3);
    backend.balance = Balance::First;
    backend.servers[0].max_connections = NonZeroU32::new(2);
    backend.servers[1].max_connections = NonZeroU32::new(2);
    let pool = Pool::new(&backend);
    let mut guards: Vec<_> = (0..6).map(|_| pool.choose(&pool.snapshot(), &[], ASKED).unwrap()).collect();
    assert_eq!(guards.iter().map(|(position, _)| *position).collect::<Vec<_>>(), [0, 0, 1, 1, 2, 2]);
    guards.remove(1);
    assert_eq!(pool.choose(&pool.snapshot(), &[], ASKED).unwrap().0, 0);
}

#[test]
fn full_regular_servers_do_not_call_a_backup() {
    let mut backend = backend(2);
    backend.servers[0].max_connections = NonZeroU32::new(1);
    backend.servers[1].backup = true;
    let pool = Pool::new(&backend);
    let _one = pool.choose(&pool.snapshot(), &[], ASKED).unwrap();
    assert!(pool.choose(&pool.snapshot(), &[], ASKED).is_none());
}

#[test]
fn full_servers_open_no_door_to_one_that_fails_its_check_nor_to_a_backup() {
    let mut backend = backend(3);
    backend.servers[0].max_connections = NonZeroU32::new(1);
    backend.servers[2].backup = true;
    let pool = Pool::new(&backend);
    pool.set_health("s2", Health::Unhealthy);
    let one = pool.choose(&pool.snapshot(), &[], ASKED).unwrap();
    assert!(pool.choose(&pool.snapshot(), &[], ASKED).is_none(), "s1 works and is full");
    assert_eq!(
        pool.choose(&pool.snapshot(), &[0], ASKED).map(|(at, _)| at),
        Some(1),
        "s1 failed this client: fail-open"
    );
    drop(one);
    assert_eq!(order(&pool), [0, 1]);
}

#[test]
fn another_server_is_left_only_if_this_connection_could_get_it() {
    let mut backend = backend(3);
    backend.servers[1].max_connections = NonZeroU32::new(1);
    backend.servers[2].backup = true;
    let pool = Pool::new(&backend);
    let left = |tried: &[usize]| pool.snapshot().has_other(tried, NOW);
    assert!(left(&[0]));
    let full = pool.choose(&pool.snapshot(), &[0], ASKED).unwrap();
    assert_eq!((full.0, left(&[0])), (1, false), "the one is full, the other a backup");
    drop(full);
    pool.set_administrative("s2", Administrative::Drain);
    assert!(!left(&[0]));
    pool.set_health("s1", Health::Unhealthy);
    assert!(left(&[0]), "now the backup serves");
}

#[test]
fn weights_at_run_time_change_the_shares_of_every_rule_that_has_shares() {
    for balance in [Balance::RoundRobin, Balance::LeastConnections, Balance::PowerOfTwo, Balance::SourceHash] {
        let mut backend = backend(2);
        backend.balance = balance;
        let pool = Pool::new(&backend);
        let first_of = |choices: u32| {
            let guards: Vec<_> = (0..choices).map(|n| pool.choose(&pool.snapshot(), &[], asked(n)).unwrap()).collect();
            guards.iter().filter(|(position, _)| *position == 0).count()
        };
        // Drawn and hashed choices are within 5 standard deviations (sqrt(4000 p (1 - p)) is 32 and 27).
        assert!(first_of(4000).abs_diff(2000) <= 160, "{balance:?}");
        pool.set_weight("s1", Weight::new(3).unwrap());
        assert!(first_of(4000).abs_diff(3000) <= 140, "{balance:?}");
        pool.set_weight("s1", Weight::new(0).unwrap());
        assert_eq!(first_of(100), 0, "{balance:?}");
    }
}

#[test]
fn under_source_hash_only_the_clients_of_a_server_that_is_away_move_and_they_come_back() {
    let pool = hashing(4);
    let before = servers_of_clients(&pool);
    for away in [Health::Unhealthy, Health::Unknown] {
        set_all(&pool, &["s1", "s2", "s3", "s4"], Health::Healthy);
        pool.set_health("s3", away);
        let during = servers_of_clients(&pool);
        assert!(before.iter().zip(&during).all(|(before, during)| *during != 2 && (before == during || *before == 2)));
        pool.set_health("s3", Health::Healthy);
        assert_eq!(servers_of_clients(&pool), before);
    }
}

#[test]
fn under_source_hash_a_server_that_came_back_has_its_clients_at_once_so_that_every_node_agrees() {
    let pool = Pool::new(&Backend { slow_start: Some(Duration::from_secs(30)), ..hashing_backend(4) });
    let before = servers_of_clients(&pool);
    pool.warm_up("s3", NOW);
    assert_eq!(servers_of_clients(&pool), before);
}

#[test]
fn the_table_of_source_hash_is_filled_anew_only_when_names_or_weights_change() {
    let pool = hashing(3);
    let table = || Arc::as_ptr(&pool.snapshot().sources);
    let before = table();
    pool.set_health("s1", Health::Unhealthy);
    pool.set_administrative("s2", Administrative::Drain);
    pool.set_weight("s3", Weight::new(1).unwrap());
    assert_eq!(table(), before);
    pool.set_weight("s3", Weight::new(2).unwrap());
    assert_ne!(table(), before);
}

#[test]
fn two_nodes_send_a_client_to_the_same_server_whatever_the_order_in_their_files() {
    let mut turned = hashing_backend(4);
    turned.servers.reverse();
    let names = |pool: &Pool| {
        let name = |position: usize| pool.snapshot().members[position].server.name().clone();
        servers_of_clients(pool).into_iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&hashing(4)), names(&Pool::new(&turned)));
}

#[test]
fn backups_take_no_slots_from_the_others_and_agree_among_themselves() {
    let mut backend = hashing_backend(5);
    (3..5).for_each(|at| backend.servers[at].backup = true);
    let pool = Pool::new(&backend);
    assert_eq!(servers_of_clients(&pool), servers_of_clients(&hashing(3)));
    set_all(&pool, &["s1", "s2", "s3"], Health::Unhealthy);
    let on_backups = servers_of_clients(&pool);
    assert!(on_backups.contains(&3) && on_backups.contains(&4) && on_backups.iter().all(|at| *at >= 3));
    assert_eq!(on_backups, servers_of_clients(&pool));
}

#[test]
fn a_new_configuration_brings_new_limits_and_stand_ins() {
    let pool = pool(2);
    let mut next = backend(2);
    next.servers[0].max_connections = NonZeroU32::new(7);
    next.servers[1].backup = true;
    pool.reconfigure(&next, |_| ());
    let status = pool.status(NOW).servers;
    assert_eq!((status[0].max_connections, status[1].backup), (NonZeroU32::new(7), true));
    assert_eq!((status[0].in_service, status[1].in_service), (true, false));
}

const RULES: [Balance; 5] =
    [Balance::LeastConnections, Balance::RoundRobin, Balance::PowerOfTwo, Balance::SourceHash, Balance::First];

fn asked(number: u32) -> Occasion {
    let entropy = crate::entropy::mixed(u64::from(number).wrapping_mul(crate::entropy::STEP));
    Occasion { entropy, source: Ipv4Addr::from(0x0a11_0000 + number).into(), flow: None, now: NOW }
}

fn hashing_backend(servers: u8) -> Backend {
    Backend { balance: Balance::SourceHash, ..backend(servers) }
}

fn hashing(servers: u8) -> Pool {
    Pool::new(&hashing_backend(servers))
}

fn servers_of_clients(pool: &Pool) -> Vec<usize> {
    (0..2000).map(|number| pool.choose(&pool.snapshot(), &[], asked(number)).unwrap().0).collect()
}

fn set_all(pool: &Pool, servers: &[&str], health: Health) {
    for server in servers {
        pool.set_health(server, health);
    }
}

fn open(pool: &Pool) -> Vec<u32> {
    pool.status(NOW).servers.iter().map(|server| server.in_flight).collect()
}

fn pool(servers: u8) -> Pool {
    Pool::new(&backend(servers))
}

fn backend(servers: u8) -> Backend {
    Backend {
        name: "masters".parse().unwrap(),
        servers: (1..=servers).map(server).collect(),
        named: Vec::new(),
        balance: Balance::LeastConnections,
        check: HealthCheck {
            track: None,
            probe: Probe::Tcp,
            port: None,
            interval: Duration::from_secs(1),
            fast_interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3,
        },
        proxy_protocol: None,
        has_flows: false,
        connect_timeout: Duration::from_secs(1),
        hedge_after: None,
        slow_start: None,
        observe: None,
        agent: None,
        queue: Queue { length: 0, timeout: Duration::from_secs(5) },
        attempts: 3,
    }
}

fn server(number: u8) -> Server {
    Server {
        name: format!("s{number}").parse().unwrap(),
        address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, number)),
        port: NonZeroU16::new(6443),
        weight: Weight::new(1).unwrap(),
        max_connections: None,
        backup: false,
        check_address: None,
        found_by: None,
        serving_ports: Vec::new(),
    }
}

/// The order in which one connection would try the servers.
fn order(pool: &Pool) -> Vec<usize> {
    let snapshot = pool.snapshot();
    let mut tried = Vec::new();
    while let Some((position, _)) = pool.choose(&snapshot, &tried, ASKED) {
        tried.push(position);
    }
    tried
}
