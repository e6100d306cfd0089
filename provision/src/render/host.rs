//! The hypervisor's own system.

pub mod firewall;

mod ddns;
mod network_manager;
mod sysctl;

use super::system::System;
use super::{Files, vpn};
use crate::lab::Lab;

/// What the hypervisor has and runs.
pub fn system(lab: &Lab) -> System {
    let mut system = System::default();
    network_manager::add(lab, &mut system);
    sysctl::add(&mut system);
    firewall::add(lab, &mut system);
    vpn::add(lab, lab.host_address, &mut system);
    ddns::add(lab, &mut system);
    system
}

pub(super) fn render(lab: &Lab, files: &mut Files) {
    files.system("host", &system(lab));
}
