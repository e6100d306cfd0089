//! What is around a virtual router: the link, the servers, the way to its peer, the configuration.

use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::eventually::eventually;
use fmc_tests::foreign_router::{Advert, ForeignRouter, now};
use fmc_tests::link;
use fmc_tests::pair::NODES;
use fmc_tests::server::Server;

use crate::scene::{
    FAMILIES, Family, INTERVAL, IPV4, IPV6, LONG, PRIORITY, advertises, configuration, lab, ours, rival,
    rival_advertises, rival_stops,
};

/// Shows B-10, B-21.
#[test]
fn a_node_whose_link_or_servers_are_lost_says_so_on_the_wire_and_is_as_good_as_before_when_they_return() {
    let lab = lab();
    let _workers = Server::workers(&lab);
    let router = ForeignRouter::start(&lab, "client");
    let _node = Balancer::start(&lab, NODES[0], &configuration());
    advertises(&router, 0.0);
    let says = |priority: u8, since: f64, limit: Duration| {
        for family in FAMILIES {
            let says = || ours(&router, family, since).iter().any(|(_, advert)| advert.priority == priority);
            eventually(&format!("{} says {priority}", family.vip), limit, says);
        }
    };
    // No server accepts: it is the last in line, and serves while there is nobody else.
    link::drop_incoming(lab.machine(NODES[0]), "ip saddr 10.17.4.24");
    says(3, now(), Duration::from_secs(12));
    link::stop_dropping(lab.machine(NODES[0]));
    says(PRIORITY, now(), Duration::from_secs(5));

    lab.hypervisor().expect("ip", &["link", "set", NODES[0], "down"]);
    std::thread::sleep(INTERVAL * 2);
    let down = now();
    std::thread::sleep(LONG / 2);
    let held = |family: Family| lab.machine(NODES[0]).expect("ip", &["-o", "address", "show", "to", family.vip]);
    for family in FAMILIES {
        assert_eq!(held(family), "", "no link, no address");
        assert_eq!(ours(&router, family, down), []);
    }
    lab.hypervisor().expect("ip", &["link", "set", NODES[0], "up"]);
    says(PRIORITY, down, Duration::from_secs(6));
}

/// Shows B-11, B-22.
#[test]
fn a_node_by_unicast_advertises_to_its_peer_alone_and_hears_no_group() {
    let lab = lab();
    let _workers = Server::workers(&lab);
    let mut router = ForeignRouter::start(&lab, NODES[1]);
    let nodes = "loadbalancer1 = { address = \"192.168.0.30\", other_addresses = [\"fd00::30\"] }\n\
                 loadbalancer2 = { address = \"192.168.0.31\", other_addresses = [\"fd00::31\"] }\n";
    let configuration = configuration()
        .replace("loadbalancer1 = \"192.168.0.30\"\n", nodes)
        .replace("[election]\n", "[election]\ntransport = \"unicast\"\n");
    let node = Balancer::start(&lab, NODES[0], &configuration);
    node.wait_until_ready();
    rival_advertises(&mut router, "group", |family| rival(family, 254));
    let began = now();
    std::thread::sleep(LONG);
    let hardware = router.hardware().to_owned();
    for (family, peer) in [(IPV4, "192.168.0.31"), (IPV6, "fd00::31")] {
        let said = ours(&router, family, began);
        assert!(said.len() >= 10, "{} is not advertised to its peer: {}", family.vip, said.len());
        for (_, advert) in said {
            let Advert { destination, to_hardware, ttl, checksum_holds, .. } = &advert;
            assert_eq!(
                (destination.as_str(), to_hardware, *ttl, *checksum_holds),
                (peer, &hardware, 255, true),
                "{advert:?}"
            );
        }
    }
    rival_stops(&mut router, "group");
}

/// Shows B-27.
#[test]
fn an_address_that_comes_to_a_virtual_router_or_leaves_it_by_a_reload_is_in_its_advertisements_or_not() {
    let lab = lab();
    let _workers = Server::workers(&lab);
    let router = ForeignRouter::start(&lab, "client");
    let node = Balancer::start(&lab, NODES[0], &configuration());
    advertises(&router, 0.0);
    let more = "[vips.more]\naddress = \"192.168.0.34\"\nfollows = \"web\"\n\n[vips.more6]\naddress = \"fd00::34\"\nfollows = \"web6\"\n";
    let lists = |extra: [&str; 2], since: f64| {
        for (family, extra) in FAMILIES.into_iter().zip(extra) {
            let expected: Vec<&str> = [family.vip, extra].into_iter().filter(|address| !address.is_empty()).collect();
            let lists = || ours(&router, family, since).last().is_some_and(|(_, advert)| advert.addresses == expected);
            eventually(&format!("its advertisements list {expected:?}"), Duration::from_secs(4), lists);
        }
    };
    for (configuration, extra) in
        [(configuration().with(more), ["192.168.0.34", "fd00::34"]), (configuration(), ["", ""])]
    {
        configuration.write(&lab, &format!("{}.toml", NODES[0]));
        let began = now();
        node.expect_ctl(&["reload", "--yes"]);
        lists(extra, began);
    }
}
