//! What a machine reads at its first start: cloud-init's seed, or an Ignition configuration.

mod cloud_init;
mod ignition;
mod seed;

use super::Files;
use super::system::System;
use crate::inventory::OsFamily;
use crate::lab::{Lab, Machine};

pub(super) fn render(lab: &Lab, machine: &Machine, system: &System, files: &mut Files) {
    let path = |name: &str| format!("machines/{}/{name}", machine.name);
    match machine.image.first_boot {
        OsFamily::CloudInit => {
            let seed = cloud_init::seed(lab, machine, system);
            let image = seed::image(&seed);
            for (name, text) in seed {
                files.add(path(name), "cloud-init", text);
            }
            files.add(path("seed.img"), "cloud-init's three files as a file system (NoCloud)", image);
        }
        OsFamily::Ignition => {
            files.add(path("config.ign"), "Ignition 3.3.0", ignition::json(lab, machine, system));
        }
    }
}

/// The file in the pool that a machine reads at its first start: its name and its bytes.
pub(super) fn file(lab: &Lab, machine: &Machine, system: &System) -> (String, Vec<u8>) {
    let bytes = match machine.image.first_boot {
        OsFamily::CloudInit => seed::image(&cloud_init::seed(lab, machine, system)),
        OsFamily::Ignition => ignition::json(lab, machine, system).into_bytes(),
    };
    (super::libvirt::first_boot(machine), bytes)
}

/// What the seed says of the network; Ignition writes files that are the machine's own.
pub(super) fn network(lab: &Lab, machine: &Machine) -> Option<String> {
    (machine.image.first_boot == OsFamily::CloudInit).then(|| cloud_init::network(lab, machine))
}

/// The files of systemd-networkd that Ignition writes.
pub(super) fn network_files(lab: &Lab, machine: &Machine) -> Vec<(String, String)> {
    match machine.image.first_boot {
        OsFamily::CloudInit => Vec::new(),
        OsFamily::Ignition => ignition::network_files(lab, machine),
    }
}

/// The name of a unit for a path, as `systemd-escape --path` has it (systemd.unit(5), "String Escaping for Inclusion in Unit Names").
pub(in crate::render) fn escape(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'.');
    let one = |(at, byte): (usize, u8)| match byte {
        b'/' => "-".to_owned(),
        b'.' if at == 0 => "\\x2e".to_owned(),
        byte if plain(byte) => char::from(byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    };
    path.trim_matches('/').bytes().enumerate().map(one).collect()
}
