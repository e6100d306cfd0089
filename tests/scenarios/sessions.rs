//! `fmc-lbctl sessions`: who is connected, in the order and of the kind that is asked for.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fmc_api::sessions::SessionList;
use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{NODES, Pair};
use fmc_tests::server::Server;

/// A connection to the workers' echo, over which `bytes` have gone and come back; by its own port.
fn echoed(lab: &Lab, bytes: usize) -> (u16, TcpStream) {
    let talk = move || {
        let mut stream = TcpStream::connect("192.168.0.33:7").expect("a connection");
        let mut answer = vec![0; bytes];
        stream.write_all(&vec![7; bytes]).expect("it takes them");
        stream.read_exact(&mut answer).expect("it gives them back");
        stream
    };
    let stream = lab.client().thread(talk).join().expect("no panic");
    (stream.local_addr().expect("an address").port(), stream)
}

fn ports(node: &Balancer<'_>, arguments: &[&str]) -> Vec<u16> {
    let text = node.expect_ctl(&[&["sessions", "--json", "--this-node"], arguments].concat());
    let list: SessionList = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    list.sessions.iter().map(|session| session.client.port()).collect()
}

#[test]
fn sessions_are_sorted_and_chosen_by_age_idleness_bytes_and_client() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud().with_streams());
    assert_eq!(pair.ownership.owner("192.168.0.33", Duration::from_secs(1)), NODES[0]);
    let (small, _small) = echoed(&lab, 10);
    std::thread::sleep(Duration::from_millis(1_500));
    let (large, _large) = echoed(&lab, 3_000);
    let (middle, _middle) = echoed(&lab, 700);
    let asked = |arguments: &[&str]| ports(&pair.first, arguments);

    assert_eq!(asked(&[]), [small, large, middle], "the oldest first");
    assert_eq!(asked(&["--reverse"]), [middle, large, small]);
    assert_eq!(asked(&["--sort", "bytes"]), [large, middle, small]);
    assert_eq!(asked(&["--sort", "bytes", "--limit", "1"]), [large], "the limit comes after the order");
    assert_eq!(asked(&["--sort", "idle"])[0], small);
    assert_eq!(asked(&["--idle-for", "1s"]), [small]);
    assert_eq!(asked(&["--older-than", "1s"]), [small]);
    assert_eq!(asked(&["--client", "192.168.0.0/24"]).len(), 3);
    assert_eq!(asked(&["--client", "192.168.0.50"]).len(), 3);
    assert!(asked(&["--client", "10.0.0.0/8"]).is_empty());
    let refused = pair.first.ctl(&["sessions", "--sort", "size"]);
    assert_eq!(refused.status.code(), Some(64), "{refused:?}");
}
