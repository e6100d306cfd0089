//! Time: chrony on machines with packages, timesyncd on Flatcar. The lab asks the Internet once, by its own server.

use std::net::Ipv4Addr;

use crate::inventory::{Ntp, OsFamily, Role};
use crate::lab::{Lab, Machine};
use crate::render::RENDERED;
use crate::render::ini::Ini;
use crate::render::system::System;

pub(super) fn add(lab: &Lab, machine: &Machine, system: &mut System) {
    let Some(ntp) = &lab.ntp else { return };
    let servers: Vec<_> = lab.with_role(Role::Ntp).map(Machine::address).collect();
    match machine.image.first_boot {
        OsFamily::CloudInit => {
            system.packages.push("chrony");
            system.enable("chronyd.service");
            system.file("/etc/chrony.conf", 0o644, "time", chrony(lab, machine, ntp, &servers));
        }
        OsFamily::Ignition => {
            let text = timesyncd(ntp, &servers);
            system.file("/etc/systemd/timesyncd.conf.d/fmc-lab.conf", 0o644, "time", text);
        }
    }
}

fn chrony(lab: &Lab, machine: &Machine, ntp: &Ntp, servers: &[Ipv4Addr]) -> String {
    let serves = machine.is(Role::Ntp);
    let sources: String = if serves || servers.is_empty() {
        ntp.pools.iter().map(|pool| format!("pool {pool} iburst\n")).collect()
    } else {
        servers.iter().map(|address| format!("server {address} iburst\n")).collect()
    };
    let allow: String = match serves {
        true => lab.networks.iter().map(|network| format!("allow {}\n", network.prefix)).collect(),
        false => String::new(),
    };
    // Without the Internet the lab still agrees with itself.
    let local = if serves { "local stratum 10\n" } else { "" };
    format!("{RENDERED}\n\n{sources}{allow}{local}driftfile /var/lib/chrony/drift\nmakestep 1.0 3\nrtcsync\n")
}

fn timesyncd(ntp: &Ntp, servers: &[Ipv4Addr]) -> String {
    let ini = Ini::new().section("Time");
    match servers {
        [] => ini.key("NTP", ntp.pools.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
        own => ini.key("NTP", own.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(" ")),
    }
    .text()
}
