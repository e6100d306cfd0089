//! What a network and those in it may do to a balancer, that loopback cannot show: floods, peers that vanish, ports that run out, an
//! address that comes and goes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fmc_api::word::Health;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Attempt, Target};
use fmc_tests::figure::{figure, figure_count};
use fmc_tests::flood;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{NODES, Pair, WEB};
use fmc_tests::server::Server;
use socket2::SockRef;

const PACE: Duration = Duration::from_millis(5);

fn metric(lab: &Lab, name: &str) -> f64 {
    let text = lab.machine(NODES[0]).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
    line.trim().parse().expect("a number")
}

/// Of the workers' echo service.
fn open_connections(pair: &Pair<'_>) -> u64 {
    let backends = pair.first.backends().backends;
    backends.iter().flat_map(|backend| &backend.servers).map(|server| server.connections).sum()
}

fn stream() -> Option<TcpStream> {
    let address: SocketAddr = "192.168.0.33:7".parse().expect("an address");
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(3))).expect("a timeout");
    let mut echo = [0; 5];
    stream.write_all(b"hello").ok()?;
    stream.read_exact(&mut echo).ok()?;
    Some(stream)
}

#[test]
fn a_flood_of_syns_costs_no_client_its_connection_and_moves_no_address() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    // Where the sources are there is nobody, not even a router that says so.
    lab.hypervisor().expect("ip", &["route", "add", "blackhole", "198.18.0.0/15"]);
    let claims = pair.ownership.claims(WEB);
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));
    let to = "192.168.0.33:80".parse().expect("an address");
    let sent = lab.client().run(|| flood::of_syns(to, 20_000, Duration::from_secs(3)));
    std::thread::sleep(Duration::from_millis(500));
    let record = load.stop();

    figure_count("flood: SYNs in three seconds", sent);
    figure("flood: worst exchange of a client", record.latency(1.0));
    let half_open = lab.machine(NODES[0]).expect("ss", &["-Htn", "state", "syn-recv"]).lines().count();
    figure_count("flood: half-open connections left", half_open);
    assert!(sent > 6_000 && half_open > 100, "{sent} SYNs left {half_open} half-open connections: that is no flood");
    record.assert_all_served();
    assert_eq!(pair.ownership.claims(WEB), claims, "an address moved");
}

#[test]
fn peers_that_vanish_on_either_side_are_found_out_and_leave_nothing_open() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let workers = Server::workers(&lab);
    // With TCP_USER_TIMEOUT, that is what ends whoever leaves probes unanswered, and not their count (tcp(7)).
    let quick = "backend = \"workers\"\nkeepalive = { idle = \"1s\", interval = \"1s\", count = 2 }\nuser_timeout = \"2s\"\nclient_user_timeout = \"2s\"\n";
    let configuration = Configuration::flatcar_micro_cloud().with_streams().replace("backend = \"workers\"\n", quick);
    let pair = Pair::start(&lab, &configuration);
    let ended = |by: &str| metric(&lab, &format!("fmc_connections_ended_total{{frontend=\"echo\",ended_by=\"{by}\"}}"));

    let streams: Vec<_> = lab.client().run(|| (0..6).filter_map(|_| stream()).collect());
    assert_eq!(streams.len(), 6);
    lab.unplug("client");
    eventually("clients that vanished are found out", Duration::from_secs(10), || ended("client-lost") == 6.0);
    assert_eq!(open_connections(&pair), 0, "and their servers were told");
    lab.plug("client");
    drop(streams);

    let streams: Vec<_> = lab.client().run(|| (0..6).filter_map(|_| stream()).collect());
    assert_eq!(streams.len(), 6);
    for worker in &workers {
        worker.silence();
    }
    eventually("servers that vanished are found out", Duration::from_secs(10), || {
        ended("server-lost") + ended("server-gone") == 6.0
    });
    for mut stream in streams {
        assert!(stream.read(&mut [0]).is_err(), "its client is told by a reset");
    }
    workers.iter().for_each(Server::hear);
    eventually("they serve again", Duration::from_secs(8), || lab.client().run(stream).is_some());
}

/// Each connection to a server has a source port, and each server has all of them: a port is taken for one server, not for the others.
#[test]
fn source_ports_that_run_out_refuse_whom_they_lack_for_and_nobody_else() {
    const PORTS: usize = 60;
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    lab.machine(NODES[0]).sysctl("net/ipv4/ip_local_port_range", "40000 40059");
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_streams());

    let load = Load::start(lab.client(), Target::http("192.168.0.33:443"), Duration::from_millis(100));
    let streams: Vec<Option<TcpStream>> = lab.client().run(|| (0..PORTS * 3 + 20).map(|_| stream()).collect());
    let (open, refused): (Vec<_>, Vec<_>) = streams.into_iter().partition(Option::is_some);
    figure_count("ports: connections open with 60 ports towards three servers", open.len());
    assert!(open.len() > PORTS * 2, "{} open: a port that one server has is taken for all", open.len());
    assert!(refused.len() >= 20, "there are more connections than ports");
    let metric_of =
        |name: &str| metric(&lab, &format!("fmc_connections_ended_total{{frontend=\"echo\",ended_by=\"{name}\"}}"));
    assert_eq!(metric_of("local-fault"), refused.len() as f64, "it is said to be this node's own doing");
    let backends = pair.first.backends().backends;
    let workers = backends.iter().filter(|backend| backend.name.as_str() == "workers").flat_map(|it| &it.servers);
    assert!(workers.clone().all(|server| server.health == Health::Healthy), "{backends:?}");
    load.stop().assert_all_served();

    for stream in open.into_iter().flatten() {
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a reset gives the port back at once");
    }
    eventually("whoever comes then is served", Duration::from_secs(5), || lab.client().run(stream).is_some());
}

/// There and back again, by an operator who cannot make up his mind.
#[test]
fn an_address_that_moves_away_and_back_a_hundred_times_is_served_wherever_it_is() {
    const ROUNDS: usize = 100;
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        pair.first.expect_ctl(&["failover", "web", "--to", NODES[1], "--yes"]);
        pair.second.expect_ctl(&["failover", "web", "--to", NODES[0], "--yes"]);
    }
    pair.ownership.wait_for(NODES[0], WEB, Duration::from_secs(2));
    figure("moves: two hundred of them", began.elapsed());
    let record = load.stop();
    figure("moves: worst exchange", record.latency(1.0));
    figure_count("moves: connections cut because they were open at one", record.failures().len());
    // What is open at a move is cut by it; what comes then finds the address, wherever it is.
    let is_cut = |attempt: &&Attempt| attempt.outcome.as_ref().is_err_and(|error| error.contains("reset"));
    let otherwise: Vec<_> = record.failures().into_iter().filter(|attempt| !is_cut(attempt)).collect();
    assert!(otherwise.is_empty(), "refused, or lost: {otherwise:?}");
    assert!(record.failures().len() <= ROUNDS * 2, "more were cut than can have been open");
    let alive = metric(&lab, "fmc_listener_alive{frontend=\"web\",address=\"192.168.0.33:80\"}");
    assert_eq!(alive, 1.0, "the listener is the one that it was");
}
