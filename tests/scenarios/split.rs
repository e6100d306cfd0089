//! The nodes cannot hear each other, and then can again; and the wire carries what is no advert of theirs.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::figure::{figure, figure_count};
use fmc_tests::junk;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;

#[test]
fn a_split_that_heals_leaves_one_owner_and_clients_hardly_notice() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let capture = Capture::start(&lab, "br0");
    lab.unplug(NODES[1]);
    let both = || pair.ownership.holders(WEB).len() == 2;
    eventually("each side of the split has an owner", Duration::from_secs(3), both);
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(4));
    std::thread::sleep(Duration::from_millis(500));

    // What the winner announces may already be on the wire when the healing command returns.
    let healing = Instant::now();
    let healed = lab.plug(NODES[1]);
    for address in [API, WEB] {
        eventually("one owner is left", Duration::from_secs(2), || pair.ownership.holders(address).len() == 1);
        figure(
            &format!("split heals: two owners of {address} for"),
            pair.ownership.longest_overlap_since(healed, address),
        );
    }
    std::thread::sleep(Duration::from_secs(2));
    let record = load.stop();
    figure("split heals: longest gap between served connections", record.longest_gap());
    assert!(record.longest_gap() < Duration::from_millis(1500), "{:?}", record.longest_gap());
    assert_eq!(record.failures_since(healed + Duration::from_millis(500)), 0, "{:?}", record.failures());
    // The winner says again where the address is: neighbours may have believed the loser.
    let owner = pair.ownership.owner(WEB, Duration::from_secs(1));
    let (requests, replies) = capture.announcements_since(healing, WEB);
    assert!(requests > 0 && replies > 0, "{owner} announces in both forms: {requests} requests, {replies} replies");
}

/// Proves V-66, V-67.
/// Shows B-30.
#[test]
fn ten_thousand_junk_adverts_a_second_change_nothing() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let capture = Capture::start(&lab, "br0");
    let claims = [API, WEB].map(|address| pair.ownership.claims(address));
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(10));

    let started = Instant::now();
    let before: Vec<f64> = NODES.map(|node| discarded(&lab, node).1).to_vec();
    let sent = lab.client().run(|| junk::send(10_000, FLOOD));
    figure_count("junk adverts sent in 10 s", sent);
    assert!(sent > 10_000, "the flood was a trickle: {sent}");
    load.stop().assert_all_served();
    assert_eq!([API, WEB].map(|address| pair.ownership.claims(address)), claims, "an address moved");
    assert_eq!(pair.ownership.holders(WEB), [NODES[0]]);

    // Counted by reason on both nodes, and named once in each log.
    for (node, before) in NODES.into_iter().zip(before) {
        let (reasons, total) = discarded(&lab, node);
        figure_count(&format!("junk adverts: counted as discarded by {node}"), (total - before) as usize);
        assert!(total - before > 0.9 * sent as f64, "of {sent} junk adverts {node} counted {}", total - before);
        assert!(reasons >= 5, "{node} counted {reasons} reasons");
        let balancer = if node == NODES[0] { &pair.first } else { &pair.second };
        let log = balancer.log();
        let naming = format!("discards advertisements from {}:", lab.address("client"));
        let named = log.lines().filter(|line| line.contains(&naming)).count();
        assert_eq!(named, 1, "{node} names the source once:\n{log}");
    }

    // The owner's own adverts kept their rhythm: none is missing, and the longest silence stays far below the detection time.
    let owner: IpAddr = "192.168.0.30".parse().expect("an address");
    let ours: Vec<Instant> = capture
        .adverts_since(started, 33)
        .into_iter()
        .filter(|&(_, source, _)| source == owner)
        .map(|(at, ..)| at)
        .collect();
    let silence = ours.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    figure("junk adverts: longest silence of the owner", silence);
    let span = ours.last().zip(ours.first()).map(|(last, first)| *last - *first).unwrap_or_default();
    let due = (span.as_secs_f64() / 0.1).round() as usize + 1;
    assert!(span > FLOOD / 2 && ours.len() >= due, "{} adverts of {due} in {span:?}", ours.len());
    assert!(silence < Duration::from_millis(300), "{silence:?}");
}

const FLOOD: Duration = Duration::from_secs(10);

/// For how many reasons a node has discarded adverts, and how many.
fn discarded(lab: &Lab, node: &str) -> (usize, f64) {
    let metrics = lab.machine(node).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let lines = metrics.lines().filter(|line| line.starts_with("fmc_vrrp_discarded_total"));
    let counts: Vec<f64> = lines.map(value).filter(|count| *count > 0.0).collect();
    (counts.len(), counts.iter().sum())
}

/// The value of a line of Prometheus text.
fn value(line: &str) -> f64 {
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).unwrap_or_default()
}
