//! A firewall with state beside the balancer: what it remembers of connections stays far under what it has room for.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::exchange::Target;
use fmc_tests::figure::figure_count;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::namespace::Namespace;
use fmc_tests::pair::NODES;
use fmc_tests::server::Server;

/// 2,000 connections a second, as many as two busy cores make of them.
const PACE: Duration = Duration::from_micros(500);
const RATE: u64 = 2000;

/// Below /proc/sys: how long a connection is remembered after its end.
const TIME_WAIT: &str = "net/netfilter/nf_conntrack_tcp_timeout_time_wait";
/// How long connections come.
const LOAD: Duration = Duration::from_secs(2);
/// An entry that is over counts until its bucket is used again, or the kernel's own scan finds it, seconds later at the latest
/// (`GC_SCAN_INTERVAL_MAX` of nf_conntrack_core.c).
const LATEST_SCAN: u64 = 60;
/// A fifth of what is shipped, so that the scenario need not wait.
const SHORT: Duration = Duration::from_secs(1);

/// firewalld's own order of rules for a service, at its own priority.
const FIREWALL: &str = "table inet firewall { chain input { type filter hook input priority filter + 10; policy drop; \
    ct state established,related accept; iifname lo accept; ct state invalid drop; meta l4proto { icmp, 112 } accept; \
    udp dport 1112 ct state new,untracked accept; tcp dport { 80, 443, 6443 } ct state new,untracked accept; }; \
    chain output { type filter hook output priority filter + 10; ct state established,related accept; }; }";

#[test]
fn the_shipped_rules_keep_clients_out_of_the_table_and_short_times_empty_it() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let balancer = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud());
    let machine = lab.machine(NODES[0]);
    machine.expect("nft", &[FIREWALL]);
    balancer.wait_until_ready();
    machine.expect("nft", &["-f", &shipped("nftables/fmc-lb-notrack.nft")]);
    machine.sysctl(TIME_WAIT, &SHORT.as_secs().to_string());
    let short = Run::during(LOAD, &lab);
    std::thread::sleep(SHORT);
    clear(machine);
    let left = entries(machine);
    figure_count("conntrack, clients not tracked, entries kept for 1 s: left after 1 s", left as usize);
    assert!(left * 10 < short.connections, "{left} entries of {short:?} outlive their time");

    machine.sysctl(TIME_WAIT, "120");
    let notrack = Run::during(LOAD, &lab);
    figures("clients not tracked", &notrack);
    assert!(notrack.kept * 10 >= notrack.connections * 9, "{notrack:?}: not even servers are tracked");
    assert!(notrack.kept * 10 <= notrack.connections * 12, "{notrack:?}: clients are still tracked");

    machine.expect("nft", &["delete", "table", "inet", "fmc_lb_notrack"]);
    let without = Run::during(LOAD, &lab);
    figures("as the firewall has it", &without);
    // One entry for the client's connection and one for the server's, which outlive them by two minutes.
    assert!(without.kept * 10 >= without.connections * 17, "{without:?}: there is no tracking to be spared of");
}

/// A client behind a tunnel, who has said nothing of its MTU: the router before it tells the balancer how long a packet may be (RFC 1191).
#[test]
fn a_client_behind_a_smaller_mtu_gets_long_answers_through_the_firewall() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let balancer = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud().with_streams());
    lab.machine(NODES[0]).expect("nft", &[FIREWALL]);
    lab.machine(NODES[0]).expect("nft", &["-f", &shipped("nftables/fmc-lb-notrack.nft")]);
    let echo = "192.168.0.33 . 7";
    lab.machine(NODES[0]).expect("nft", &[&format!("add element inet fmc_lb_notrack services {{ {echo} }}")]);
    lab.machine(NODES[0]).expect("nft", &["add rule inet firewall input tcp dport 7 ct state untracked accept"]);
    balancer.wait_until_ready();
    let (client, via) = (lab.machine("master3"), lab.address("master3").to_string());
    let routes = client.expect("ip", &["route", "show", "default"]);
    let router = routes.split_whitespace().nth(2).expect("a default route");
    client.expect("ip", &["address", "add", "203.0.113.9/32", "dev", "lo"]);
    client.expect("ip", &["route", "add", "192.168.0.33", "via", router, "src", "203.0.113.9"]);
    lab.hypervisor().expect("ip", &["route", "add", "203.0.113.9", "via", &via, "mtu", "lock", "1300"]);

    let sent = vec![7; 300_000];
    let heard = client.run(|| echoed(&sent));
    assert_eq!(heard.expect("the answer arrives"), sent.len());
    let learned = lab.machine(NODES[0]).expect("ip", &["route", "get", "203.0.113.9"]);
    assert!(learned.contains("mtu 1300"), "the path's MTU was learned, so the answer had to be cut shorter: {learned}");
}

/// Sends `bytes` to the workers' echo service and counts those that come back.
fn echoed(bytes: &[u8]) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect("192.168.0.33:7")?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut sending = stream.try_clone()?;
    std::thread::scope(|scope| {
        scope.spawn(move || sending.write_all(bytes).and_then(|()| sending.shutdown(Shutdown::Write)));
        std::io::copy(&mut stream, &mut std::io::sink()).map(|count| count as usize)
    })
}

#[test]
fn the_shipped_table_has_room_for_twice_what_two_thousand_connections_a_second_leave_in_it() {
    let shipped = |key: &str| -> u64 {
        let all = settings();
        let found = all.iter().find(|(name, _)| name == key);
        found.and_then(|(_, value)| value.parse().ok()).unwrap_or_else(|| panic!("the shipped file sets no {key}"))
    };
    let entries = RATE * (shipped(TIME_WAIT) + LATEST_SCAN);
    assert!(entries * 2 <= shipped("net/netfilter/nf_conntrack_max"), "{entries} entries");
    let kept: Vec<String> = settings().into_iter().map(|(key, _)| key).collect();
    assert!(
        kept.iter().all(|key| Path::new("/proc/sys").join(key).exists()),
        "this kernel does not know all of {kept:?}"
    );
}

/// What became of the table while connections came. Entries of runs before are in neither figure: they outlast the scenario.
#[derive(Debug)]
struct Run {
    connections: u64,
    /// Entries at the end that were not there at the beginning.
    kept: u64,
}

impl Run {
    fn during(span: Duration, lab: &Lab) -> Self {
        let machine = lab.machine(NODES[0]);
        let before = entries(machine);
        let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), PACE);
        std::thread::sleep(span);
        let record = load.stop();
        record.assert_all_served();
        // A tenth of it is still a load that fills a table; less would show nothing.
        let connections = record.attempts().len() as u64;
        assert!(connections * 10 >= RATE * span.as_secs(), "only {connections} connections in {span:?}");
        let kept = entries(machine).saturating_sub(before);
        Self { connections, kept }
    }
}

fn figures(name: &str, run: &Run) {
    figure_count(&format!("conntrack, {name}: connections"), run.connections as usize);
    figure_count(&format!("conntrack, {name}: entries at the end"), run.kept as usize);
}

/// Removes the entries that are over, as the kernel's own scan would later: it does so for whoever lists them.
fn clear(machine: &Namespace) {
    machine.expect("cat", &["/proc/net/nf_conntrack"]);
}

/// Entries of this machine's table (`nf_conntrack_count` is a namespace's own).
fn entries(machine: &Namespace) -> u64 {
    let count = machine.run(|| std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count"));
    count.expect("conntrack is there").trim().parse().expect("a number")
}

fn shipped(file: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist").join(file).display().to_string()
}

/// Of the shipped sysctl.d file, as paths below /proc/sys.
fn settings() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(shipped("sysctl.d/50-fmc-lb.conf")).expect("the shipped file");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let settings = lines.filter_map(|line| line.trim_start_matches('-').split_once('='));
    settings.map(|(key, value)| (key.trim().replace('.', "/"), value.trim().to_owned())).collect()
}
