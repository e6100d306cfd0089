//! The inventory as typed: the whole vocabulary of the file, which is also its schema.
//!
//! A value that differs between address plans is a [`PerPlan`]; a thing that exists under some plans only has `plans`.

pub mod per_plan;
pub mod scalar;

mod machine;
mod outside;
mod service;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use machine::{DataDisk, Host, HostBridge, Image, Machine, Nic, OsFamily, Role, Volume};
pub use outside::{Cloudflare, CloudflareName, Forward, Outside, Protocol, Vpn, VpnEndpoint, VpnPeer};
pub use per_plan::PerPlan;
use scalar::{Address, Domain, FilePath, Interface, Name, Prefix, Range};
pub use service::{
    Challenge, Database, Dns, Export, Join, K3s, Monitoring, Ntp, Ports, PostgreSql, Profile, ProxyProtocol, Service,
    Tls, Vip,
};

/// Everything that stands in one inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Version of this vocabulary: 1.
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// The address plans there are; without it there is one.
    #[serde(default)]
    pub plans: Vec<Name>,
    /// The plan that is live; `--plan` overrides it.
    pub plan: Option<Name>,
    /// The way in from the Internet that is live, by its name in `[ways]`; `--way` overrides it.
    pub way: Option<Name>,
    /// What concerns the whole lab.
    pub lab: Site,
    /// The hypervisor.
    pub host: Host,
    /// Every network.
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub networks: BTreeMap<Name, Network>,
    /// Base images of machines.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub images: BTreeMap<Name, Image>,
    /// Every virtual machine.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub machines: BTreeMap<Name, Machine>,
    /// Addresses that belong to things this inventory does not make: printers, a VPN box, the router.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub devices: BTreeMap<Name, PerPlan<Address>>,
    /// The virtual addresses and what they serve.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub vips: BTreeMap<Name, Vip>,
    /// Ways in from the Internet, of which one is live.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "format": "name" }))]
    pub ways: BTreeMap<Name, Outside>,
    /// WireGuard.
    pub vpn: Option<Vpn>,
    /// Name service.
    pub dns: Option<Dns>,
    /// Time service.
    pub ntp: Option<Ntp>,
    /// The cluster.
    pub k3s: Option<K3s>,
    /// NFS exports.
    #[serde(default)]
    pub exports: Vec<Export>,
    /// The database.
    pub postgresql: Option<PostgreSql>,
    /// Names at Cloudflare and their dynamic address.
    pub cloudflare: Option<Cloudflare>,
    /// How certificates are had.
    pub tls: Option<Tls>,
    /// Who scrapes metrics.
    pub monitoring: Option<Monitoring>,
}

/// What concerns the whole lab.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The domain of every machine.
    pub domain: Domain,
    /// As in /usr/share/zoneinfo.
    #[serde(default = "utc")]
    pub timezone: String,
    /// Who may reach SSH, the hypervisor's desktop and consoles: a network of `[networks]`, a prefix, or `vpn`.
    #[serde(default)]
    pub administrators: Vec<String>,
    /// Lines for authorized_keys. Private keys stay with their owners.
    #[serde(default)]
    pub ssh_keys: Vec<String>,
    /// The user of machines made by cloud-init; Flatcar has `core`.
    #[serde(default = "core")]
    pub user: Name,
    /// The directory of secrets on the machine that applies the inventory.
    #[serde(default = "secrets")]
    pub secrets: FilePath,
}

fn utc() -> String {
    "Etc/UTC".to_owned()
}

fn core() -> Name {
    Name("core".to_owned())
}

fn secrets() -> FilePath {
    FilePath("/etc/fmc-lab/secrets".to_owned())
}

/// One network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Under these plans only; without it under all.
    #[serde(default)]
    pub plans: Vec<Name>,
    /// Its addresses.
    pub prefix: Prefix,
    /// Who carries it.
    pub kind: NetworkKind,
    /// The bridge on the hypervisor.
    pub bridge: Interface,
    /// Its router; without it the first address, which on a routed network is the hypervisor.
    pub gateway: Option<Address>,
    /// What a DHCP server hands out; no machine may stand there.
    pub dhcp_pool: Option<PerPlan<Range>>,
}

/// Who carries a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// The bridge holds a port of the hypervisor: machines stand in the LAN itself.
    Bridge,
    /// The hypervisor routes it.
    Routed,
    /// Nothing leaves it.
    Isolated,
}
