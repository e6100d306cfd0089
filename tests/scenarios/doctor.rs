//! `fmc-lbctl doctor`: what keeps a balancer from working is named with its fix, and what does not is not.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Output;
use std::time::Duration;

use fmc_tests::binaries::product;
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::eventually::eventually;
use fmc_tests::junk;
use fmc_tests::lab::Lab;
use fmc_tests::link;
use fmc_tests::pair::{NODES, Pair};
use fmc_tests::server::Server;

const KEY: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_machine_that_is_fit_has_nothing_wrong_before_and_while_the_service_runs() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let configuration = Configuration::flatcar_micro_cloud().with_key(&lab, KEY);
    let file = configuration.write(&lab, "doctor.toml");
    let file = file.to_str().expect("a path in words");
    let before = doctor(&lab, NODES[0], &["--preflight", "--config", file]);
    assert_eq!(before.status.code(), Some(0), "{}", said(&before));

    let alone = doctor(&lab, NODES[0], &["--config", file, "--socket", "/nonexistent"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(said(&alone).contains("-> systemctl start fmc-lb"), "{}", said(&alone));

    let pair = Pair::start(&lab, &configuration);
    let socket = pair.second.path("admin.sock");
    let socket = socket.to_str().expect("a path in words");
    eventually("the pair has no alarm", Duration::from_secs(10), || {
        pair.second.status().is_some_and(|status| status.alarms.is_empty())
    });
    let while_it_runs = doctor(&lab, NODES[1], &["--config", file, "--socket", socket]);
    assert_eq!(while_it_runs.status.code(), Some(0), "{}", said(&while_it_runs));
    for found in ["192.168.0.33 is answered by ", ", which is loadbalancer1", "the clock of loadbalancer1 agrees"] {
        assert!(said(&while_it_runs).contains(found), "{found}: {}", said(&while_it_runs));
    }
}

#[test]
fn every_fault_is_named_with_its_fix_in_two_languages_and_nothing_is_changed() {
    let lab = Lab::flatcar_micro_cloud();
    let file = Configuration::flatcar_micro_cloud().write(&lab, "doctor.toml");
    let file = file.to_str().expect("a path in words");
    let machine = lab.machine(NODES[0]);
    link::drop_incoming(machine, "ip saddr 192.168.0.31 ip protocol 112");
    let _taken = machine.run(|| TcpListener::bind((Ipv4Addr::UNSPECIFIED, 80)).expect("port 80 is free"));
    let interface = interface(&lab);
    machine.expect("ip", &["address", "add", "192.168.0.32/32", "dev", &interface]);
    machine.expect("ip", &["route", "add", "unreachable", "10.17.4.22"]);

    let looks =
        || [vec!["-4", "-o", "address"], vec!["route"], vec!["rule"]].map(|words| machine.output("ip", &words).stdout);
    let (before, rules) = (looks(), machine.output("nft", &["list", "ruleset"]).stdout);
    let _built_before_the_router_speaks = product("fmc-lbctl");
    let examined = std::thread::scope(|threads| {
        // A router of another pair, with the number that the web's address would have.
        threads.spawn(|| lab.client().run(|| junk::send(20, Duration::from_secs(12))));
        doctor(&lab, NODES[0], &["--preflight", "--config", file])
    });
    let text = said(&examined);
    assert_eq!(examined.status.code(), Some(1), "{text}");
    for (found, fix) in [
        ("the firewall drops VRRP (protocol 112) from loadbalancer2", "--add-protocol=vrrp"),
        ("192.168.0.33:80/tcp is taken by ", "or give the frontend another port"),
        ("192.168.0.32 is on ", "-> ip address del 192.168.0.32 dev "),
        ("there is no route to masters/master2 (10.17.4.22)", "-> add one: ip route add 10.17.4.22/32"),
        (
            "192.168.0.50, which is none of [nodes], uses virtual router 33",
            "-> set virtual_router_id = 255 in [vips.web]",
        ),
    ] {
        assert!(text.contains(found) && text.contains(fix), "{found}, {fix}: {text}");
    }
    assert_eq!((looks(), machine.output("nft", &["list", "ruleset"]).stdout), (before, rules), "it changes nothing");

    let spanish = said(&doctor(&lab, NODES[0], &["--preflight", "--config", file, "--lang", "es"]));
    assert!(spanish.contains("no hay ruta hasta masters/master2 (10.17.4.22)"), "{spanish}");
    let json = doctor(&lab, NODES[0], &["--preflight", "--config", file, "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).expect("JSON");
    assert_eq!(json["healthy"], false);
    let wrong = |about: &str| {
        let findings = json["findings"].as_array().expect("findings");
        findings.iter().any(|one| one["about"] == about && one["verdict"] == "wrong" && one["fix"].is_string())
    };
    assert!(["firewall", "ports", "addresses", "path"].into_iter().all(wrong), "{json:#}");
}

fn doctor(lab: &Lab, node: &str, words: &[&str]) -> Output {
    let tool = product("fmc-lbctl");
    lab.machine(node).output(tool.to_str().expect("a path in words"), &[&["doctor"], words].concat())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.clone(), output.stderr.clone()].concat()).into_owned()
}

/// Of the first node in the LAN.
fn interface(lab: &Lab) -> String {
    let addresses = lab.machine(NODES[0]).output("ip", &["-4", "-o", "address"]).stdout;
    let addresses = String::from_utf8_lossy(&addresses).into_owned();
    let own = addresses.lines().find(|line| line.contains("192.168.0.30")).expect("its address");
    own.split_whitespace().nth(1).expect("an interface").to_owned()
}
