//! The hypervisor and its machines.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PerPlan;
use super::scalar::{Address, Checksum, FilePath, Interface, Mac, Name, Size};

/// The hypervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// Its host name.
    pub name: Name,
    /// The network that it stands in.
    pub network: Name,
    /// Its address there.
    pub address: PerPlan<Address>,
    /// The interface with its own address, unless the bridge holds that.
    pub uplink: Interface,
    /// The bridge that puts machines into that network.
    pub bridge: HostBridge,
    /// Installed memory.
    pub memory: Size,
    /// Hardware threads.
    #[schemars(range(min = 1, max = 4096))]
    pub cpus: u32,
    /// Room for images.
    pub disk: Size,
    /// Where volumes are.
    #[serde(default = "pool")]
    pub pool: FilePath,
}

fn pool() -> FilePath {
    FilePath("/var/lib/libvirt/images/lab".to_owned())
}

/// The bridge of the hypervisor into the LAN.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostBridge {
    /// Its name.
    pub name: Interface,
    /// The physical interface in it.
    pub port: Interface,
    /// Whether the hypervisor's own address is on it: rules that name an outgoing interface depend on it.
    #[serde(default)]
    pub holds_host_address: bool,
}

/// A base image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The file on the hypervisor.
    pub path: FilePath,
    /// Its checksum.
    pub checksum: Checksum,
    /// How it is configured at its first start.
    pub first_boot: OsFamily,
}

/// How a machine is configured at its first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OsFamily {
    /// cloud-init, from a seed image (AlmaLinux, Debian).
    CloudInit,
    /// Ignition (Flatcar).
    Ignition,
}

/// One virtual machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Under these plans only; without it under all.
    #[serde(default)]
    pub plans: Vec<Name>,
    /// What it does.
    pub roles: Vec<Role>,
    /// The network that it stands in.
    pub network: PerPlan<Name>,
    /// Its address there.
    pub address: PerPlan<Address>,
    /// The hardware address of its first NIC; without it one made of its name.
    pub mac: Option<Mac>,
    /// Further NICs.
    #[serde(default)]
    pub nics: Vec<Nic>,
    /// Its image, by name in `[images]`.
    pub image: Name,
    /// Virtual CPUs.
    #[schemars(range(min = 1, max = 256))]
    pub cpus: u32,
    /// Memory.
    pub memory: Size,
    /// Its system disk.
    pub disk: Size,
    /// Disks beside the system disk.
    #[serde(default)]
    pub data_disks: Vec<DataDisk>,
    /// Of a balancer: the higher one is preferred as owner of the virtual addresses.
    #[schemars(range(min = 1, max = 254))]
    pub priority: Option<u8>,
    /// Machines that are started before this one.
    #[serde(default)]
    pub after: Vec<Name>,
}

/// What a machine does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Runs fmc-lb.
    Balancer,
    /// Answers for the lab's domain.
    Dns,
    /// Gives the lab its time.
    Ntp,
    /// Runs PostgreSQL.
    Postgresql,
    /// A K3s server: API and etcd.
    Server,
    /// A K3s agent.
    Agent,
    /// An agent that Traefik listens on.
    Ingress,
    /// Exports directories by NFS.
    Nfs,
}

/// A further NIC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nic {
    /// Under these plans only; without it under all.
    #[serde(default)]
    pub plans: Vec<Name>,
    /// Its network.
    pub network: Name,
    /// Its address there.
    pub address: Address,
    /// Its hardware address; without it one made of the machine's name.
    pub mac: Option<Mac>,
}

/// A disk beside the system disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataDisk {
    /// What the machine finds it by, whatever the kernel calls it: at most 20 characters (virtio).
    pub serial: Name,
    /// Its size.
    pub size: Size,
    /// What is on it, in this order.
    pub volumes: Vec<Volume>,
}

/// A file system on a data disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Where it is mounted.
    pub path: FilePath,
    /// Its size; the last one may leave it out and takes the rest.
    pub size: Option<Size>,
    /// Longhorn keeps replicas here.
    #[serde(default)]
    pub longhorn: bool,
}
