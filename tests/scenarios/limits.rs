//! What is bounded holds under load, and those who keep within it do not notice.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::Pair;
use fmc_tests::server::Server;

const ECHO: &str = "192.168.0.33:7";

fn connect() -> TcpStream {
    let address: SocketAddr = ECHO.parse().expect("an address");
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    stream
}

/// Sends until nothing is taken any more, and reads nothing: what comes back fills every buffer on its way.
fn stuff(mut stream: &TcpStream) {
    while stream.write_all(&[7; 65_536]).is_ok() {}
}

#[test]
fn clients_that_take_nothing_are_shed_when_memory_is_used_up_and_the_others_do_not_notice() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with_streams().with("[limits]\nmax_memory_mib = 128\n");
    let pair = Pair::start(&lab, &configuration);
    let echo = |mut stream: &TcpStream| {
        let mut answer = [0; 5];
        stream.write_all(b"hello").and_then(|()| stream.read_exact(&mut answer)).is_ok_and(|()| &answer == b"hello")
    };
    let watch = lab.client().run(connect);
    assert!(echo(&watch));

    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(20));
    let stuck: Vec<TcpStream> = lab.client().run(|| {
        let stuck: Vec<TcpStream> = (0..60).map(|_| connect()).collect();
        std::thread::scope(|scope| stuck.iter().for_each(|stream| drop(scope.spawn(|| stuff(stream)))));
        stuck
    });
    let first = &pair.first;
    eventually("those who take nothing are shed", Duration::from_secs(20), || {
        first.expect_ctl(&["events"]).contains("connections ended whose receiver took nothing")
    });
    drop(stuck);
    eventually("newcomers are let in again", Duration::from_secs(20), || {
        fetch(lab.client(), &Target::http("192.168.0.33:80")).outcome.is_ok()
    });
    let room = Instant::now();
    assert!(echo(&watch), "an idle connection holds nothing and is never shed");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(pair.ownership.holders("192.168.0.33"), ["loadbalancer1"], "a move would have cut everybody");
    let record = load.stop();
    figure("limits: longest wait of a client while memory was short", record.longest_gap());
    assert_eq!(record.failures_since(room), 0, "{:?}", record.failures());
    assert!(record.served_after(room).is_some(), "clients come again");
    let shed = lab.machine(first.node()).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let line = "ended_by=\"memory-short\"";
    let counted = shed.lines().any(|text| text.contains(line) && !text.ends_with(" 0"));
    assert!(counted, "no connection was counted as shed");
}

#[test]
fn one_source_that_takes_more_than_it_may_is_reset_and_its_neighbour_is_served() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let bound = "profile = \"traefik-web\"\nper_source = { max_connections = 20, max_per_second = 40, exempt = [] }\n";
    let configuration = Configuration::flatcar_micro_cloud().replace("profile = \"traefik-web\"\n", bound);
    let pair = Pair::start(&lab, &configuration);

    // The greedy one and its neighbour come from different addresses of the LAN; the neighbour keeps a pace below its bound.
    let neighbour = Load::start(lab.hypervisor(), Target::http("192.168.0.33:80"), Duration::from_millis(50));
    let greedy = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(2));
    std::thread::sleep(Duration::from_secs(4));
    let (greedy, neighbour) = (greedy.stop(), neighbour.stop());
    let refused = greedy.failures().len();
    assert!(refused * 4 > greedy.attempts().len(), "{refused} of {} refused", greedy.attempts().len());
    assert!(greedy.attempts().len() - refused >= 100, "but what it may have it has");
    neighbour.assert_all_served();
    let log = pair.first.log();
    assert!(log.contains("a source opens connections faster than it may") && log.contains("192.168.0.50"), "{log}");
    assert!(log.matches("faster than it may").count() <= 3, "it is named, not for each connection");
}

#[test]
fn more_clients_than_the_servers_take_wait_their_turn() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let one = |worker: &str, address: &str| {
        (format!("{worker} = \"{address}\""), format!("{worker} = {{ address = \"{address}\", max_connections = 1 }}"))
    };
    let mut configuration = Configuration::flatcar_micro_cloud();
    for (worker, address) in [("worker1", "10.17.4.24"), ("worker2", "10.17.4.25"), ("worker3", "10.17.4.26")] {
        let (old, new) = one(worker, address);
        configuration = configuration.replace(&old, &new);
    }
    let pair = Pair::start(&lab, &configuration);
    let target = Target::http("192.168.0.33:80");
    std::thread::scope(|scope| {
        for _ in 0..30 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let fetched = fetch(lab.client(), &target);
                    assert!(fetched.outcome.is_ok(), "somebody was turned away: {:?}", fetched.outcome);
                }
            });
        }
    });
    let metrics = lab.machine(pair.first.node()).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let waited = metrics.lines().find(|line| line.starts_with("fmc_queue_waited_total{backend=\"workers\"}"));
    assert!(waited.is_some_and(|line| !line.ends_with(" 0")), "nobody has waited: {waited:?}");
}
