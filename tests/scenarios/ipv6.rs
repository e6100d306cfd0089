//! Clients, balancers and servers of IPv6, beside IPv4 and alone.

use std::time::{Duration, Instant};

use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::{Target, fetch};
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{NODES, Pair, WEB};
use fmc_tests::server::{ECHO_PORT, Server, wait_until_served};
use fmc_tests::stream::Streams;

const API_6: &str = "fd00::32";
const WEB_6: &str = "fd00::33";
const PACE: Duration = Duration::from_millis(5);
/// 302 ms of silence, what an RTT and a retransmitted SYN of an idle machine take, and room.
const SERVED_WITHIN: Duration = Duration::from_millis(1300);

fn lab() -> Lab {
    let lab = Lab::flatcar_micro_cloud();
    lab.speak_ipv6();
    lab
}

/// The shipped example: servers of IPv4, and each VIP of IPv6 follows one of IPv4.
#[test]
fn a_node_without_power_is_replaced_for_clients_of_both_families_by_one_election() {
    let lab = lab();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::example("dual-stack.toml"));
    for address in [API_6, WEB_6] {
        assert_eq!(pair.ownership.holders(address), [NODES[0]]);
    }
    wait_until_served(&lab, &Target::http("[fd00::33]:80"), Duration::from_secs(5));
    let loads = ["192.168.0.33:80", "[fd00::33]:80"].map(|to| Load::start(lab.client(), Target::http(to), PACE));
    std::thread::sleep(Duration::from_millis(500));

    let cut = lab.unplug(NODES[0]);
    pair.first.kill_all();
    for address in [WEB, WEB_6] {
        pair.ownership.changed_within(cut, NODES[1], address, true, Duration::from_secs(3));
    }
    std::thread::sleep(Duration::from_millis(1500));
    for (load, family) in loads.into_iter().zip(["IPv4", "IPv6"]) {
        let record = load.stop();
        let served = record.served_after(cut).expect("the other node serves");
        figure(&format!("dual stack, node cut: first new connection of {family} served after"), served);
        assert!(served < SERVED_WITHIN, "{family}: {served:?}");
        assert_eq!(record.failures_since(cut + served), 0, "{family}: {:?}", record.failures());
    }
}

#[test]
fn a_planned_move_takes_both_families_along_and_no_new_connection_fails() {
    let lab = lab();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::example("dual-stack.toml"));
    wait_until_served(&lab, &Target::http("[fd00::33]:80"), Duration::from_secs(5));
    let load = Load::start(lab.client(), Target::http("[fd00::33]:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));
    let explained = pair.first.expect_ctl(&["explain", "vip", "web6"]);
    assert!(explained.contains("fd00::33") && explained.contains("web"), "{explained}");
    pair.first.expect_ctl(&["failover", "web6", "--yes"]);
    for address in [WEB, WEB_6] {
        pair.ownership.wait_for(NODES[1], address, Duration::from_secs(3));
    }
    std::thread::sleep(Duration::from_millis(500));
    let record = load.stop();
    let moves = pair.ownership.moments(WEB_6);
    let failures = record.failures_not_under_way_at(&moves);
    figure("dual stack, planned move: longest gap for clients of IPv6", record.longest_gap());
    assert!(failures.is_empty(), "{failures:?}");
}

/// Nothing here has an address of IPv4 that matters: nodes, VIPs, heartbeats, the channel between the nodes, workers.
fn ipv6_alone(lab: &Lab) -> Configuration {
    let text = format!(
        r#"
[nodes]
loadbalancer1 = "fd00::30"
loadbalancer2 = "fd00::31"

[vips]
api = "{API_6}"
web = "{WEB_6}"

[frontends.k8s-api]
vip = "api"
port = 6443
profile = "k8s-api"
allow = ["fd00::/16"]
backend = "masters"

[frontends.web]
vip = "web"
ports = [80, 443]
profile = "traefik-web"
backend = "workers"

[backends.masters]
servers = {{ master1 = "10.17.4.21:6443", master2 = "10.17.4.22:6443" }}

[backends.workers]
servers = {{ worker1 = "fd00:4::24", worker2 = "fd00:4::25", worker3 = "fd00:4::26" }}
"#
    );
    Configuration::from_text(text).with_streams().with_key(lab, "a key of at least 32 bytes that both nodes have\n")
}

#[test]
fn a_pair_of_ipv6_alone_elects_speaks_and_is_replaced() {
    let lab = lab();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers_6(&lab);
    let ownership = fmc_tests::ownership::Ownership::watch(&lab, &NODES);
    let [mut first, second] = fmc_tests::balancer::Balancer::start_in_turn(&lab, NODES, &ipv6_alone(&lab));
    for address in [API_6, WEB_6] {
        ownership.wait_for(NODES[0], address, Duration::from_secs(8));
    }
    wait_until_served(&lab, &Target::http("[fd00::33]:80"), Duration::from_secs(5));
    eventually("each knows the other", Duration::from_secs(10), || {
        [&first, &second].iter().all(|node| {
            let status = node.expect_ctl(&["status"]);
            NODES.iter().all(|name| status.contains(name)) && !status.contains("does not answer")
        })
    });
    first.expect_ctl(&["drain", "worker3"]);
    eventually("what one is told, both do", Duration::from_secs(5), || {
        second.expect_ctl(&["backends"]).lines().any(|line| line.contains("worker3") && line.contains("drain"))
    });
    let streams = Streams::open(lab.client(), &format!("[{WEB_6}]:{ECHO_PORT}"), 3, Duration::from_millis(50));
    let sessions = first.expect_ctl(&["sessions"]);
    assert!(sessions.contains("[fd00::50]:") || sessions.contains("fd00::50"), "{sessions}");
    drop(streams.close());
    for (from, to) in [(&first, NODES[1]), (&second, NODES[0])] {
        from.expect_ctl(&["failover", "web", "--yes"]);
        ownership.wait_for(to, WEB_6, Duration::from_secs(3));
        // Adverts come from addresses that no configuration knows; heartbeats say whose they are.
        let told = format!("{to} has taken over");
        eventually(&told, Duration::from_secs(3), || from.expect_ctl(&["events"]).contains(&told));
        assert!(!from.expect_ctl(&["events"]).contains("fe80"), "{}", from.expect_ctl(&["events"]));
    }
    let load = Load::start(lab.client(), Target::http("[fd00::33]:80"), PACE);
    std::thread::sleep(Duration::from_millis(500));

    let cut = lab.unplug(NODES[0]);
    first.kill_all();
    ownership.changed_within(cut, NODES[1], WEB_6, true, Duration::from_secs(3));
    std::thread::sleep(Duration::from_millis(1500));
    let record = load.stop();
    let served = record.served_after(cut).expect("the other node serves");
    figure("IPv6 alone, node cut: first new connection served after", served);
    assert!(served < SERVED_WITHIN, "{served:?}");
    assert_eq!(record.failures_since(cut + served), 0, "{:?}", record.failures());
}

#[test]
fn everything_killed_the_kernel_takes_an_address_of_ipv6_away_by_itself() {
    let lab = lab();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::example("dual-stack.toml"));
    let killed = pair.first.kill_all();
    let gone = pair.ownership.changed_within(killed, NODES[0], WEB_6, false, Duration::from_millis(2600));
    figure("everything killed, link up: VIP of IPv6 gone after", gone);
    pair.ownership.wait_for(NODES[1], WEB_6, Duration::from_secs(1));
    let answered = Instant::now();
    eventually("the other node serves", Duration::from_secs(2), || {
        fetch(lab.client(), &Target::http("[fd00::33]:80")).outcome.is_ok()
    });
    figure("and served by the other after", answered.elapsed());
}
