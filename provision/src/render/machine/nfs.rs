//! NFS version 4: one port, each directory for those that are named, and root of a client is nobody.

use crate::inventory::{Export, OsFamily};
use crate::lab::{Lab, Machine};
use crate::render::RENDERED;
use crate::render::first_boot::escape;
use crate::render::ini::Ini;
use crate::render::system::System;

pub(super) fn add(lab: &Lab, machine: &Machine, system: &mut System) {
    let exports: Vec<_> = lab.exports.iter().filter(|export| export.machine == machine.name).collect();
    if !exports.is_empty() {
        let text = exports.iter().map(|export| line(lab, export)).collect::<String>();
        let text = format!("{RENDERED}\n\n{text}");
        system.file("/etc/exports.d/fmc-lab.exports", 0o644, "who may mount what", text);
        let version = Ini::new().section("nfsd").key("vers3", "n").text();
        system.file("/etc/nfs.conf.d/fmc-lab.conf", 0o644, "version 4 only: port 2049 and no other", version);
        // Whoever may mount a directory may make files in it, and touch his own only.
        let writable = exports.iter().map(|export| format!("d {} 1777 root root\n", export.path)).collect::<String>();
        let writable = format!("{RENDERED}\n\n{writable}");
        system.file("/etc/tmpfiles.d/fmc-lab-exports.conf", 0o644, "the exported directories", writable);
        system.enable("nfs-server.service");
    }
    let mounts = lab.exports.iter().filter(|export| lab.named_directly(machine, &export.clients));
    let mounts: Vec<_> = mounts.filter_map(|export| Some((export, export.mount.as_ref()?.as_str()))).collect();
    for (export, path) in &mounts {
        let Some(server) = lab.machine(&export.machine) else { continue };
        let purpose = format!("mounts {} of {}", export.path, server.name);
        system.unit(format!("{}.mount", escape(path)), purpose, mount(server, export, path));
    }
    if machine.image.first_boot == OsFamily::CloudInit && !(exports.is_empty() && mounts.is_empty()) {
        system.packages.push("nfs-utils");
    }
}

/// exports(5). No blank before a parenthesis: with one, the options would be those of everybody.
fn line(lab: &Lab, export: &Export) -> String {
    let access = if export.read_only { "ro" } else { "rw" };
    let client = |client: &ipnet::Ipv4Net| format!(" {}({access},sync,no_subtree_check,root_squash)", client.addr());
    let clients: String = lab.addresses_of(&export.clients).iter().map(client).collect();
    format!("{}{clients}\n", export.path)
}

fn mount(server: &Machine, export: &Export, path: &str) -> String {
    let ini = Ini::new().section("Unit").key("Description", format!("{} of {}", export.path, server.name));
    let ini = ini.key("Wants", "network-online.target").key("After", "network-online.target");
    let ini = ini.section("Mount").key("What", format!("{}:{}", server.address(), export.path)).key("Where", path);
    // A server that is away makes its clients wait; `soft` would lose what they wrote.
    let ini = ini.key("Type", "nfs4").key("Options", "vers=4.2,hard,noatime,_netdev");
    ini.section("Install").key("WantedBy", "remote-fs.target").text()
}
