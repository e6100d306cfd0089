//! Signed adverts (`auth_hmac`) on a running pair: a forger, a new key, and the last word of a node whose keeper is dead.

use std::time::{Duration, Instant};

use fmc_tests::balancer::Role;
use fmc_tests::capture::Capture;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::{ADVERT_KEY, Configuration};
use fmc_tests::eventually::{eventually, throughout};
use fmc_tests::figure::figure;
use fmc_tests::junk;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{API, NODES, Pair, WEB};
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

const NEXT_KEY: &str = "2 the passphrase that takes over from the first key\n";

/// Proves V-102-.
#[test]
fn a_forged_claim_takes_an_address_from_its_owner_unless_adverts_are_signed() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    let began = Instant::now();
    lab.client().run(|| junk::claim_web(Duration::from_secs(1)));
    pair.ownership.changed_within(began, NODES[0], WEB, false, Duration::from_secs(2));
    drop(pair);

    let pair =
        Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_signed_adverts(&lab, ADVERT_KEY, "enforce"));
    let claims = || [API, WEB].map(|address| pair.ownership.claims(address));
    let claimed = claims();
    lab.client().run(|| junk::claim_web(Duration::from_secs(2)));
    assert_eq!((claims(), pair.ownership.holders(WEB)), (claimed, vec![NODES[0]]), "a forger moved an address");
    let status = || pair.first.expect_ctl(&["status"]);
    eventually("status names the forger and the field", Duration::from_secs(5), || {
        status().contains(&format!("auth_hmac: {}", lab.address("client")))
    });
}

/// Proves V-102+.
#[test]
fn a_signed_pair_changes_its_key_by_reloads_and_a_dead_keepers_last_word_is_signed_too() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with_signed_adverts(&lab, ADVERT_KEY, "enforce");
    let pair = Pair::start(&lab, &configuration);
    let claims = || [API, WEB].map(|address| pair.ownership.claims(address));
    let claimed = claims();
    for keys in [format!("{ADVERT_KEY}{NEXT_KEY}"), format!("{NEXT_KEY}{ADVERT_KEY}"), NEXT_KEY.to_owned()] {
        lab.write("adverts.key", &keys);
        for node in [&pair.first, &pair.second] {
            node.expect_ctl(&["reload", "--yes"]);
            throughout("nothing moves", Duration::from_millis(700), || claims() == claimed);
        }
    }
    let refused: Vec<String> = NODES.iter().flat_map(|node| refused_signatures(&lab, node)).collect();
    assert!(refused.is_empty(), "adverts were discarded between the steps: {refused:?}");

    let capture = Capture::start(&lab, "br0");
    let began = Instant::now();
    let killed = pair.first.signal(Role::Keeper, Signal::SIGKILL);
    let moved = pair.ownership.changed_within(killed, NODES[1], WEB, true, Duration::from_secs(3));
    figure("signed pair, keeper killed: the other node owns after", moved);
    let resigned = || capture.adverts_since(began, 33).iter().any(|(_, _, priority)| *priority == 0);
    eventually("the supervisor resigns in its place", Duration::from_secs(2), resigned);
    let refused = refused_signatures(&lab, NODES[1]);
    assert!(refused.is_empty(), "the last word was not believed: {refused:?}");
}

/// Of its metrics, the lines of signatures that were not accepted.
fn refused_signatures(lab: &Lab, node: &str) -> Vec<String> {
    let metrics = lab.machine(node).expect("curl", &["-fsS", "http://127.0.0.1:9109/metrics"]);
    let lines =
        metrics.lines().filter(|line| line.starts_with("fmc_vrrp_discarded_total") && line.contains("auth-hmac"));
    lines.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
}
