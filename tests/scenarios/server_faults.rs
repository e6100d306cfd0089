//! Servers die, hang, go silent, and come back, while clients keep coming.

use std::time::{Duration, Instant};

use fmc_api::word::Health;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::{figure, figure_count};
use fmc_tests::lab::Lab;
use fmc_tests::link::refuse_incoming;
use fmc_tests::load::{Load, Record};
use fmc_tests::pair::Pair;
use fmc_tests::server::{Server, wait_until_served};

const PACE: Duration = Duration::from_millis(4);

#[test]
fn a_worker_that_dies_costs_no_connection_and_milliseconds_at_most() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let mut workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());

    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    let started = Instant::now();
    std::thread::sleep(Duration::from_millis(1500));
    let died = workers[0].kill();
    std::thread::sleep(Duration::from_millis(2000));
    workers[0].start();
    let back = pair.first.wait_for_health("worker1", Health::Healthy, Duration::from_secs(8));
    let returned = Instant::now();
    std::thread::sleep(Duration::from_millis(1000));
    let record = load.stop();

    // A connection that was on the dying worker breaks with it, in any balancer: it had its server's bytes already.
    assert_eq!(record.failures_since(died), 0, "{:?}", record.failures());
    let (before, after) = (record.between(started, died), record.between(died, died + Duration::from_millis(500)));
    figure("worker refuses: median exchange before", before.latency(0.5));
    figure("worker refuses: median exchange in the half second after", after.latency(0.5));
    figure("worker refuses: worst exchange in the half second after", after.latency(1.0));
    figure("worker back: healthy again after", back);
    assert!(after.latency(0.5) < before.latency(0.5) + Duration::from_millis(5));
    assert_eq!(record.between(returned, Instant::now()).spread().len(), 3, "worker1 serves again");
}

#[test]
fn of_ten_thousand_connections_none_fails_while_two_of_three_workers_refuse_half() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let workers = Server::workers(&lab);
    let _pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    for worker in &workers[..2] {
        refuse_incoming(lab.machine(worker.name()), 80, 50);
    }
    let start = || Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(4));
    let loads: Vec<Load> = (0..6).map(|_| start()).collect();
    std::thread::sleep(Duration::from_millis(8000));
    let records: Vec<Record> = loads.into_iter().map(Load::stop).collect();

    records.iter().for_each(Record::assert_all_served);
    let attempts: usize = records.iter().map(|record| record.attempts().len()).sum();
    figure_count("servers refuse at random: connections, none of which failed", attempts);
    let worst = records.iter().map(|record| record.latency(1.0)).max().unwrap_or_default();
    figure("servers refuse at random: worst exchange", worst);
    assert!(attempts >= 10_000, "only {attempts} connections were made");
}

#[test]
fn a_worker_that_goes_silent_delays_a_new_client_a_second_at_most() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());

    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(1000));
    let silent = workers[0].silence();
    let detected = pair.first.wait_for_health("worker1", Health::Unhealthy, Duration::from_secs(10));
    let known = Instant::now();
    std::thread::sleep(Duration::from_millis(1000));
    let record = load.stop();
    workers[0].hear();

    assert_eq!(record.failures_since(silent), 0, "{:?}", record.failures());
    let (during, after) = (record.between(silent, known), record.between(known, Instant::now()));
    figure("worker silent: detected after", detected);
    figure("worker silent: worst exchange until detected", during.latency(1.0));
    figure("worker silent: worst exchange once detected", after.latency(1.0));
    assert!(during.latency(1.0) < Duration::from_millis(1300), "a silent server costs {:?}", during.latency(1.0));
    assert!(after.latency(1.0) < Duration::from_millis(500), "a server known dead costs {:?}", after.latency(1.0));
}

#[test]
fn a_master_that_hangs_is_avoided_although_its_kernel_still_accepts() {
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let masters = Server::masters(&lab, &authority);
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());

    let patient = Target::https("192.168.0.32:6443", &authority).within(Duration::from_secs(15));
    let load = Load::start(lab.client(), patient, Duration::from_millis(20));
    std::thread::sleep(Duration::from_millis(500));
    masters[0].hang();
    let detected = pair.first.wait_for_health("master1", Health::Unhealthy, Duration::from_secs(10));
    let known = Instant::now();
    std::thread::sleep(Duration::from_millis(1000));
    let until = Instant::now();
    masters[0].resume();
    pair.first.wait_for_health("master1", Health::Healthy, Duration::from_secs(8));
    let record = load.stop();

    figure("master hangs: detected after", detected);
    record.assert_all_served();
    let avoided = record.between(known, until);
    assert!(!avoided.spread().contains_key("master1"), "{:?}", avoided.spread());
    assert!(avoided.latency(1.0) < Duration::from_secs(1), "{:?}", avoided.latency(1.0));
}

#[test]
fn with_every_master_dead_clients_are_reset_at_once_and_served_when_one_returns() {
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let mut masters = Server::masters(&lab, &authority);
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let api = Target::https("192.168.0.32:6443", &authority);
    wait_until_served(&lab, &api, Duration::from_secs(5));

    for master in &mut masters {
        master.kill();
    }
    // The first clients find out by dialling, the later ones by the verdict; all are refused at once.
    for _ in 0..20 {
        let attempt = fetch(lab.client(), &api);
        let error = attempt.outcome.clone().expect_err("no master lives");
        assert!(error.to_lowercase().contains("reset"), "not a reset: {error}");
        assert!(attempt.latency() < Duration::from_millis(300), "refused only after {:?}", attempt.latency());
        std::thread::sleep(Duration::from_millis(100));
    }
    figure("all masters dead: a client is reset after", fetch(lab.client(), &api).latency());
    let claims = pair.ownership.claims("192.168.0.32");
    masters[1].start();
    let served =
        eventually("a returned master serves", Duration::from_secs(8), || fetch(lab.client(), &api).outcome.is_ok());
    figure("a master returns: served after", served);
    assert_eq!(pair.ownership.claims("192.168.0.32"), claims, "the address moved although no node was better");
}
