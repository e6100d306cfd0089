//! Three balancers on one of the lab's older address plans: two of them reach the VIPs by a second interface.

use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::exchange::Target;
use fmc_tests::figure::figure;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::ownership::Ownership;
use fmc_tests::plan::THREE_BALANCERS;
use fmc_tests::server::{Server, wait_until_served};

const NODES: [&str; 3] = ["loadbalancer1", "loadbalancer2", "k8s-api-lb"];
const WEB: &str = "10.17.5.30";

#[test]
fn of_three_nodes_one_owns_and_the_next_in_rank_replaces_it_each_time() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::example("plan-b.toml");
    let ownership = Ownership::watch(&lab, &NODES);
    let mut nodes = Balancer::start_in_turn(&lab, NODES, &configuration);
    ownership.wait_for(NODES[0], WEB, Duration::from_secs(8));
    let web = Target::http("10.17.5.30:80");
    wait_until_served(&lab, &web, Duration::from_secs(5));

    let load = Load::start(lab.client(), web, Duration::from_millis(5));
    for survivor in [1, 2] {
        let cut = lab.unplug(NODES[survivor - 1]);
        nodes[survivor - 1].kill_all();
        let claimed = ownership.changed_within(cut, NODES[survivor], WEB, true, Duration::from_secs(3));
        figure(&format!("three nodes: {} owns after", NODES[survivor]), claimed);
        std::thread::sleep(Duration::from_millis(1500));
        assert!(claimed < Duration::from_secs(1), "{claimed:?}");
    }
    let record = load.stop();
    assert_eq!(ownership.holders(WEB).last(), Some(&NODES[2]));
    figure("three nodes, two lost: longest gap", record.longest_gap());
    assert!(record.longest_gap() < Duration::from_secs(1), "{:?}", record.longest_gap());
}
