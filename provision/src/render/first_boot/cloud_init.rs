//! cloud-init: user-data, meta-data and network-config.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lab::{Lab, Machine, Nic};
use crate::render::system::{Content, System};
use crate::render::yaml;

/// <https://docs.cloud-init.io/en/latest/reference/modules.html>
#[derive(Serialize)]
struct UserData {
    hostname: String,
    fqdn: String,
    preserve_hostname: bool,
    timezone: String,
    ssh_pwauth: bool,
    /// Another instance on the same disk is the same machine to those who know its keys.
    ssh_deletekeys: bool,
    disable_root: bool,
    users: [User; 1],
    package_update: bool,
    packages: Vec<&'static str>,
    write_files: Vec<File>,
    runcmd: Vec<String>,
}

#[derive(Serialize)]
struct User {
    name: String,
    groups: [&'static str; 1],
    /// A list is refused by versions before 23.
    sudo: &'static str,
    shell: &'static str,
    lock_passwd: bool,
    ssh_authorized_keys: Vec<String>,
}

#[derive(Serialize)]
struct File {
    path: String,
    permissions: String,
    owner: &'static str,
    content: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct MetaData {
    instance_id: String,
    local_hostname: String,
}

/// <https://docs.cloud-init.io/en/latest/reference/network-config-format-v2.html>
#[derive(Serialize)]
struct NetworkConfig {
    version: u8,
    ethernets: BTreeMap<String, Ethernet>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Ethernet {
    r#match: Match,
    set_name: String,
    addresses: [String; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    routes: Vec<Route>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nameservers: Option<NameServers>,
}

#[derive(Serialize)]
struct Match {
    macaddress: String,
}

#[derive(Serialize)]
struct Route {
    to: String,
    via: String,
}

#[derive(Serialize)]
struct NameServers {
    addresses: Vec<String>,
    search: [String; 1],
}

/// The three files by their names.
pub(super) fn seed(lab: &Lab, machine: &Machine, system: &System) -> [(&'static str, String); 3] {
    let network = network(lab, machine);
    // cloud-init configures the network once an instance: another network is another instance, and the next start configures it.
    let identity = lab.uuid("instance", &format!("{}\n{network}", machine.name)).to_string();
    let meta = MetaData { instance_id: identity, local_hostname: machine.name.to_string() };
    [
        ("user-data", format!("#cloud-config\n{}", yaml(&user_data(lab, machine, system)))),
        ("meta-data", yaml(&meta)),
        ("network-config", network),
    ]
}

/// The file network-config.
pub(super) fn network(lab: &Lab, machine: &Machine) -> String {
    yaml(&network_config(lab, machine))
}

fn user_data(lab: &Lab, machine: &Machine, system: &System) -> UserData {
    let files = system.texts().zip(modes(system));
    let file = |((path, text, _), mode): ((String, &str, &str), u32)| File {
        path,
        permissions: format!("{mode:04o}"),
        owner: "root:root",
        content: text.to_owned(),
    };
    UserData {
        hostname: machine.name.to_string(),
        fqdn: format!("{}.{}", machine.name, lab.site.domain),
        preserve_hostname: false,
        timezone: lab.site.timezone.clone(),
        ssh_pwauth: false,
        ssh_deletekeys: false,
        disable_root: true,
        users: [User {
            name: lab.site.user.to_string(),
            groups: ["wheel"],
            sudo: "ALL=(ALL) NOPASSWD:ALL",
            shell: "/bin/bash",
            lock_passwd: true,
            ssh_authorized_keys: lab.site.ssh_keys.clone(),
        }],
        package_update: false,
        packages: system.packages.clone(),
        write_files: files.map(file).collect(),
        runcmd: commands(system),
    }
}

/// Of each text, in the same order.
fn modes(system: &System) -> impl Iterator<Item = u32> {
    let texts = system.files.iter().filter(|file| matches!(file.content, Content::Text(_))).map(|file| file.mode);
    texts.chain(system.units.iter().filter(|unit| unit.text.is_some()).map(|_| 0o644))
}

/// Downloads first, then what roles need once, then every unit.
fn commands(system: &System) -> Vec<String> {
    let downloads = system.files.iter().filter_map(|file| match &file.content {
        Content::Text(_) => None,
        Content::Download { url, sha256 } => Some(download(&file.path, file.mode, url, sha256)),
    });
    let prepare = [format!("install -d -m 700 {}", crate::render::system::SECRETS)];
    let enabled: Vec<_> =
        system.units.iter().filter(|unit| unit.enabled).map(|unit| format!("'{}'", unit.name)).collect();
    let start = [
        "systemd-tmpfiles --create".to_owned(),
        "sysctl --quiet --system".to_owned(),
        "systemctl daemon-reload".to_owned(),
        format!("systemctl enable --now {}", enabled.join(" ")),
    ];
    let start = start.into_iter().filter(|_| !enabled.is_empty());
    prepare.into_iter().chain(downloads).chain(system.commands.clone()).chain(start).collect()
}

/// What has another checksum is not left there.
fn download(path: &str, mode: u32, url: &str, sha256: &str) -> String {
    let fetch =
        format!("curl --fail --silent --show-error --location --retry 5 --create-dirs --output {path}.new {url}");
    let check = format!("echo '{sha256}  {path}.new' | sha256sum --check --quiet");
    format!("{fetch} && {check} && install -D -m {mode:o} {path}.new {path}; rm -f {path}.new")
}

fn network_config(lab: &Lab, machine: &Machine) -> NetworkConfig {
    let nics = machine.nics.iter().enumerate();
    NetworkConfig {
        version: 2,
        ethernets: nics.map(|(at, nic)| (format!("eth{at}"), ethernet(lab, machine, at, nic))).collect(),
    }
}

fn ethernet(lab: &Lab, machine: &Machine, at: usize, nic: &Nic) -> Ethernet {
    let length = lab.network(&nic.network).map_or(32, |network| network.prefix.prefix_len());
    // "default" stops cloud-init 22.4, so the prefix is written out.
    let route = |route: crate::lab::Route| Route { to: route.to.to_string(), via: route.via.to_string() };
    let first = at == 0;
    let routes = if first { lab.routes(machine).into_iter().map(route).collect() } else { Vec::new() };
    let addresses: Vec<_> = lab.resolvers().iter().map(ToString::to_string).collect();
    let nameservers = NameServers { addresses, search: [lab.site.domain.to_string()] };
    Ethernet {
        r#match: Match { macaddress: nic.mac.clone() },
        set_name: format!("eth{at}"),
        addresses: [format!("{}/{length}", nic.address)],
        routes,
        nameservers: (first && !nameservers.addresses.is_empty()).then_some(nameservers),
    }
}
