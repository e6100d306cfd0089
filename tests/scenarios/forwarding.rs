//! What arrives at the addresses reaches the servers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use fmc_api::word::Health;
use fmc_tests::balancer::Role;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::figure::{figure, figure_count};
use fmc_tests::lab::Lab;
use fmc_tests::load::{Load, Record};
use fmc_tests::pair::Pair;
use fmc_tests::process::resident;
use fmc_tests::server::Server;
use fmc_tests::stream::Streams;

#[test]
fn both_addresses_forward_and_spread_over_every_server() {
    let lab = Lab::flatcar_micro_cloud();
    let authority = Authority::new();
    let masters = Server::masters(&lab, &authority);
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    for role in [Role::Supervisor, Role::Keeper, Role::Proxy] {
        figure_count(&format!("resident bytes of {role:?} at start"), resident(pair.first.pid(role)) as usize);
    }

    for target in [
        Target::http("192.168.0.33:80"),
        Target::http("192.168.0.33:443"),
        Target::https("192.168.0.32:6443", &authority),
    ] {
        let name = target.to_string();
        let record = load_for(&lab, target, Duration::from_secs(1));
        record.assert_all_served();
        assert_even(&name, &record);
        figure(&format!("median exchange with {name}"), record.latency(0.5));
    }
    the_ladder_rests_on_ping(&pair);
    probes_leave_no_noise(&masters);
}

/// K3s answers 401 to `/readyz` without credentials; `/ping` is what proves a master then.
fn the_ladder_rests_on_ping(pair: &Pair<'_>) {
    let list = pair.first.backends();
    let masters = list.backends.iter().find(|backend| backend.name.as_str() == "masters").expect("the backend masters");
    for server in &masters.servers {
        let check = server.last_check.as_ref().expect("a check has ended");
        assert_eq!((server.health, check.rung.as_deref()), (Health::Healthy, Some("/ping")), "{server:?}");
    }
}

/// `TLS handshake error ... EOF` in the API server's log is what a careless probe leaves there.
fn probes_leave_no_noise(masters: &[Server<'_>]) {
    for master in masters {
        let log = master.log();
        assert!(log.contains("request /ping 200"), "{} was never probed:\n{log}", master.name());
        assert!(!log.contains("handshake error") && !log.contains("without close_notify"), "noise:\n{log}");
    }
}

#[test]
fn each_side_of_a_stream_closes_by_itself_and_an_idle_one_stays_open() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let _pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_streams());
    let idle = Streams::open(lab.client(), "192.168.0.33:7", 2, Duration::from_secs(4));

    let answers: Vec<String> = [0, 1, 100_000, 5_000_000].map(|bytes| send_then_listen(&lab, bytes)).into();
    for (answer, bytes) in answers.iter().zip(["0", "1", "100000", "5000000"]) {
        assert!(
            answer.starts_with("worker") && answer.ends_with(&format!(" {bytes}\n")),
            "{answer:?} for {bytes} bytes"
        );
    }
    std::thread::sleep(Duration::from_secs(5));
    let ends = idle.close();
    assert!(ends.iter().all(|end| end.cut.is_none() && end.echoes >= 2), "{ends:?}");
}

/// The service's user may have 1,024 pipes of the usual size; we make far fewer, and each receiver that takes nothing holds one.
#[test]
fn bulk_is_spliced_under_the_services_own_user_and_without_a_pipe_it_is_copied() {
    const SLOW: usize = 140;
    const BYTES: usize = 3_000_000;
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_streams());
    let metric = |name: &str| {
        let text = lab.machine(pair.first.node()).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
        line.trim().parse::<f64>().expect("a number") as usize
    };

    send_then_listen(&lab, 50_000_000);
    assert!(metric("fmc_spliced_bytes_total") > 25_000_000, "{} bytes spliced", metric("fmc_spliced_bytes_total"));
    assert_eq!((metric("fmc_splice_pipes"), metric("fmc_splice_pipe_shortages_total")), (1, 0));

    let bytes: Arc<[u8]> = (0..BYTES).map(byte_at).collect();
    let slow: Vec<TcpStream> = lab.client().run(|| (0..SLOW).map(|_| echo_that_nobody_reads(&bytes)).collect());
    eventually("more want a pipe than there are", Duration::from_secs(30), || {
        metric("fmc_splice_pipe_shortages_total") > 0
    });
    assert!(metric("fmc_splice_pipes") <= 128);
    figure_count("pipes held by receivers that take nothing", metric("fmc_splice_pipes"));
    for mut stream in slow {
        let mut received = Vec::with_capacity(BYTES);
        stream.read_to_end(&mut received).expect("what was sent comes back");
        assert!(received == *bytes, "{} bytes came back of {BYTES}", received.len());
    }
    eventually("pipes are given back", Duration::from_secs(5), || metric("fmc_splice_pipes") <= 16);
}

/// Sends from a thread of its own, for the echo fills every buffer on the way back until somebody reads.
fn echo_that_nobody_reads(bytes: &Arc<[u8]>) -> TcpStream {
    let stream = TcpStream::connect("192.168.0.33:7").expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let (mut sender, bytes) = (stream.try_clone().expect("a second handle"), Arc::clone(bytes));
    std::thread::spawn(move || {
        sender.write_all(&bytes).expect("the bytes are sent");
        sender.shutdown(Shutdown::Write).expect("our side closes");
    });
    stream
}

/// Tells every place from its neighbours, and from those a buffer or a pipe further on.
fn byte_at(position: usize) -> u8 {
    (position.wrapping_mul(2_654_435_761) >> 16) as u8
}

/// Closes its sending side after `bytes`, and only then hears the answer.
fn send_then_listen(lab: &Lab, bytes: usize) -> String {
    lab.client().run(|| {
        let mut stream = TcpStream::connect("192.168.0.33:9").expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        stream.write_all(&vec![b'x'; bytes]).expect("the bytes are sent");
        stream.shutdown(Shutdown::Write).expect("our side closes");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the other side still speaks, then closes");
        answer
    })
}

fn load_for(lab: &Lab, target: Target, span: Duration) -> Record {
    let load = Load::start(lab.client(), target, Duration::from_millis(5));
    std::thread::sleep(span);
    load.stop()
}

/// Least connections and round robin both give equal shares of short exchanges, give or take.
fn assert_even(name: &str, record: &Record) {
    let spread = record.spread();
    let total: usize = spread.values().sum();
    assert_eq!(spread.len(), 3, "{name}: {spread:?}");
    assert!(spread.values().all(|&share| share * 6 > total), "{name}: under half a fair share: {spread:?}");
}
