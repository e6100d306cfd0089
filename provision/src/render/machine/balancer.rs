//! A balancer: its configuration. The program and its unit come with its package.

use crate::inventory::Role;
use crate::lab::{Lab, Machine};
use crate::render::RENDERED;
use crate::render::balancer::toml;
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
    }
}
