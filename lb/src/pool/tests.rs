use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::Duration;

use fmc_config::model::backend::{Backend, Balance, Server};
use fmc_config::model::health_check::{HealthCheck, Probe};

use super::*;
use crate::dial::Failure;

const NOW: Ticks = Ticks(10_000);

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
    let guard = pool.choose(&pool.snapshot(), &[1], NOW).map(|(_, in_flight)| in_flight);
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
    next.servers[1].address = Ipv4Addr::new(10, 0, 0, 99);
    pool.reconfigure(&next);
    let status = pool.status(NOW);
    assert_eq!(status.servers[0].health, Health::Healthy);
    assert_eq!(status.servers[1].administrative, Administrative::Ready, "another address is another server");
    assert_eq!(status.servers[2].health, Health::Unknown);
}

#[test]
fn least_connections_spreads_connections_that_stay() {
    let pool = pool(3);
    let guards: Vec<_> = (0..30).filter_map(|_| pool.choose(&pool.snapshot(), &[], NOW)).collect();
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
            let chosen: Vec<_> = (0..300).filter_map(|_| pool.choose(&pool.snapshot(), &[], now)).collect();
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
    pool.set_administrative("s1", Administrative::Maint);
    assert_eq!(pool.choose(&pool.snapshot(), &[], NOW).map(|(position, _)| position), Some(1));
    pool.set_administrative("s1", Administrative::Ready);
    assert_eq!(order(&pool), [0, 1], "a failed attempt on the other one leads to it");
}

#[test]
fn without_slow_start_a_server_that_came_back_has_its_share_at_once() {
    let pool = pool(2);
    pool.warm_up("s2", NOW);
    let chosen = (0..10).filter_map(|_| pool.choose(&pool.snapshot(), &[], NOW)).filter(|(at, _)| *at == 1).count();
    assert_eq!(chosen, 5);
}

#[test]
fn round_robin_keeps_its_turn_between_choices() {
    let mut backend = backend(2);
    backend.balance = Balance::RoundRobin;
    backend.servers[0].weight = Weight::new(3).unwrap();
    let pool = Pool::new(&backend);
    let chosen: Vec<_> = (0..8).map(|_| pool.choose(&pool.snapshot(), &[], NOW).unwrap().0).collect();
    assert_eq!(chosen, [0, 0, 1, 0, 0, 0, 1, 0]);
}

fn pool(servers: u8) -> Pool {
    Pool::new(&backend(servers))
}

fn backend(servers: u8) -> Backend {
    Backend {
        name: "masters".parse().unwrap(),
        servers: (1..=servers).map(server).collect(),
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
        connect_timeout: Duration::from_secs(1),
        slow_start: None,
        attempts: 3,
    }
}

fn server(number: u8) -> Server {
    Server {
        name: format!("s{number}").parse().unwrap(),
        address: Ipv4Addr::new(10, 0, 0, number),
        port: NonZeroU16::new(6443),
        weight: Weight::new(1).unwrap(),
        check_address: None,
        serving_ports: Vec::new(),
    }
}

/// The order in which one connection would try the servers.
fn order(pool: &Pool) -> Vec<usize> {
    let snapshot = pool.snapshot();
    let mut tried = Vec::new();
    while let Some((position, _)) = pool.choose(&snapshot, &tried, NOW) {
        tried.push(position);
    }
    tried
}
