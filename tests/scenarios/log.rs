//! Log lines: each a value of JSON where that is asked for, a flood of them sampled and said, a move of an address one line.

use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::figure_count;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::NODES;
use fmc_tests::server::Server;
use serde_json::Value;

/// Far more than the lines of one kind that a second may have, 200.
const PACE: Duration = Duration::from_micros(500);

#[test]
fn a_flood_of_connections_is_sampled_and_not_one_is_uncounted() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let json = ["env", "FMC_LOG_FORMAT=json"];
    let balancer = Balancer::start_wrapped(&lab, NODES[0], NODES[0], &Configuration::flatcar_micro_cloud(), &json);
    balancer.wait_until_ready();

    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_secs(3));
    let record = load.stop();
    record.assert_all_served();
    let connections = record.attempts().len() + 1;
    assert!(connections > 1000, "{connections} connections in three seconds are no flood");
    std::thread::sleep(Duration::from_millis(1100));
    fetch(lab.client(), &Target::http("192.168.0.33:80")).outcome.expect("a client after the flood");

    let told = || lines(&balancer).iter().map(|line| 1 + left_out(line)).sum::<usize>();
    eventually("every connection has a line or is counted by one", Duration::from_secs(3), || told() == connections);
    let written = lines(&balancer).len();
    figure_count(&format!("log: of {connections} connections, lines written"), written);
    assert!(written < connections / 2 + 200, "{written} of {connections}: nothing is sampled");
    let metrics = lab.machine(NODES[0]).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let counted = format!("fmc_daemon_log_lines_left_out_total {}", connections - written);
    assert!(metrics.lines().any(|line| line == counted), "{counted}");
}

#[test]
fn a_move_of_an_address_is_one_line() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let balancer = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud());
    balancer.wait_until_ready();
    let taken = || balancer.log().lines().filter(|line| line.contains("Active 192.168.0.33")).count();
    eventually("it owns the address, and says so", Duration::from_secs(5), || taken() > 0);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(taken(), 1, "{}", balancer.log());
}

/// The lines of connections that ended.
fn lines(balancer: &Balancer<'_>) -> Vec<Value> {
    let log = balancer.log();
    let values =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    values.filter(|line| line["fields"]["message"] == "connection ended").collect()
}

fn left_out(line: &Value) -> usize {
    line["left_out"].as_u64().unwrap_or_default() as usize
}
