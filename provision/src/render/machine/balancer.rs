//! A balancer: its configuration. The program and its unit come with its package.

use crate::inventory::{NetworkKind, Role};
use crate::lab::{Lab, Machine};
use crate::render::RENDERED;
use crate::render::balancer::toml;
use crate::render::ini::Ini;
use crate::render::system::System;

pub(super) fn add(lab: &Lab, machine: &Machine, system: &mut System) {
    if !machine.is(Role::Balancer) || lab.vips.is_empty() {
        return;
    }
    system.file("/etc/fmc-lb/fmc-lb.toml", 0o644, "the balancer's configuration", toml(lab));
    if machine.nics.len() > 1 {
        // A client comes in where the address is and is answered by the default route: a strict filter would drop it (RFC 3704 §2.3).
        let text = format!("{RENDERED}\n\nnet.ipv4.conf.all.rp_filter = 2\n");
        system.file("/etc/sysctl.d/60-fmc-lab.conf", 0o644, "two ways to one client", text);
        system.unit(ANSWERS, "answers leave by the network that they were asked on", answers(lab, machine));
    }
}

/// The unit of a machine with several NICs.
pub const ANSWERS: &str = "fmc-lab-answers.service";

/// Whoever called an address of the second network is answered there too: by the default route the answer would come to the hypervisor from
/// where that address is not, and it, or a connection that it saw one half of, would be dropped. ip-rule(8).
fn answers(lab: &Lab, machine: &Machine) -> String {
    let ini = Ini::new().section("Unit").key("Description", "Answers leave by the network that they were asked on");
    let ini =
        ini.key("Wants", "network-online.target").key("After", "network-online.target").key("Before", "fmc-lb.service");
    let mut ini = ini.section("Service").key("Type", "oneshot").key("RemainAfterExit", "yes");
    for (at, nic) in machine.nics.iter().enumerate().skip(1) {
        let Some(network) = lab.network(&nic.network).filter(|network| network.kind != NetworkKind::Isolated) else {
            continue;
        };
        let (prefix, gateway, table) = (network.prefix, network.gateway, FIRST_TABLE + at);
        ini = ini.key("ExecStartPre", format!("-/usr/sbin/ip rule delete from {prefix} table {table}"));
        ini = ini.key("ExecStart", format!("/usr/sbin/ip rule add from {prefix} table {table}"));
        ini = ini.key("ExecStart", format!("/usr/sbin/ip route replace {prefix} dev eth{at} table {table}"));
        ini =
            ini.key("ExecStart", format!("/usr/sbin/ip route replace default via {gateway} dev eth{at} table {table}"));
    }
    ini.section("Install").key("WantedBy", "multi-user.target").text()
}

/// Tables of routes below are free for anybody, and 100 is nobody's in particular.
const FIRST_TABLE: usize = 100;
