//! What cannot work is refused at start, with the sentence an operator needs.

use std::time::Duration;

use fmc_tests::balancer::{Balancer, run_to_end};
use fmc_tests::configuration::Configuration;
use fmc_tests::lab::Lab;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES};
use fmc_tests::process::Spawn;

#[test]
fn what_cannot_work_is_refused_with_the_sentence_an_operator_needs() {
    let lab = Lab::flatcar_micro_cloud();
    let shipped = Configuration::flatcar_micro_cloud();
    let node = NODES[0];

    refused(&lab, node, &shipped, &["setpriv", "--bounding-set=-net_raw"], &["CAP_NET_RAW", "adverts"]);
    refused(&lab, node, &shipped, &["setpriv", "--bounding-set=-net_bind_service"], &["CAP_NET_BIND_SERVICE", "80"]);
    refused(&lab, node, &shipped, &["setpriv", "--reuid=65534", "--clear-groups"], &["root"]);
    refused(&lab, "client", &shipped, &[], &["--node"]);

    let absent = shipped.clone().replace("[vips.api]\n", "[vips.api]\ninterface = \"eth9\"\n");
    refused(&lab, node, &absent, &[], &["eth9"]);

    let taken = Spawn::new("socat", lab.path("socat.log")).args(["tcp-listen:80,reuseaddr,fork", "stdout"]);
    let holder = lab.machine(node).spawn(taken);
    std::thread::sleep(Duration::from_millis(300));
    refused(&lab, node, &shipped, &[], &["cannot listen on 192.168.0.33:80", "taken"]);
    drop(holder);
}

#[test]
fn an_address_that_is_not_ours_is_left_alone_and_said_aloud() {
    let lab = Lab::flatcar_micro_cloud();
    let node = lab.machine(NODES[0]);
    node.expect("ip", &["address", "add", "192.168.0.32/32", "dev", "eth0"]);
    refused(&lab, NODES[0], &Configuration::flatcar_micro_cloud(), &[], &[API, "eth0"]);
    let addresses = node.expect("ip", &["-4", "-o", "address", "show", "dev", "eth0"]);
    assert!(addresses.contains("192.168.0.32/32"), "an address that may be Keepalived's was removed:\n{addresses}");
}

#[test]
fn a_second_instance_is_refused_and_the_first_goes_on() {
    let lab = Lab::flatcar_micro_cloud();
    let shipped = Configuration::flatcar_micro_cloud();
    let first = Balancer::start(&lab, NODES[0], &shipped);
    first.wait_until_up();
    refused(
        &lab,
        NODES[0],
        &shipped,
        &[],
        &["another fmc-lb", &first.pid(fmc_tests::balancer::Role::Supervisor).to_string()],
    );
    // A runtime directory of its own makes it no less a second owner of the same addresses.
    let ownership = Ownership::watch(&lab, &[NODES[0]]);
    ownership.wait_for(NODES[0], API, Duration::from_secs(5));
    let mut second = Balancer::start_instance(&lab, NODES[0], "elsewhere", &shipped);
    let status = second.wait(Duration::from_secs(5));
    let sentence = "another fmc-lb runs in this network namespace";
    assert!(!status.success() && second.log().contains(sentence), "{status}\n{}", second.log());
    assert_eq!(ownership.moments(API).len(), 1, "the second instance touched the address of the first");
    first.wait_until_up();
}

fn refused(lab: &Lab, node: &'static str, configuration: &Configuration, wrapper: &[&str], says: &[&str]) {
    let (status, log) = run_to_end(lab, node, configuration, wrapper);
    assert!(!status.success(), "{wrapper:?} on {node} was not refused:\n{log}");
    assert!(!log.contains("panicked"), "a panic is no refusal:\n{log}");
    for word in says {
        assert!(log.contains(word), "the refusal does not say {word:?}: {status}\n{log}");
    }
}
