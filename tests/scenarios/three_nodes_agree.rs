//! Three nodes with one key: where the third one changes what comes of a command, a fault or a reload.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use fmc_api::events::EventList;
use fmc_api::status::Owner;
use fmc_api::word::AdminState;
use fmc_tests::balancer::Balancer;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::{eventually, throughout};
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::plan::{ONE_ADDRESS_A_BRIDGE, THREE_BALANCERS};
use fmc_tests::process::Spawn;
use fmc_tests::server::{Server, wait_until_served};
use fmc_tests::trio::{API, NODES, Trio, WEB};

const KEY: &str = "0123456789abcdef0123456789abcdef";
const NEXT_KEY: &str = "fedcba9876543210fedcba9876543210";

/// Some looks of one node at another.
const HEARD: Duration = Duration::from_secs(6);

fn plan_b(lab: &Lab) -> Configuration {
    Configuration::example("plan-b.toml").with_key(lab, KEY)
}

/// It means something else and disturbs nothing.
fn another(configuration: &Configuration) -> Configuration {
    configuration
        .clone()
        .replace("ports = { 80 = 32591, 443 = 31541 }", "ports = { 80 = 32591, 443 = 31541, 8080 = 80 }")
}

#[test]
fn a_trial_is_of_all_three_and_ends_on_all_three_as_whoever_ends_it_says() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = plan_b(&lab);
    let next = another(&shipped);
    let trio = Trio::start(&lab, &shipped, &[API, WEB]);
    let before = trio.hashes();

    trio.apply(0, &next, &["--confirm-within", "4s"]).expect("on trial");
    let tried = trio.hashes();
    assert!(tried.iter().all(|hash| *hash == tried[0] && *hash != before[0]), "{before:?} {tried:?}");
    let second = trio.apply(2, &shipped, &[]).expect_err("one trial at a time");
    assert!(second.contains("on trial"), "{second}");
    assert_eq!(roll_back_trial_of_the_third(&lab, &trio.nodes[1]), "409", "that trial does not run");
    assert_eq!(trio.hashes(), tried, "neither has ended it");
    let back = eventually("all go back by themselves", Duration::from_secs(10), || trio.hashes() == before);
    assert!(back > Duration::from_secs(1), "{back:?}: that was not the end of the trial");

    trio.apply(0, &next, &["--confirm-within", "30s"]).expect("on trial");
    trio.nodes[2].expect_ctl(&["rollback"]);
    assert_eq!(trio.hashes(), before, "whoever takes it back, all go back");

    // The one that is asked has it for good already: that it is in force there for good says nothing of this trial.
    trio.apply(0, &next, &["--this-node"]).expect("on one node");
    trio.apply(0, &next, &["--confirm-within", "3s"]).expect("on trial");
    assert_eq!(trio.hashes(), tried);
    let ended = [tried[0].clone(), before[1].clone(), before[2].clone()];
    eventually("nobody has confirmed it: those that had another go back", Duration::from_secs(8), || {
        trio.hashes() == ended
    });

    trio.apply(1, &next, &["--confirm-within", "3s"]).expect("on trial");
    trio.nodes[2].expect_ctl(&["confirm"]);
    throughout("what is confirmed stays on all", Duration::from_secs(5), || trio.hashes() == tried);
}

/// Asks a node to go back from a trial that the third node began, which did not: the HTTP status of the answer.
fn roll_back_trial_of_the_third(lab: &Lab, node: &Balancer<'_>) -> String {
    let socket = node.path("admin.sock").display().to_string();
    let words = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", &socket, "-H", "fmc-lb-nodes: this"];
    let body = ["-d", r#"{"trial":{"count":1,"by":"k8s-api-lb"}}"#, "http://fmc-lb/v1/rollback"];
    lab.machine(node.node()).expect("curl", &[&words[..], &body].concat())
}

#[test]
fn what_the_third_node_refuses_or_cannot_hear_changes_nothing_on_the_others() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = plan_b(&lab);
    let mut trio = Trio::start(&lab, &shipped, &[API, WEB]);
    let before = trio.hashes();
    let web = Target::http("10.17.5.30:80");
    wait_until_served(&lab, &web, Duration::from_secs(5));
    let load = Load::start(lab.client(), web, Duration::from_millis(4));

    let words = ["tcp-listen:8080,reuseaddr,fork", "stdout"];
    let taken = lab.machine(NODES[2]).spawn(Spawn::new("socat", lab.path("socat.log")).args(words));
    eventually("the port is taken", HEARD, || {
        lab.machine(NODES[2]).output("ss", &["-Hltn", "sport = :8080"]).stdout.windows(5).any(|word| word == b":8080")
    });
    let refused = trio.apply(0, &another(&shipped), &[]).expect_err("the third cannot");
    assert!(refused.contains("k8s-api-lb") && refused.contains("nothing has changed on any node"), "{refused}");
    assert_eq!(trio.hashes(), before);
    drop(taken);

    trio.nodes[2].kill_all();
    let refused = trio.apply(0, &another(&shipped), &[]).expect_err("the third does not answer");
    assert!(refused.contains("k8s-api-lb") && refused.contains("--this-node"), "{refused}");
    assert_eq!(trio.hashes()[..2], before[..2]);
    load.stop().assert_all_served();

    trio.nodes[2] = Balancer::start(&lab, NODES[2], &shipped);
    trio.nodes[2].wait_until_ready();
    trio.apply(1, &another(&shipped), &[]).expect("all three can");
    let after = trio.hashes();
    assert!(after.iter().all(|hash| *hash == after[0] && *hash != before[0]), "{after:?}");
}

#[test]
fn what_is_asked_at_once_on_three_nodes_is_as_many_acts_and_each_is_taken_back_once() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = plan_b(&lab);
    let mut trio = Trio::start(&lab, &configuration, &[API, WEB]);
    let servers = ["worker1", "worker2", "worker3", "master1"];
    let admin = |trio: &Trio<'_>, state| {
        servers.iter().all(|name| trio.server(name).iter().all(|server| server.admin == state))
    };

    // The first node is asked for two things at once.
    let nodes = &trio.nodes;
    thread::scope(|scope| {
        for (node, server) in
            [(0, "workers/worker1"), (1, "workers/worker2"), (2, "workers/worker3"), (0, "masters/master1")]
        {
            scope.spawn(move || nodes[node].expect_ctl(&["drain", server, "--yes"]));
        }
    });
    eventually("all of it is in force on all", HEARD, || admin(&trio, AdminState::Drain));

    let last = |node: &Balancer<'_>| node.expect_ctl(&["undo", "--dry-run"]).lines().next().map(str::to_owned);
    for (round, asked) in [2, 1, 0].into_iter().enumerate() {
        eventually("all know the same last act", HEARD, || {
            let acts: BTreeSet<_> = trio
                .nodes
                .iter()
                .map(|node| last(node).map(|line| line.split(',').next().map(str::to_owned)))
                .collect();
            acts.len() == 1
        });
        let said = trio.nodes[asked].expect_ctl(&["undo", "--yes"]);
        assert_eq!(said.matches(": the same").count(), 2, "round {round}: {said}");
    }

    // One that is dead takes the last one back when it returns.
    trio.nodes[2].kill_all();
    let said = trio.nodes[1].expect_ctl(&["undo", "--yes"]);
    assert!(said.contains("k8s-api-lb will do it"), "{said}");
    assert!(!trio.nodes[0].ctl(&["undo", "--yes"]).status.success(), "there were four acts");
    trio.nodes[2] = Balancer::start(&lab, NODES[2], &configuration);
    trio.nodes[2].wait_until_ready();
    eventually("nothing is in force on any", HEARD, || admin(&trio, AdminState::Ready));
}

#[test]
fn a_pin_holds_for_the_node_that_was_dead_when_it_was_asked() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = plan_b(&lab).with("[election]\nfailback = \"always\"\n");
    let mut trio = Trio::start(&lab, &configuration, &[API, WEB]);
    let owns = |trio: &Trio<'_>, node| [API, WEB].iter().all(|address| trio.ownership.holders(address) == [node]);

    trio.nodes[0].kill_all();
    [API, WEB].iter().for_each(|address| trio.wait_for(NODES[1], address));
    let said = trio.nodes[2].expect_ctl(&["pin", "10m"]);
    assert!(said.contains("loadbalancer2: the same") && said.contains("loadbalancer1 will do it"), "{said}");
    trio.nodes[0] = Balancer::start(&lab, NODES[0], &configuration);
    let returned = Instant::now();
    trio.nodes[0].wait_until_ready();
    eventually("it hears of its pin", HEARD, || trio.nodes[0].status().is_some_and(|status| status.pinned.is_some()));
    throughout("no address fails back", Duration::from_secs(3), || owns(&trio, NODES[1]));
    for address in [API, WEB] {
        assert_eq!(trio.ownership.changed_after(returned, NODES[0], address, true), None, "nor did {address} before");
    }

    // Whoever serves is replaced all the same, and the pin is one act.
    trio.nodes[1].kill_all();
    [API, WEB].iter().for_each(|address| trio.wait_for(NODES[0], address));
    trio.nodes[1] = Balancer::start(&lab, NODES[1], &configuration);
    trio.nodes[1].wait_until_ready();
    trio.nodes[2].expect_ctl(&["undo", "--yes"]);
    eventually("nobody is pinned any more", HEARD, || {
        trio.nodes.iter().all(|node| node.status().is_some_and(|status| status.pinned.is_none()))
    });
}

#[test]
fn addresses_go_to_the_node_that_is_named_and_a_node_that_was_not_asked_is_said() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let mut trio = Trio::start(&lab, &plan_b(&lab), &[API, WEB]);

    knows(&trio.nodes[1], "web", NODES[0]);
    trio.nodes[1].expect_ctl(&["failover", "web", "--to", NODES[2], "--yes"]);
    trio.wait_for(NODES[2], WEB);
    assert_eq!(trio.ownership.holders(API), [NODES[0]], "the other one stays");
    knows(&trio.nodes[0], "web", NODES[2]);
    let said = trio.nodes[0].expect_ctl(&["failover", "all", "--to", NODES[1], "--yes"]);
    assert_eq!(said.matches("moved to loadbalancer2").count(), 2, "from two owners: {said}");
    [API, WEB].iter().for_each(|address| trio.wait_for(NODES[1], address));

    trio.nodes[2].kill_all();
    let output = trio.nodes[1].ctl(&["failover", "all", "--to", NODES[0], "--yes"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("k8s-api-lb was not asked") && said.matches("moved to loadbalancer1").count() == 2, "{said}");
    assert_eq!(output.status.code(), Some(1), "whether it owned one is not known: {said}");
    [API, WEB].iter().for_each(|address| trio.wait_for(NODES[0], address));
    let output = trio.nodes[0].ctl(&["failover", "api", "--to", NODES[2], "--yes"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    throughout("what nobody takes stays", Duration::from_secs(1), || trio.ownership.holders(API) == [NODES[0]]);
}

fn knows(node: &Balancer<'_>, vip: &str, owner: &str) {
    let owner = Owner::Node(owner.parse().expect("a name"));
    eventually("a node knows who owns what", HEARD, || {
        let status = node.status();
        status.is_some_and(|status| status.vips.iter().any(|known| known.name.as_str() == vip && known.owner == owner))
    });
}

#[test]
fn a_key_is_replaced_on_three_nodes_and_each_event_is_told_once() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let trio = Trio::start(&lab, &plan_b(&lab), &[API, WEB]);
    let claims = || [API, WEB].map(|address| trio.ownership.claims(address));
    let claimed = claims();
    eventually("every node knows events of all", HEARD, || trio.nodes.iter().all(|node| nodes_of(&events(node)) == 3));

    for (step, keys) in ["{KEY}\n{NEXT}\n", "{NEXT}\n{KEY}\n", "{NEXT}\n"].iter().enumerate() {
        lab.write("pair.key", &keys.replace("{KEY}", KEY).replace("{NEXT}", NEXT_KEY));
        for node in &trio.nodes {
            node.expect_ctl(&["reload", "--yes"]);
            // With some nodes ahead and some behind.
            thread::sleep(Duration::from_millis(500));
        }
        let said = trio.nodes[step].expect_ctl(&["weight", "workers/worker1", &(step + 2).to_string()]);
        assert_eq!(said.matches(": the same").count(), 2, "step {step}: {said}");
    }
    // Time for each node to be looked at by each other under the last key.
    thread::sleep(Duration::from_secs(3));
    assert_eq!(claims(), claimed, "no address moved");
    for node in &trio.nodes {
        let list = events(node);
        let mut known = BTreeSet::new();
        for event in &list.events {
            let once =
                known.insert((event.node.to_string(), event.at.unix_ms(), event.subject.clone(), event.text.clone()));
            assert!(once, "{} tells twice: {event:?}", node.node());
        }
        assert_eq!(nodes_of(&list), 3, "{list:?}");
    }
}

fn events(node: &Balancer<'_>) -> EventList {
    serde_json::from_str(&node.expect_ctl(&["--json", "events"])).expect("events as the API types say")
}

fn nodes_of(list: &EventList) -> usize {
    list.events.iter().map(|event| event.node.as_str()).collect::<BTreeSet<_>>().len()
}

#[test]
fn an_address_comes_to_three_nodes_and_goes_again_while_the_others_stay_where_they_are() {
    let lab = Lab::build(&THREE_BALANCERS);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let shipped = plan_b(&lab);
    let mut trio = Trio::start(&lab, &shipped, &[API, WEB]);
    let more = shipped.clone().with(
        "[vips.spare]\naddress = \"10.17.5.31\"\ninterface = { loadbalancer1 = \"eth1\", loadbalancer2 = \"eth1\" }\n\
         [frontends.spare]\nvip = \"spare\"\nports = { 80 = 32591 }\nprofile = \"traefik-web\"\nbackend = \"workers\"\n",
    );
    let spare = "10.17.5.31";
    let claims = |trio: &Trio<'_>| [API, WEB].map(|address| trio.ownership.claims(address));
    let claimed = claims(&trio);
    let load = Load::start(lab.client(), Target::http("10.17.5.30:80"), Duration::from_millis(4));

    trio.apply(2, &more, &[]).expect("all three can");
    let owner = trio.ownership.owner(spare, Duration::from_secs(8));
    wait_until_served(&lab, &Target::http("10.17.5.31:80"), Duration::from_secs(5));
    assert_eq!(claims(&trio), claimed, "the others have not moved");
    load.stop().assert_all_served();

    // It is elected among the three as the others are.
    let owns = NODES.iter().position(|node| *node == owner).expect("one of the three");
    trio.nodes[owns].kill_all();
    eventually("another node has it", Duration::from_secs(5), || {
        !trio.ownership.holders(spare).is_empty() && trio.ownership.holders(spare) != [owner]
    });
    trio.nodes[owns] = Balancer::start(&lab, owner, &more);
    trio.nodes[owns].wait_until_ready();
    trio.apply(1, &shipped, &[]).expect("all three can");
    eventually("nobody has it", Duration::from_secs(8), || trio.ownership.holders(spare).is_empty());
}

#[test]
fn whoever_is_cut_off_from_one_bridge_loses_the_address_of_that_bridge_alone() {
    let lab = Lab::build(&ONE_ADDRESS_A_BRIDGE);
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let api = "10.17.3.10";
    let configuration = plan_b(&lab)
        .replace(
            "k8s-api-lb = \"10.17.5.20\"",
            "k8s-api-lb = { address = \"10.17.3.14\", other_addresses = [\"10.17.5.20\"] }",
        )
        .replace(
            "address = \"10.17.5.10\"\ninterface = { loadbalancer1 = \"eth1\", loadbalancer2 = \"eth1\" }",
            "address = \"10.17.3.10\"",
        )
        .replace("{ loadbalancer1 = \"eth1\", loadbalancer2 = \"eth1\" }", "\"eth1\"");
    let mut trio = Trio::start(&lab, &configuration, &[api, WEB]);
    let web = Target::http("10.17.5.30:80");
    wait_until_served(&lab, &web, Duration::from_secs(5));
    let claimed = trio.ownership.claims(WEB);
    let load = Load::start(lab.client(), web, Duration::from_millis(4));

    // The next in rank takes the API's address over, and when it dies, the third; the web's stays where it is.
    let cut = lab.unplug_from("virbr_kube02", NODES[0]);
    trio.ownership.changed_within(cut, NODES[1], api, true, Duration::from_secs(3));
    serves_the_api(&lab, api);
    let dead = trio.nodes[1].kill_all();
    trio.ownership.changed_within(dead, NODES[2], api, true, Duration::from_secs(3));
    serves_the_api(&lab, api);
    assert_eq!((trio.ownership.holders(WEB), trio.ownership.claims(WEB)), (vec![NODES[0]], claimed));
    load.stop().assert_all_served();

    // And the other way round: the web's goes to the one node that is left on its bridge, the API's is there already.
    let cut = lab.unplug_from("br-vip", NODES[0]);
    trio.ownership.changed_within(cut, NODES[2], WEB, true, Duration::from_secs(3));
    wait_until_served(&lab, &Target::http("10.17.5.30:80"), Duration::from_secs(5));
    lab.plug(NODES[0]);
    eventually("both bridges have one owner each again", Duration::from_secs(8), || {
        [api, WEB].iter().all(|address| trio.ownership.holders(address).len() == 1)
    });
}

/// From the hypervisor, which is on both bridges.
fn serves_the_api(lab: &Lab, address: &str) {
    let url = format!("https://{address}:6443/ping");
    eventually("the API answers on its address", Duration::from_secs(5), || {
        lab.hypervisor().output("curl", &["-skf", "--max-time", "1", &url]).stdout == b"pong"
    });
}
