//! Log lines: those of a connection that lasts, each a value of JSON where that is asked for, a flood of them sampled and said, a move of an address one line.

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
use fmc_tests::stream::Streams;
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

#[test]
fn a_connection_that_lasts_is_in_the_log_while_it_does_with_what_tcp_knows_of_both_its_sides() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let each_second = "backend = \"workers\"\nrecord_every = \"1s\"";
    let configuration =
        Configuration::flatcar_micro_cloud().with_streams().replace("backend = \"workers\"", each_second);
    let json = ["env", "FMC_LOG_FORMAT=json"];
    let balancer = Balancer::start_wrapped(&lab, NODES[0], NODES[0], &configuration, &json);
    balancer.wait_until_ready();
    let owns = || balancer.log().contains("Active 192.168.0.33");
    eventually("it owns the address", Duration::from_secs(5), owns);
    let streams = Streams::open(lab.client(), "192.168.0.33:7", 1, Duration::from_millis(50));
    let lasts = |since: usize, check: &dyn Fn(&Value) -> bool| {
        let all = values(&balancer, "connection lasts");
        all.iter().skip(since).any(|line| check(&line["fields"]))
    };
    let whole = |fields: &Value| {
        let [rtt, byte] = ["client_rtt_ms", "first_byte_ms"].map(|field| fields[field].as_f64());
        rtt.is_some_and(|rtt| rtt > 0.0) && byte.is_some_and(|byte| byte > 0.0) && fields["server_retransmits"] == 0
    };
    eventually("a line of each second", Duration::from_secs(4), || lasts(1, &whole));

    let router = lab.hypervisor();
    router.expect("nft", &["add", "table", "ip", "loss"]);
    router.expect("nft", &["add", "chain", "ip", "loss", "way", "{ type filter hook forward priority 0; }"]);
    router.expect(
        "nft",
        &["add", "rule", "ip", "loss", "way", "ip", "daddr", "10.17.4.0/24", "tcp", "dport", "7", "drop"],
    );
    std::thread::sleep(Duration::from_millis(700));
    router.expect("nft", &["delete", "table", "ip", "loss"]);
    let lost = |fields: &Value| fields["server_retransmits"].as_u64() > Some(0) && fields["client_retransmits"] == 0;
    eventually("the side that lost segments is known", Duration::from_secs(4), || lasts(0, &lost));

    let ends = streams.close();
    assert!(ends.iter().all(|end| end.cut.is_none()), "{ends:?}");
    let ended = || values(&balancer, "connection ended").iter().any(|line| lost(&line["fields"]));
    eventually("the line at its end has it too", Duration::from_secs(3), ended);
}

/// The lines of connections that ended.
fn lines(balancer: &Balancer<'_>) -> Vec<Value> {
    values(balancer, "connection ended")
}

fn values(balancer: &Balancer<'_>, message: &str) -> Vec<Value> {
    let log = balancer.log();
    let values =
        log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    values.filter(|line| line["fields"]["message"] == message).collect()
}

fn left_out(line: &Value) -> usize {
    line["left_out"].as_u64().unwrap_or_default() as usize
}
