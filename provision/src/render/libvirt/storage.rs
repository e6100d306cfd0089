//! `<pool>` and `<volume>`: a directory, and in it one file a disk.

use serde::Serialize;

use super::{POOL, document};
use crate::inventory::OsFamily;
use crate::lab::{Lab, Machine};

#[derive(Serialize)]
struct Pool {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: &'static str,
    uuid: String,
    target: Path,
}

#[derive(Serialize)]
struct Path {
    path: String,
}

#[derive(Serialize)]
struct Xml {
    name: String,
    capacity: Bytes,
    target: Target,
    #[serde(rename = "backingStore", skip_serializing_if = "Option::is_none")]
    backing_store: Option<Backing>,
}

#[derive(Serialize)]
struct Bytes {
    #[serde(rename = "@unit")]
    unit: &'static str,
    #[serde(rename = "$text")]
    number: u64,
}

#[derive(Serialize)]
struct Target {
    format: Format,
}

#[derive(Serialize)]
struct Backing {
    path: String,
    format: Format,
}

#[derive(Serialize)]
struct Format {
    #[serde(rename = "@type")]
    kind: &'static str,
}

const QCOW2: Format = Format { kind: "qcow2" };

pub(super) fn pool(lab: &Lab) -> String {
    let target = Path { path: lab.host.pool.to_string() };
    document("pool", &Pool { kind: "dir", name: POOL, uuid: lab.uuid("pool", POOL).to_string(), target })
}

/// A volume and what it is for.
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) purpose: String,
    pub(super) xml: String,
}

/// The system disk over its image, then the data disks. Growing one keeps what is on it: sizes are of the volume, not of the machine.
pub(super) fn volumes(machine: &Machine) -> Vec<Volume> {
    let backing = Backing { path: machine.image.path.to_string(), format: QCOW2 };
    let system = volume(&system_disk(machine), format!("system disk of {}", machine.name), machine.disk, Some(backing));
    let data = machine.data_disks.iter().map(|disk| {
        let purpose = format!("disk {} of {}", disk.serial, machine.name);
        volume(&data_disk(machine, disk.serial.as_str()), purpose, disk.size.bytes(), None)
    });
    std::iter::once(system).chain(data).collect()
}

/// The volume of a machine's system disk.
pub(super) fn system_disk(machine: &Machine) -> String {
    format!("{}.qcow2", machine.name)
}

/// The volume of a data disk.
pub(super) fn data_disk(machine: &Machine, serial: &str) -> String {
    format!("{}-{serial}.qcow2", machine.name)
}

/// What a machine reads at its first start, beside the pool's volumes.
pub(in crate::render) fn first_boot(machine: &Machine) -> String {
    match machine.image.first_boot {
        OsFamily::CloudInit => format!("{}-seed.img", machine.name),
        OsFamily::Ignition => format!("{}.ign", machine.name),
    }
}

fn volume(name: &str, purpose: String, bytes: u64, backing_store: Option<Backing>) -> Volume {
    let capacity = Bytes { unit: "bytes", number: bytes };
    let xml = Xml { name: name.to_owned(), capacity, target: Target { format: QCOW2 }, backing_store };
    Volume { name: name.to_owned(), purpose, xml: document("volume", &xml) }
}
