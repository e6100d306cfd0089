//! Checks that need more than a probe of ours: what clients say, and a program of the operator's under the service's own user.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use fmc_api::word::Health;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::load::Load;
use fmc_tests::pair::Pair;
use fmc_tests::server::Server;

const TRAEFIK: &str = "profile = \"traefik-web\"\nbackend = \"workers\"\n";

/// `[backends.workers]` of the example with more keys.
fn workers(keys: &str) -> Configuration {
    let shipped = Configuration::flatcar_micro_cloud();
    assert!(shipped.text().contains(TRAEFIK), "the example has changed");
    shipped.replace("[backends.workers]\n", &format!("[backends.workers]\n{keys}"))
}

#[test]
fn a_server_that_its_check_finds_well_and_that_fails_its_clients_is_out_until_it_is_mended() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    // The check asks 443 and is content; clients go to 80.
    let keys =
        "observe = { failures = 5, within = \"30s\", out_for = \"6s\" }\ncheck = { type = \"tcp\", port = 443 }\n";
    let pair = Pair::start(&lab, &workers(keys));
    let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(20));
    let worker = lab.machine("worker1");
    worker.expect("nft", &["add", "table", "ip", "broken"]);
    worker.expect("nft", &["add", "chain", "ip", "broken", "in", "{ type filter hook input priority 0; }"]);
    let reject = ["add", "rule", "ip", "broken", "in", "tcp", "dport", "80", "reject", "with", "tcp", "reset"];
    worker.expect("nft", &reject);

    pair.first.wait_for_health("worker1", Health::Unhealthy, Duration::from_secs(60));
    let out_since = Instant::now();
    let events = pair.first.expect_ctl(&["events"]);
    assert!(events.contains("workers/worker1: unhealthy (was healthy): 5 clients failed within 30 s"), "{events}");
    worker.expect("nft", &["delete", "table", "ip", "broken"]);
    pair.first.wait_for_health("worker1", Health::Healthy, Duration::from_secs(30));
    let out = out_since.elapsed();
    assert!(out > Duration::from_secs(3), "its check passed all the time, and it was back after {out:?}");
    load.stop().assert_all_served();
}

#[test]
fn a_program_decides_as_the_services_user_and_without_its_rights() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let ill = lab.path("ill");
    let script = format!(
        "#!/bin/sh\nif [ -e {} ] && [ \"$FMC_ADDRESS\" = 10.17.4.24 ]; then echo it is ill; exit 2; fi\n\
         echo \"$(id -un) $(grep CapEff /proc/self/status | tr -d '\\t')\"\n",
        ill.display()
    );
    let program = lab.write("check.sh", &script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let check = format!("check = {{ type = \"command\", command = [\"{}\"], timeout = \"5s\" }}\n", program.display());

    let refused = fmc_tests::balancer::run_to_end(&lab, "loadbalancer1", &workers(&check), &[]);
    assert_eq!(refused.0.code(), Some(78), "nobody has allowed it:\n{}", refused.1);
    assert!(refused.1.contains("check_commands = true"), "{}", refused.1);

    let pair = Pair::start(&lab, &workers(&check).with("[limits]\ncheck_commands = true\n"));
    let said = pair.first.expect_ctl(&["probe", "workers/worker1"]);
    assert!(said.contains("fmc-lb CapEff:0000000000000000"), "its user, and no capability: {said}");

    lab.write("ill", "");
    pair.first.wait_for_health("worker1", Health::Unhealthy, Duration::from_secs(40));
    let events = pair.first.expect_ctl(&["events"]);
    assert!(events.contains("the program ended with 2: it is ill"), "{events}");
    std::fs::remove_file(&ill).expect("it is there");
    eventually("worker1 is well again", Duration::from_secs(40), || {
        let servers = pair.first.backends().backends.into_iter().flat_map(|backend| backend.servers);
        servers.into_iter().any(|server| server.name.as_str() == "worker1" && server.health == Health::Healthy)
    });
}

#[test]
fn an_agent_says_how_its_server_wants_to_be_used_and_the_operator_stands_above_it() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    lab.write("says", "up\n");
    let socat = format!("exec:cat {}", lab.path("says").display());
    let _agent = lab.machine("worker1").spawn(
        fmc_tests::process::Spawn::new("socat", lab.path("agent.log"))
            .args(["tcp-listen:9707,reuseaddr,fork", socat.as_str()]),
    );
    let pair = Pair::start(&lab, &workers("agent = { port = 9707, interval = \"500ms\" }\n"));
    let served_by_worker1 = || {
        let load = Load::start(lab.client(), Target::http("192.168.0.33:80"), Duration::from_millis(10));
        std::thread::sleep(Duration::from_millis(800));
        let record = load.stop();
        record.assert_all_served();
        record.spread().get("worker1").copied().unwrap_or_default()
    };
    let says = |words: &str| {
        lab.write("says", &format!("{words}\n"));
        let said = words.split('#').next().unwrap_or_default().trim().to_owned();
        eventually(&format!("the pair hears {said:?}"), Duration::from_secs(10), || {
            let list = pair.first.expect_ctl(&["backends"]);
            list.lines().any(|line| line.starts_with("workers/worker1: its agent says ") && line.contains(&said))
        });
    };
    says("up");
    assert!(served_by_worker1() > 5);
    says("drain#the cache is cold");
    assert_eq!(served_by_worker1(), 0, "nothing new");
    says("down");
    assert_eq!(served_by_worker1(), 0, "the others work");
    says("up");
    assert!(served_by_worker1() > 5);
    pair.first.expect_ctl(&["drain", "workers/worker1", "--yes"]);
    says("up");
    assert_eq!(served_by_worker1(), 0, "an agent takes no drain of an operator back");
    pair.first.expect_ctl(&["ready", "workers/worker1"]);
    assert!(served_by_worker1() > 5);
    let events = pair.first.expect_ctl(&["events"]);
    assert!(events.contains("workers/worker1: its agent says: drain (the cache is cold)"), "{events}");
}
