use fmc_api::Asked;
use fmc_api::backends::{CheckResult, ServerStatus};
use fmc_api::explain::NodePart;
use fmc_api::status::Owner;
use fmc_api::word::{AdminState, Health, Prospect, Role, Tier};
use fmc_config::model::backend::Balance;
use fmc_config::model::election::Failback;
use fmc_config::model::name::VipName;

use super::{backend, vip};

fn part(node: &str, role: Role, tier: Tier) -> NodePart {
    NodePart {
        node: node.parse().unwrap(),
        heard: true,
        role: Some(role),
        for_ms: Some(1000),
        reason: Some("lb9 stopped advertising".to_owned()),
        tier: Some(tier),
        cause: (tier != Tier::Fit).then(|| "this node is in maintenance".to_owned()),
        priority: Some(254),
        admin: AdminState::Ready,
        admin_asked: None,
        pinned: None,
    }
}

/// Of `lb1`, the first in rank, and `lb2`.
fn owned_by(owner: usize, tiers: [Tier; 2], change: impl FnOnce(&mut [NodePart; 2])) -> String {
    let role = |rank| if rank == owner { Role::Active } else { Role::Backup };
    let mut nodes = [part("lb1", role(0), tiers[0]), part("lb2", role(1), tiers[1])];
    change(&mut nodes);
    let owner = Owner::Node(nodes[owner].node.clone());
    let address = "192.168.0.32".parse().unwrap();
    vip::sentence(&vip::Facts { address, together: &[], owner: &owner, failback: Failback::Never, nodes: &nodes })
}

#[test]
fn the_owner_says_why_and_every_other_node_why_not() {
    let serves = "lb1 serves 192.168.0.32 because lb9 stopped advertising, and is fit; ";
    for (tier, says) in [
        (Tier::Fit, "lb2 is fit too, and ranks below"),
        (Tier::Degraded, "lb2 is only degraded (lb2 is in maintenance)"),
    ] {
        assert_eq!(owned_by(0, [Tier::Fit, tier], |_| {}), format!("{serves}{says}"));
    }
    let drained = owned_by(0, [Tier::Fit, Tier::Unfit], |nodes| {
        nodes[1].admin = AdminState::Drain;
        nodes[1].admin_asked = Some(Asked { at: fmc_api::Moment::from_unix_ms(0), uid: 0 });
    });
    assert_eq!(drained, format!("{serves}lb2 is drained, asked by uid 0"));
    let silent = owned_by(0, [Tier::Fit, Tier::Fit], |nodes| nodes[1].heard = false);
    assert_eq!(silent, format!("{serves}lb2 is not heard"));
}

#[test]
fn an_election_that_carries_several_addresses_says_so_first() {
    let [api, web, mail] = ["api", "web", "mail"].map(|name| name.parse().unwrap());
    let nodes = [part("lb1", Role::Active, Tier::Fit)];
    let owner = Owner::Node(nodes[0].node.clone());
    let said = |together: &[&VipName]| {
        let address = "192.168.0.33".parse().unwrap();
        vip::sentence(&vip::Facts { address, together, owner: &owner, failback: Failback::Never, nodes: &nodes })
    };
    let alone = said(&[&api]);
    assert!(alone.starts_with("lb1 serves 192.168.0.33"), "{alone}");
    assert_eq!(said(&[&api, &web, &mail]), format!("one election carries api, web and mail; {alone}"));
}

#[test]
fn a_node_that_ranks_above_says_why_it_does_not_take_it_back() {
    let says = owned_by(1, [Tier::Fit, Tier::Fit], |_| {});
    assert!(
        says.ends_with("lb1 is fit too, ranks above, and takes nothing from an equal (failback = \"never\")"),
        "{says}"
    );
    let better = owned_by(1, [Tier::Fit, Tier::Degraded], |_| {});
    assert!(better.contains("lb1 is fit, which is better, and takes it once"), "{better}");
}

#[test]
fn an_address_that_nobody_serves_says_what_keeps_each_node() {
    let mut nodes = [part("lb1", Role::Initialize, Tier::Unfit), part("lb2", Role::Backup, Tier::Fit)];
    nodes[1].role = None;
    let address = "192.168.0.32".parse().unwrap();
    let facts = |owner| vip::Facts { address, together: &[], owner, failback: Failback::Never, nodes: &nodes };
    let says = vip::sentence(&facts(&Owner::Nobody));
    let own = "lb1 is initialize because lb9 stopped advertising, unfit (lb1 is in maintenance); lb2 is not heard";
    assert_eq!(says, format!("nobody is known to serve 192.168.0.32; {own}"));
    let foreign = vip::sentence(&facts(&Owner::Foreign("192.168.0.99".parse().unwrap())));
    assert_eq!(foreign, format!("192.168.0.99, which is none of [nodes], advertises 192.168.0.32; {own}"));
}

fn server(name: &str, health: Health) -> ServerStatus {
    let at = fmc_api::Moment::from_unix_ms(0);
    let (rung, words) = (Some("/ping".to_owned()), "answered 200".to_owned());
    ServerStatus {
        name: name.parse().unwrap(),
        address: "10.17.4.21".parse().unwrap(),
        port: None,
        health,
        since: at,
        last_check: Some(CheckResult { at, passed: health == Health::Healthy, rung, words, latency_ms: 1.0 }),
        admin: AdminState::Ready,
        admin_asked: None,
        weight: 1,
        configured_weight: 1,
        weight_asked: None,
        backup: false,
        max_connections: None,
        connections: 4,
        connections_total: 0,
        dial_failures: 0,
        agent: None,
        elsewhere: Vec::new(),
    }
}

fn facts(server: &ServerStatus, prospect: Prospect) -> backend::Facts<'_> {
    backend::Facts { server, prospect, full: false, suspected: false, warming_up: false, agent_refuses: false }
}

#[test]
fn a_server_says_the_one_thing_that_decides() {
    let (well, ill) = (server("m1", Health::Healthy), server("m2", Health::Unhealthy));
    let drained = ServerStatus { admin: AdminState::Drain, ..well.clone() };
    let backup = ServerStatus { backup: true, ..well.clone() };
    let weightless = ServerStatus { weight: 0, ..ill.clone() };
    for (facts, says) in [
        (facts(&well, Prospect::Next), "it passes its check: /ping: answered 200"),
        (facts(&ill, Prospect::Never), "it fails its check: /ping: answered 200"),
        (facts(&drained, Prospect::Never), "drained"),
        (facts(&backup, Prospect::Never), "a backup, and regular servers serve"),
        (facts(&weightless, Prospect::Never), "its weight is 0"),
        (backend::Facts { full: true, ..facts(&well, Prospect::Never) }, "it has its 4 connections"),
        (
            backend::Facts { suspected: true, ..facts(&well, Prospect::LastResort) },
            "a client could not connect to it a moment ago, so others are tried first",
        ),
    ] {
        assert_eq!(backend::why(&facts), says);
    }
}

#[test]
fn a_backend_says_where_the_next_client_goes_and_why_not_elsewhere() {
    let name = "masters".parse().unwrap();
    let (m1, m2, m3) = (server("m1", Health::Healthy), server("m2", Health::Healthy), server("m3", Health::Unhealthy));
    let with_why = |facts: backend::Facts<'static>| {
        let why = backend::why(&facts);
        (facts, why)
    };
    let leaked: [&'static ServerStatus; 3] = [m1, m2, m3].map(|server| &*Box::leak(Box::new(server)));
    let says = |prospects: [Prospect; 3]| {
        let servers: Vec<_> = leaked.iter().zip(prospects).map(|(server, p)| with_why(facts(server, p))).collect();
        backend::sentence(&name, Balance::LeastConnections, 0, &servers)
    };
    assert_eq!(
        says([Prospect::Next, Prospect::Next, Prospect::Never]),
        "the next client of masters goes to m1 or m2: the fewest connections for its weight; \
         m3 gets none: it fails its check: /ping: answered 200"
    );
    assert!(says([Prospect::Never; 3]).starts_with("a new client of masters finds no server that it could go to; m1 "));
}
