//! What the lab offers: virtual addresses, names, time, the cluster, storage, the database.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Address, Checksum, Domain, FilePath, Name, PortKey, Prefix, Secret};
use super::{PerPlan, Role};

/// A virtual address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Vip {
    /// The address.
    pub address: PerPlan<Address>,
    /// VRID (RFC 9568 §5.2.3); without it the last octet.
    #[schemars(range(min = 1, max = 255))]
    pub virtual_router_id: Option<u8>,
    /// Who may connect: `internet`, `vpn`, a network of `[networks]`, or a prefix.
    pub expose: Vec<String>,
    /// What it serves.
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub services: BTreeMap<Name, Service>,
}

/// One service of a virtual address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The balancer's defaults for it.
    #[serde(default)]
    pub profile: Profile,
    /// Its ports: a list, or each with the port of the servers.
    pub ports: PerPlan<Ports>,
    /// The machines that serve it.
    pub to: Role,
    /// The name of the group of servers in the balancer's configuration; without it the service's own.
    pub backend: Option<Name>,
    /// The header that tells a server who the client is.
    pub proxy_protocol: Option<ProxyProtocol>,
}

/// The balancer's profiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// The Kubernetes API.
    #[serde(rename = "k8s-api")]
    K8sApi,
    /// Traefik on the workers.
    TraefikWeb,
    /// Any TCP service.
    #[default]
    Tcp,
}

impl Profile {
    /// As in the balancer's configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::K8sApi => "k8s-api",
            Self::TraefikWeb => "traefik-web",
            Self::Tcp => "tcp",
        }
    }
}

/// Ports of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Ports {
    /// The servers listen on the same.
    Same(Vec<NonZeroU16>),
    /// Each with the port of the servers.
    #[schemars(extend("propertyNames" = { "format": "port" }))]
    Mapped(BTreeMap<PortKey, NonZeroU16>),
}

impl Ports {
    /// Each port of the address with the port of the servers.
    pub fn pairs(&self) -> Vec<(u16, u16)> {
        match self {
            Self::Same(ports) => ports.iter().map(|port| (port.get(), port.get())).collect(),
            Self::Mapped(ports) => ports.iter().map(|(port, server)| (port.0, server.get())).collect(),
        }
    }
}

/// PROXY protocol towards the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyProtocol {
    /// Version 2, binary.
    V2,
}

/// Name service of the lab, on the machines with the role `dns`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The release of CoreDNS, for example `1.12.1`.
    pub version: String,
    /// SHA-256 of its archive for Linux, coredns_VERSION_linux_amd64.tgz.
    pub checksum: Checksum,
    /// Who answers for all other names.
    pub forwarders: Vec<Address>,
    /// Further names in the domain, each for a virtual address or a machine.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub names: BTreeMap<Name, Name>,
    /// Further domains with the same names.
    #[serde(default)]
    pub aliases: Vec<Domain>,
}

/// Time service of the lab, on the machines with the role `ntp`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ntp {
    /// Pools of servers on the Internet.
    pub pools: Vec<Domain>,
}

/// The cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct K3s {
    /// The release, for example `v1.33.1+k3s1`.
    pub version: String,
    /// SHA-256 of the binary.
    pub checksum: Checksum,
    /// The shared token.
    pub token: Secret,
    /// The server that begins the cluster.
    pub bootstrap: Name,
    /// The virtual address of the API.
    pub api: Name,
    /// Where the other servers join.
    #[serde(default)]
    pub join: Join,
    /// Addresses of pods.
    #[serde(default = "pods")]
    pub pods: Prefix,
    /// Addresses of services.
    #[serde(default = "services")]
    pub services: Prefix,
    /// Parts of K3s that are left out.
    #[serde(default)]
    pub disable: Vec<Name>,
}

/// Where servers after the first join.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Join {
    /// At the first server's own address.
    #[default]
    Bootstrap,
    /// At the virtual address of the API, which the balancers must hold by then.
    Vip,
}

fn pods() -> Prefix {
    Prefix(ipnet::Ipv4Net::new_assert([10, 42, 0, 0].into(), 16))
}

fn services() -> Prefix {
    Prefix(ipnet::Ipv4Net::new_assert([10, 43, 0, 0].into(), 16))
}

/// A directory exported by NFS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// The machine with the disk.
    pub machine: Name,
    /// The directory, a volume of that machine.
    pub path: FilePath,
    /// Machines that may mount it, by name or by role.
    pub clients: Vec<Name>,
    /// Clients may not write.
    #[serde(default)]
    pub read_only: bool,
    /// Where clients by name mount it; without it they do not.
    pub mount: Option<FilePath>,
}

/// PostgreSQL on the machine with the role `postgresql`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostgreSql {
    /// Its data directory.
    #[serde(default = "data")]
    pub data: FilePath,
    /// Connections at once.
    #[serde(default = "connections")]
    #[schemars(range(min = 1, max = 10000))]
    pub max_connections: u32,
    /// Every database, owned by a role of the same name.
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub databases: BTreeMap<Name, Database>,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The password of its owner.
    pub password: Secret,
    /// Machines that may connect, by name or by role.
    pub clients: Vec<Name>,
}

fn data() -> FilePath {
    FilePath("/var/lib/pgsql/data".to_owned())
}

fn connections() -> u32 {
    100
}

/// How certificates are had.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// How Let's Encrypt is shown that the name is ours (RFC 8555 §8).
    pub challenge: Challenge,
}

/// A challenge of ACME.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Challenge {
    /// A file on port 80 (RFC 8555 §8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// A TXT record (RFC 8555 §8.4).
    #[serde(rename = "dns-01")]
    Dns01,
}

/// Who scrapes metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// Where Prometheus runs: roles or machines.
    pub from: Vec<Name>,
    /// The port of the balancer's metrics.
    #[serde(default = "metrics")]
    pub balancer_port: NonZeroU16,
    /// The port of node_exporter; without it machines are not scraped.
    pub node_port: Option<NonZeroU16>,
}

fn metrics() -> NonZeroU16 {
    NonZeroU16::new(9109).expect("9109 is not 0")
}
