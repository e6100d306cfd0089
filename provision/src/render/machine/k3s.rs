//! K3s: the configuration of each node, its unit, and the kubeconfig of the virtual address.

use serde::Serialize;

use super::programs;
use crate::inventory::{Join, K3s, Role};
use crate::lab::{Lab, Machine};
use crate::render::ini::Ini;
use crate::render::system::{Content, File, System, secret_path};
use crate::render::{Files, yaml};

/// Nodes that the balancers send the Web to.
pub(in crate::render) const INGRESS_LABEL: &str = "fmc-lab/ingress";

/// `/etc/rancher/k3s/config.yaml`, <https://docs.k3s.io/installation/configuration>.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Configuration {
    node_name: String,
    node_ip: String,
    token_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node_label: Vec<String>,
    #[serde(flatten)]
    of_server: Option<OfServer>,
}

/// What all servers must agree on.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct OfServer {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_init: Option<bool>,
    tls_san: Vec<String>,
    cluster_cidr: String,
    service_cidr: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disable: Vec<String>,
    write_kubeconfig_mode: &'static str,
}

pub(super) fn add(lab: &Lab, machine: &Machine, system: &mut System) {
    let Some(k3s) = lab.k3s.as_ref().filter(|_| machine.is_node()) else { return };
    let token = system.secret(&k3s.token, "K3s: what every node shows to join (openssl rand -hex 32)");
    let config = yaml(&configuration(lab, k3s, machine, &token));
    system.file("/etc/rancher/k3s/config.yaml", 0o600, "the node's part in the cluster", config);
    let program = format!("{}/k3s", programs(machine));
    // The release's name has a `+`, which is written otherwise in a URL.
    let release = k3s.version.replace('+', "%2B");
    system.files.push(File {
        path: program.clone(),
        mode: 0o755,
        purpose: "the program".to_owned(),
        content: Content::Download {
            url: format!("https://github.com/k3s-io/k3s/releases/download/{release}/k3s"),
            sha256: k3s.checksum.digits().to_owned(),
        },
    });
    system.unit("k3s.service", "K3s", unit(k3s, machine, &program));
}

fn configuration(lab: &Lab, k3s: &K3s, machine: &Machine, token: &str) -> Configuration {
    let first = machine.name == k3s.bootstrap;
    let server = machine.is(Role::Server);
    let longhorn = machine.data_disks.iter().flat_map(|disk| &disk.volumes).any(|volume| volume.longhorn);
    let labels = [
        (longhorn, "node.longhorn.io/create-default-disk=config".to_owned()),
        (machine.is(Role::Ingress), format!("{INGRESS_LABEL}=true")),
    ];
    Configuration {
        node_name: machine.name.to_string(),
        node_ip: machine.address().to_string(),
        token_file: token.to_owned(),
        server: (!first).then(|| format!("https://{}:6443", joins(lab, k3s, server))),
        node_label: labels.into_iter().filter(|(is, _)| *is).map(|(_, label)| label).collect(),
        of_server: server.then(|| OfServer {
            cluster_init: first.then_some(true),
            tls_san: names_of_api(lab, k3s),
            cluster_cidr: k3s.pods.to_string(),
            service_cidr: k3s.services.to_string(),
            disable: k3s.disable.iter().map(ToString::to_string).collect(),
            write_kubeconfig_mode: "0600",
        }),
    }
}

/// Servers join at the first one, unless the virtual address is held by then; agents join at the virtual address.
fn joins(lab: &Lab, k3s: &K3s, server: bool) -> String {
    let bootstrap = lab.machine(&k3s.bootstrap).map(Machine::address).filter(|_| server && k3s.join == Join::Bootstrap);
    let api = lab.vip(&k3s.api).map(|vip| vip.address);
    bootstrap.or(api).map(|address| address.to_string()).unwrap_or_default()
}

/// What the API's certificate is good for, from the first start: the virtual address and every name that leads to it.
fn names_of_api(lab: &Lab, k3s: &K3s) -> Vec<String> {
    let address = lab.vip(&k3s.api).map(|vip| vip.address.to_string());
    let names = lab.dns.iter().flat_map(|dns| &dns.names).filter(|(_, target)| **target == k3s.api);
    let mut labels: Vec<_> = names.map(|(name, _)| name).collect();
    labels.push(&k3s.api);
    let domains = || std::iter::once(&lab.site.domain).chain(lab.dns.iter().flat_map(|dns| &dns.aliases));
    let names = labels.into_iter().flat_map(|label| domains().map(move |domain| format!("{label}.{domain}")));
    address.into_iter().chain(names).collect()
}

fn unit(k3s: &K3s, machine: &Machine, program: &str) -> String {
    let (role, kind) = if machine.is(Role::Server) { ("server", "notify") } else { ("agent", "exec") };
    let volumes: Vec<_> =
        machine.data_disks.iter().flat_map(|disk| &disk.volumes).map(|volume| volume.path.to_string()).collect();
    let ini = Ini::new().section("Unit").key("Description", format!("K3s {role}"));
    let ini = ini.key("Wants", "network-online.target").key("After", "network-online.target time-sync.target");
    let ini = ini.each("RequiresMountsFor", (!volumes.is_empty()).then(|| volumes.join(" ")));
    // Until its token is there it waits, and is no failure.
    let ini = ini.key("ConditionPathExists", secret_path(&k3s.token));
    let ini = ini.section("Service").key("Type", kind).key("KillMode", "process").key("Delegate", "yes");
    let ini = ini.each("ExecStartPre", ["-/sbin/modprobe br_netfilter", "-/sbin/modprobe overlay"]);
    let ini = ini.key("ExecStart", format!("{program} {role}"));
    let ini = ini.key("LimitNOFILE", 1_048_576).key("LimitNPROC", "infinity").key("LimitCORE", "infinity");
    let ini =
        ini.key("TasksMax", "infinity").key("TimeoutStartSec", 0).key("Restart", "always").key("RestartSec", "5s");
    ini.section("Install").key("WantedBy", "multi-user.target").text()
}

/// A kubeconfig, <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Kubeconfig {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    clusters: [NamedCluster; 1],
    users: [NamedUser; 1],
    contexts: [NamedContext; 1],
    current_context: &'static str,
}

#[derive(Serialize)]
struct NamedCluster {
    name: &'static str,
    cluster: Cluster,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    certificate_authority: &'static str,
    server: String,
}

#[derive(Serialize)]
struct NamedUser {
    name: &'static str,
    user: User,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate: &'static str,
    client_key: &'static str,
}

#[derive(Serialize)]
struct NamedContext {
    name: &'static str,
    context: Context,
}

#[derive(Serialize)]
struct Context {
    cluster: &'static str,
    user: &'static str,
}

/// What concerns the cluster and no single machine.
pub(in crate::render) fn render(lab: &Lab, files: &mut Files) {
    let Some(k3s) = &lab.k3s else { return };
    if let Some(vip) = lab.vip(&k3s.api) {
        let port = vip.services.iter().flat_map(|service| &service.ports).find(|(_, server)| *server == 6443);
        let server = format!("https://{}:{}", vip.address, port.map_or(6443, |(port, _)| *port));
        files.add("k3s/kubeconfig", "the cluster by its virtual address, with its CA", yaml(&kubeconfig(server)));
    }
    files.add("order.txt", "in which order machines start, and who joins whom", order(lab, k3s));
}

/// The three files beside it are copied from the first server, where K3s makes them: they are secrets, or made by it.
fn kubeconfig(server: String) -> Kubeconfig {
    let cluster = Cluster { certificate_authority: "server-ca.crt", server };
    let user = User { client_certificate: "client-admin.crt", client_key: "client-admin.key" };
    Kubeconfig {
        api_version: "v1",
        kind: "Config",
        clusters: [NamedCluster { name: "lab", cluster }],
        users: [NamedUser { name: "admin", user }],
        contexts: [NamedContext { name: "lab", context: Context { cluster: "lab", user: "admin" } }],
        current_context: "lab",
    }
}

fn order(lab: &Lab, k3s: &K3s) -> String {
    let mut text = format!("{}\n\n", crate::render::RENDERED);
    for (at, wave) in lab.waves().iter().enumerate() {
        let part = |name: &crate::inventory::scalar::Name| {
            let machine = lab.machine(name).filter(|machine| machine.is_node())?;
            Some(match *name == k3s.bootstrap {
                true => "begins the cluster".to_owned(),
                false => format!("joins https://{}:6443", joins(lab, k3s, machine.is(Role::Server))),
            })
        };
        for name in wave {
            let address = lab.machine(name).map(|machine| machine.address().to_string()).unwrap_or_default();
            let line = format!("{} {name:<16} {address:<15} {}", at + 1, part(name).unwrap_or_default());
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}
