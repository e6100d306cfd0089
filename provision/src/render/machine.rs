//! A machine's own system: what every machine has, and what each of its roles adds. The first boot writes it.

pub mod k3s;
pub mod names;
pub mod postgresql;

mod balancer;
mod disks;
mod nfs;
mod time;

pub use balancer::ANSWERS;
pub(super) use disks::{device, partition};

use super::system::System;
use super::{Files, first_boot, vpn};
use crate::inventory::OsFamily;
use crate::lab::{Lab, Machine};

/// What a machine has and runs.
pub fn system(lab: &Lab, machine: &Machine) -> System {
    let mut system = System::default();
    if machine.image.first_boot == OsFamily::CloudInit {
        system.packages.push("qemu-guest-agent");
    }
    disks::add(machine, &mut system);
    time::add(lab, machine, &mut system);
    names::add(lab, machine, &mut system);
    nfs::add(lab, machine, &mut system);
    postgresql::add(lab, machine, &mut system);
    balancer::add(lab, machine, &mut system);
    k3s::add(lab, machine, &mut system);
    vpn::add(lab, machine.address(), &mut system);
    system
}

/// The file in the pool that a machine reads at its first start: its name and its bytes.
pub(crate) fn first_boot_file(lab: &Lab, machine: &Machine) -> (String, Vec<u8>) {
    first_boot::file(lab, machine, &system(lab, machine))
}

/// What its seed says of its network, if it has a seed.
pub(crate) fn first_boot_network(lab: &Lab, machine: &Machine) -> Option<String> {
    first_boot::network(lab, machine)
}

/// The files of its own that say so otherwise.
pub(crate) fn network_files(lab: &Lab, machine: &Machine) -> Vec<(String, String)> {
    first_boot::network_files(lab, machine)
}

pub(super) fn render(lab: &Lab, files: &mut Files) {
    for machine in &lab.machines {
        let system = system(lab, machine);
        files.system(&format!("machines/{}", machine.name), &system);
        first_boot::render(lab, machine, &system, files);
    }
}

/// Where programs go that are no part of the distribution: Flatcar's /usr is read-only.
fn programs(machine: &Machine) -> &'static str {
    match machine.image.first_boot {
        OsFamily::CloudInit => "/usr/local/bin",
        OsFamily::Ignition => "/opt/bin",
    }
}
