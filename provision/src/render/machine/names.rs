//! CoreDNS on the machines with the role `dns`: the lab's zones, forward and reverse, and everybody else's names by forwarding.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::Ipv4Addr;

use uuid::Uuid;

use super::programs;
use crate::inventory::scalar::Domain;
use crate::inventory::{Dns, Role};
use crate::lab::{Client, Lab, Machine};
use crate::render::RENDERED;
use crate::render::ini::Ini;
use crate::render::system::{Content, File, System};

const DIRECTORY: &str = "/etc/coredns";
const ARCHIVE: &str = "/opt/fmc-lab/coredns.tgz";

/// A zone: its name without the dot at its end, and its file.
pub struct Zone {
    /// `cefaslocalserver.com`, `3.17.10.in-addr.arpa`.
    pub name: String,
    /// In the form of RFC 1035 §5.
    pub text: String,
}

pub(super) fn add(lab: &Lab, machine: &Machine, system: &mut System) {
    let Some(dns) = lab.dns.as_ref().filter(|_| machine.is(Role::Dns)) else { return };
    let zones = zones(lab);
    for zone in &zones {
        let path = format!("{DIRECTORY}/db.{}", zone.name);
        system.file(path, 0o644, format!("zone {}", zone.name), zone.text.clone());
    }
    let public = public_only(lab);
    system.file(format!("{DIRECTORY}/Corefile"), 0o644, "CoreDNS", corefile(dns, &zones, &public));
    system.files.push(File {
        path: ARCHIVE.to_owned(),
        mode: 0o644,
        purpose: "the program".to_owned(),
        content: Content::Download {
            url: format!(
                "https://github.com/coredns/coredns/releases/download/v{0}/coredns_{0}_linux_amd64.tgz",
                dns.version
            ),
            sha256: dns.checksum.digits().to_owned(),
        },
    });
    system.unit("coredns.service", "CoreDNS", unit(programs(machine)));
}

fn unit(programs: &str) -> String {
    let ini = Ini::new().section("Unit").key("Description", "CoreDNS: the lab's names");
    let ini = ini.key("Wants", "network-online.target").key("After", "network-online.target");
    let ini = ini.section("Service").key("DynamicUser", "yes");
    let ini = ini
        .key("ExecStartPre", format!("+/usr/bin/tar --extract --gzip --file {ARCHIVE} --directory {programs} coredns"));
    let ini = ini.key("ExecStart", format!("{programs}/coredns -conf {DIRECTORY}/Corefile"));
    let ini = ini.key("ExecReload", "/bin/kill -USR1 $MAINPID");
    let ini =
        ini.key("AmbientCapabilities", "CAP_NET_BIND_SERVICE").key("CapabilityBoundingSet", "CAP_NET_BIND_SERVICE");
    let ini = ini.key("Restart", "always").key("RestartSec", "1s");
    ini.section("Install").key("WantedBy", "multi-user.target").text()
}

/// Names of ours that only the Internet knows the address of: asked of it, although their zone is answered here.
fn public_only(lab: &Lab) -> Vec<Domain> {
    let known: BTreeSet<_> = hosts(lab).into_iter().map(|(label, _)| full_name(&label, &lab.site.domain)).collect();
    let names = lab.cloudflare.iter().flat_map(|cloudflare| cloudflare.names.keys());
    names.filter(|name| !known.contains(name.as_str())).cloned().collect()
}

fn full_name(label: &str, domain: &Domain) -> String {
    if label == "@" { domain.to_string() } else { format!("{label}.{domain}") }
}

fn corefile(dns: &Dns, zones: &[Zone], public: &[Domain]) -> String {
    let forwarders: Vec<_> = dns.forwarders.iter().map(ToString::to_string).collect();
    let forward = format!("    forward . {}\n    cache\n    errors\n", forwarders.join(" "));
    let mut text = format!("{RENDERED}\n");
    for zone in zones {
        write!(text, "\n{0} {{\n    file {DIRECTORY}/db.{0}\n    errors\n}}\n", zone.name).expect("a text grows");
    }
    // The longest name decides, so these are asked outside although their zone stands above.
    for name in public.iter().map(Domain::as_str).chain(["."]) {
        write!(text, "\n{name} {{\n{forward}}}\n").expect("a text grows");
    }
    text
}

/// The lab's zones: its domain, the aliases of it, and one for each /24 that an address is in.
pub fn zones(lab: &Lab) -> Vec<Zone> {
    let Some(server) = lab.with_role(Role::Dns).next() else { return Vec::new() };
    let aliases = lab.dns.iter().flat_map(|dns| &dns.aliases);
    let mut zones: Vec<_> =
        std::iter::once(&lab.site.domain).chain(aliases).map(|domain| forward(lab, server, domain)).collect();
    zones.extend(reverse(lab, server));
    zones
}

/// Each label of the domain with its address: machines, the hypervisor, devices, and what `[dns.names]` and virtual addresses say.
fn hosts(lab: &Lab) -> Vec<(String, Ipv4Addr)> {
    let mut hosts: BTreeMap<String, Ipv4Addr> = BTreeMap::new();
    hosts.extend(lab.vips.iter().map(|vip| (vip.name.to_string(), vip.address)));
    hosts.extend(lab.devices.iter().map(|(name, address)| (name.to_string(), *address)));
    hosts.extend(lab.machines.iter().map(|machine| (machine.name.to_string(), machine.address())));
    hosts.insert(lab.host.name.to_string(), lab.host_address);
    for (name, target) in lab.dns.iter().flat_map(|dns| &dns.names) {
        let address = lab.vip(target).map(|vip| vip.address).or_else(|| lab.machine(target).map(Machine::address));
        hosts.extend(address.map(|address| (name.to_string(), address)));
    }
    // The domain itself is the web's, when Cloudflare has it and one address is open to the Internet.
    let apex = lab.cloudflare.iter().any(|cloudflare| cloudflare.names.contains_key(&lab.site.domain));
    let mut open = lab.vips.iter().filter(|vip| vip.expose.contains(&Client::Internet));
    if let (true, Some(vip), None) = (apex, open.next(), open.next()) {
        hosts.insert("@".to_owned(), vip.address);
    }
    hosts.into_iter().collect()
}

/// Each name of the lab's domain, in full and without the dot at its end, with its address.
pub fn hosts_in_full(lab: &Lab) -> Vec<(String, Ipv4Addr)> {
    hosts(lab).into_iter().map(|(label, address)| (full_name(&label, &lab.site.domain), address)).collect()
}

/// Each address of the lab with the one name that it has.
pub fn addresses(lab: &Lab) -> BTreeMap<Ipv4Addr, String> {
    // One name for each address: its owner's own before what else leads to it.
    let (own, other): (Vec<_>, Vec<_>) = hosts(lab).into_iter().partition(|(label, _)| is_owner(lab, label));
    let mut addresses = BTreeMap::new();
    for (label, address) in own.into_iter().chain(other).filter(|(label, _)| label != "@") {
        addresses.entry(address).or_insert_with(|| full_name(&label, &lab.site.domain));
    }
    addresses
}

fn forward(lab: &Lab, server: &Machine, domain: &Domain) -> Zone {
    let records =
        hosts(lab).into_iter().map(|(label, address)| format!("{label} IN A {address}\n")).collect::<String>();
    zone(domain.to_string(), &format!("{}.{domain}", server.name), &records)
}

fn reverse(lab: &Lab, server: &Machine) -> Vec<Zone> {
    let mut zones: BTreeMap<[u8; 3], BTreeMap<u8, String>> = BTreeMap::new();
    for (address, name) in addresses(lab) {
        let [a, b, c, d] = address.octets();
        zones.entry([a, b, c]).or_default().insert(d, name);
    }
    let domain = &lab.site.domain;
    let one = |([a, b, c], names): ([u8; 3], BTreeMap<u8, String>)| {
        let records = names.into_iter().map(|(d, name)| format!("{d} IN PTR {name}.\n")).collect::<String>();
        zone(format!("{c}.{b}.{a}.in-addr.arpa"), &format!("{}.{domain}", server.name), &records)
    };
    zones.into_iter().map(one).collect()
}

fn is_owner(lab: &Lab, label: &str) -> bool {
    let machines = lab.machines.iter().map(|machine| &machine.name);
    let names = machines.chain(lab.vips.iter().map(|vip| &vip.name)).chain(lab.devices.iter().map(|(name, _)| name));
    names.chain([&lab.host.name]).any(|name| name.as_str() == label)
}

/// The serial number is made of what the zone says: another one makes CoreDNS read it again, and the same zone has the same one. There is no
/// secondary server that would ask whether it grew (RFC 1982).
fn zone(name: String, server: &str, records: &str) -> Zone {
    let digest = Uuid::new_v5(&Uuid::NAMESPACE_DNS, format!("{name}\n{server}\n{records}").as_bytes()).into_bytes();
    let serial = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let header =
        format!("$TTL 3600\n@ IN SOA {server}. hostmaster.{server}. {serial} 3600 600 604800 300\n@ IN NS {server}.\n");
    Zone { text: format!("; {}\n{header}{records}", RENDERED.trim_start_matches("# ")), name }
}
