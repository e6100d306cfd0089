//! The timer that has the names at Cloudflare follow the public address.

use crate::inventory::Cloudflare;
use crate::lab::Lab;
use crate::render::ini::Ini;
use crate::render::system::{System, Unit};

pub(super) fn add(lab: &Lab, system: &mut System) {
    let Some(cloudflare) = &lab.cloudflare else { return };
    let token = system.secret(&cloudflare.token, "Cloudflare: a token that may edit DNS of the zone");
    system.units.push(Unit {
        name: "fmc-lab-ddns.service".to_owned(),
        text: Some(service(cloudflare, &token)),
        enabled: false,
        purpose: "has the names at Cloudflare follow the public address, once".to_owned(),
    });
    system.unit("fmc-lab-ddns.timer", "the same, again and again", timer(cloudflare));
}

/// No user of its own, no right of any: it reads one file and asks one server.
fn service(cloudflare: &Cloudflare, token: &str) -> String {
    let ini = Ini::new().section("Unit").key("Description", "Names at Cloudflare follow the public address");
    let ini = ini.key("Wants", "network-online.target").key("After", "network-online.target").section("Service");
    let ini = ini.key("Type", "oneshot").key("DynamicUser", "yes");
    let ini = ini.key("LoadCredential", format!("{}:{token}", cloudflare.token.file()));
    let ini = ini.key("ExecStart", "/usr/bin/fmc-lbctl lab ddns /etc/fmc-lab/inventory.toml");
    let hardened =
        ["ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "NoNewPrivileges=yes", "CapabilityBoundingSet="];
    hardened.iter().filter_map(|line| line.split_once('=')).fold(ini, |ini, (key, value)| ini.key(key, value)).text()
}

fn timer(cloudflare: &Cloudflare) -> String {
    let every = format!("{}s", cloudflare.interval.0.as_secs());
    let ini = Ini::new().section("Unit").key("Description", "Names at Cloudflare follow the public address");
    let ini =
        ini.section("Timer").key("OnBootSec", "1min").key("OnUnitActiveSec", every).key("RandomizedDelaySec", "15s");
    ini.section("Install").key("WantedBy", "timers.target").text()
}
