//! What an operator reads when the keeper does not start.

use std::os::unix::process::CommandExt;
use std::process::Command;

use fmc_config::model::vip::VirtualRouterId;

use crate::child;
use crate::keeper::{refusal, settings};
use crate::lab::{Scratch, pair};

#[test]
fn an_absent_interface_is_named() {
    let [one, _two] = pair();
    let mut wrong = settings(0);
    wrong.vips[0].interface = Some("eth7".parse().unwrap());
    let sentence = one.enter(|| refusal(wrong, Scratch::new().path()));
    assert_eq!(sentence, "interface eth7 does not exist; `ip link` lists those that do");
}

#[test]
fn a_node_without_its_own_address_is_told_so() {
    let [one, _two] = pair();
    let sentence = one.enter(|| refusal(settings(1), Scratch::new().path()));
    assert_eq!(sentence, "no interface holds 192.168.0.31; add it to one, or name this node's own address in [nodes]");
}

#[test]
fn an_interface_without_an_address_of_its_own_is_refused() {
    let [one, _two] = pair();
    one.ip("link add bare type veth peer name other");
    let mut wrong = settings(0);
    wrong.vips[1].interface = Some("bare".parse().unwrap());
    let sentence = one.enter(|| refusal(wrong, Scratch::new().path()));
    assert_eq!(sentence, "bare has no IPv4 address of its own for adverts to come from; add one");
}

#[test]
fn two_addresses_with_one_virtual_router_id_are_refused() {
    let [one, _two] = pair();
    let mut wrong = settings(0);
    wrong.vips[1].virtual_router_id = VirtualRouterId::new(32).unwrap();
    let sentence = one.enter(|| refusal(wrong, Scratch::new().path()));
    assert_eq!(sentence, "VIPs api and web both use virtual_router_id 32 on eth0; give one of them another");
}

#[test]
fn a_second_keeper_finds_the_heartbeat_port_taken() {
    let [one, _two] = pair();
    let first = Scratch::new();
    let keeper = one.enter(|| fmc_vrrp::driver::Keeper::start(settings(0), first.path()).unwrap());
    let sentence = one.enter(|| refusal(settings(0), Scratch::new().path()));
    let expected =
        "UDP 192.168.0.30:1112 is in use: another fmc-lb runs on this node, or `[pair] port` must change on every node";
    assert_eq!(sentence, expected);
    drop(keeper);
}

#[test]
fn a_runtime_directory_that_is_not_there_is_named() {
    let [one, _two] = pair();
    let sentence = one.enter(|| {
        let scratch = Scratch::new();
        std::fs::write(scratch.path().join("addresses"), [0xff]).unwrap();
        refusal(settings(0), scratch.path())
    });
    assert!(sentence.starts_with("the record of our addresses in "), "{sentence}");
}

#[test]
fn a_missing_capability_is_named() {
    let [one, _two] = pair();
    let scratch = Scratch::new();
    let (program, arguments) = child::of_this_test();
    // Within the namespace, but as nobody: exec without root drops every capability.
    let output = one.enter(|| {
        let mut command = Command::new(program);
        command.args(arguments).env(child::NODE, "0").env(child::RUNTIME_DIR, scratch.path());
        command.uid(65534).gid(65534).output().unwrap()
    });
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let expected = "opening a raw socket on eth0: not permitted (EPERM); the keeper needs CAP_NET_RAW";
    assert!(said.contains(expected), "{said} {}", String::from_utf8_lossy(&output.stderr));
}
