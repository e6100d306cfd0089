//! Every move of a VIP measures itself, and what it says of clients is what clients saw.

use std::time::Duration;

use fmc_api::failovers::{FailoverList, FailoverReport};
use fmc_api::status::{Owner, Status};
use fmc_api::word::{Half, Role as RoleWord};
use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, eventually_some};
use fmc_tests::exchange::Target;
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::{NODES, Pair, WEB};
use fmc_tests::server::Server;
use nix::sys::signal::Signal;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// A measurement, and a look of the other node at it.
const MEASURED: Duration = Duration::from_secs(15);

#[test]
fn a_move_and_a_loss_are_measured_on_both_nodes_and_outlive_the_proxy() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(4));
    std::thread::sleep(Duration::from_millis(500));

    pair.first.expect_ctl(&["failover", "web", "--yes"]);
    let came = report(&pair.second, NODES[1], Half::Came);
    assert!(came.first_byte_us >= came.first_connection_us && came.first_connection_us.is_some(), "{came:#?}");
    assert!(came.address_up_us.is_some(), "{came:#?}");
    let left = report(&pair.second, NODES[0], Half::Left);
    assert!(left.planned && left.cause.starts_with("an operator asked for the move"), "{left:#?}");
    let last = pair.second.expect_ctl(&["report", "last"]);
    assert!(last.contains(&format!("came to {}", NODES[1])) && last.contains(&format!("left {}", NODES[0])), "{last}");

    pair.second.signal(Role::Proxy, Signal::SIGKILL);
    let again = report(&pair.second, NODES[1], Half::Came);
    assert_eq!((again.number, again.at), (came.number, came.at), "what was measured outlives the proxy");
    pair.ownership.wait_for(NODES[0], WEB, Duration::from_secs(5));

    pair.second.wait_until_ready();
    let first = Owner::Node(NODES[0].parse().expect("a name"));
    eventually("the other node stands by and hears the owner", MEASURED, || {
        let web = |status: Status| status.vips.into_iter().find(|vip| vip.name.as_str() == "web");
        pair.second.status().and_then(web).is_some_and(|web| web.role == RoleWord::Backup && web.owner == first)
    });
    // A node that has heard no advert since its start cannot say how long the owner was silent.
    std::thread::sleep(Duration::from_secs(1));
    let known = newest(&pair.second, NODES[0], Half::Came).map_or(0, |report| report.number);
    lab.unplug(NODES[0]);
    let taken = eventually_some("the loss is measured", MEASURED, || {
        newest(&pair.second, NODES[1], Half::Came).filter(|report| report.silent_us.is_some() && report.complete)
    })
    .0;
    let record = load.stop();
    assert!(taken.number > came.number && known > 0 && taken.cause.starts_with("no advertisement for "), "{taken:#?}");
    let said = taken.silent_us.zip(taken.first_byte_us).map(|(silent, byte)| Duration::from_micros(silent + byte));
    let said = said.expect("a client was served");
    figure("report: dark at most, by its own measure", said);
    figure("the longest gap that a client of 4 ms saw", record.longest_gap());
    assert!(said <= record.longest_gap() + Duration::from_millis(400), "{said:?}: more than clients saw");
    let events = pair.second.expect_ctl(&["events"]);
    assert!(events.contains(&format!("report {}, came: the owner was silent for ", taken.number)), "{events}");

    pair.second.terminate(Duration::from_secs(5));
    pair.second = Balancer::start(&lab, NODES[1], &Configuration::flatcar_micro_cloud().with_key(&lab, KEY));
    pair.second.wait_until_up();
    assert!(list(&pair.second).reports.contains(&taken), "a restart of the service ends no history");
}

/// The newest complete report of a node about the web's address, as another one knows it.
fn report(asked: &Balancer<'_>, node: &str, half: Half) -> FailoverReport {
    let what = format!("a report of {node}, {half}");
    eventually_some(&what, MEASURED, || newest(asked, node, half).filter(|report| report.complete)).0
}

fn newest(asked: &Balancer<'_>, node: &str, half: Half) -> Option<FailoverReport> {
    let is_it =
        |report: &FailoverReport| (report.node.as_str(), report.vip.as_str(), report.half) == (node, "web", half);
    list(asked).reports.into_iter().filter(is_it).max_by_key(|report| report.number)
}

fn list(asked: &Balancer<'_>) -> FailoverList {
    let answer = asked.ctl(&["--json", "report", "list"]);
    serde_json::from_slice(&answer.stdout).unwrap_or_else(|_| FailoverList {
        now: fmc_api::Moment::from_unix_ms(0),
        node: asked.node().parse().expect("a name"),
        reports: Vec::new(),
    })
}
