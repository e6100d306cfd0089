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
