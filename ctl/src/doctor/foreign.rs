//! Others that set the virtual addresses on this machine: NetworkManager, networkd, ifcfg, Keepalived, a person.

use std::fs;
use std::path::{Path, PathBuf};

use super::site::Site;
use super::{Findings, Message};
use crate::program;

/// Where addresses of interfaces are configured.
const PLACES: [&str; 7] = [
    "/etc/NetworkManager/system-connections",
    "/run/NetworkManager/system-connections",
    "/etc/sysconfig/network-scripts",
    "/etc/systemd/network",
    "/run/systemd/network",
    "/etc/network",
    "/etc/netplan",
];

pub(super) fn examine(site: &Site, found: &mut Findings) {
    let mut anybody = false;
    for vip in &site.config.vips {
        let address = vip.address.to_string();
        for file in PLACES.iter().flat_map(|place| naming(Path::new(place), &address)) {
            anybody = true;
            found.wrong("addresses", &Message::SetByFile(address.clone(), file.display().to_string()));
        }
        let stays = site.addresses.iter().find(|held| held.address == vip.address && held.forever && !held.is_ours);
        if let Some(held) = stays {
            anybody = true;
            found.wrong("addresses", &Message::SetForEver(address, held.interface.clone()));
        }
    }
    if let Some(pid) = program::text("pidof", &["-s", "keepalived"]) {
        anybody = true;
        found.note("addresses", &Message::Keepalived(pid.trim().to_owned()));
    }
    if !anybody {
        found.good("addresses", &Message::NobodyTouches());
    }
}

/// The files of a directory that name an address.
fn naming(directory: &Path, address: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    files.filter(|file| fs::read_to_string(file).is_ok_and(|text| names(&text, address))).collect()
}

/// In a line that is no comment, and not as the beginning of a longer address.
fn names(text: &str, address: &str) -> bool {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']));
    lines
        .flat_map(|line| line.split(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':'))
        .any(|word| word == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_whole_and_outside_of_comments() {
        for (text, names_it) in [
            ("[ipv4]\naddress1=192.168.0.32/24,192.168.0.1\n", true),
            ("IPADDR=192.168.0.32\n", true),
            ("# address1=192.168.0.32/24\n", false),
            ("Address=192.168.0.3/24\nGateway=192.168.0.1\n", false),
            ("Address=192.168.0.321/24\n", false),
        ] {
            assert_eq!(names(text, "192.168.0.32"), names_it, "{text}");
        }
    }
}
