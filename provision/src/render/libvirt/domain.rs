//! `<domain>`: a q35 machine with virtio devices, a serial console and an agent; no display that listens.

use serde::Serialize;

use super::storage::{data_disk, first_boot, system_disk};
use super::{Empty, POOL, document};
use crate::inventory::OsFamily;
use crate::lab::{Lab, Machine, Nic};

#[derive(Serialize)]
struct Xml {
    #[serde(rename = "@type")]
    kind: &'static str,
    name: String,
    uuid: String,
    memory: Memory,
    vcpu: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    sysinfo: Option<FirmwareConfiguration>,
    os: Os,
    features: Features,
    cpu: Cpu,
    clock: Clock,
    on_poweroff: &'static str,
    on_reboot: &'static str,
    on_crash: &'static str,
    devices: Devices,
}

#[derive(Serialize)]
struct Memory {
    #[serde(rename = "@unit")]
    unit: &'static str,
    #[serde(rename = "$text")]
    number: u64,
}

#[derive(Serialize)]
struct FirmwareConfiguration {
    #[serde(rename = "@type")]
    kind: &'static str,
    entry: Entry,
}

#[derive(Serialize)]
struct Entry {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@file")]
    file: String,
}

#[derive(Serialize)]
struct Os {
    #[serde(rename = "type")]
    kind: OsType,
    boot: Boot,
}

#[derive(Serialize)]
struct OsType {
    #[serde(rename = "@arch")]
    arch: &'static str,
    #[serde(rename = "@machine")]
    machine: &'static str,
    #[serde(rename = "$text")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Boot {
    #[serde(rename = "@dev")]
    dev: &'static str,
}

#[derive(Serialize)]
struct Features {
    acpi: Empty,
    apic: Empty,
}

#[derive(Serialize)]
struct Cpu {
    #[serde(rename = "@mode")]
    mode: &'static str,
}

#[derive(Serialize)]
struct Clock {
    #[serde(rename = "@offset")]
    offset: &'static str,
}

#[derive(Serialize)]
struct Devices {
    disk: Vec<Disk>,
    interface: Vec<Interface>,
    serial: Terminal,
    console: Terminal,
    channel: Channel,
    memballoon: Model,
    rng: Rng,
}

#[derive(Serialize)]
struct Disk {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@device")]
    device: &'static str,
    driver: Driver,
    source: Source,
    target: DiskTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    readonly: Option<Empty>,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<String>,
}

#[derive(Serialize)]
struct Driver {
    #[serde(rename = "@name")]
    name: &'static str,
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@discard", skip_serializing_if = "Option::is_none")]
    discard: Option<&'static str>,
}

#[derive(Serialize)]
struct Source {
    #[serde(rename = "@pool", skip_serializing_if = "Option::is_none")]
    pool: Option<&'static str>,
    #[serde(rename = "@volume", skip_serializing_if = "Option::is_none")]
    volume: Option<String>,
    #[serde(rename = "@file", skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Serialize)]
struct DiskTarget {
    #[serde(rename = "@dev")]
    dev: String,
    #[serde(rename = "@bus")]
    bus: &'static str,
}

#[derive(Serialize)]
struct Interface {
    #[serde(rename = "@type")]
    kind: &'static str,
    mac: Address,
    source: Network,
    model: Type,
}

#[derive(Serialize)]
struct Address {
    #[serde(rename = "@address")]
    address: String,
}

#[derive(Serialize)]
struct Network {
    #[serde(rename = "@network")]
    network: String,
}

#[derive(Serialize)]
struct Type {
    #[serde(rename = "@type")]
    kind: &'static str,
}

#[derive(Serialize)]
struct Terminal {
    #[serde(rename = "@type")]
    kind: &'static str,
    target: TerminalTarget,
}

#[derive(Serialize)]
struct TerminalTarget {
    #[serde(rename = "@type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(rename = "@port")]
    port: u8,
}

#[derive(Serialize)]
struct Channel {
    #[serde(rename = "@type")]
    kind: &'static str,
    target: ChannelTarget,
}

#[derive(Serialize)]
struct ChannelTarget {
    #[serde(rename = "@type")]
    kind: &'static str,
    #[serde(rename = "@name")]
    name: &'static str,
}

#[derive(Serialize)]
struct Model {
    #[serde(rename = "@model")]
    model: &'static str,
}

#[derive(Serialize)]
struct Rng {
    #[serde(rename = "@model")]
    model: &'static str,
    backend: Backend,
}

#[derive(Serialize)]
struct Backend {
    #[serde(rename = "@model")]
    model: &'static str,
    #[serde(rename = "$text")]
    file: &'static str,
}

pub(super) fn xml(lab: &Lab, machine: &Machine) -> String {
    let ignition = machine.image.first_boot == OsFamily::Ignition;
    let xml = Xml {
        kind: "kvm",
        name: machine.name.to_string(),
        uuid: lab.uuid("domain", machine.name.as_str()).to_string(),
        memory: Memory { unit: "MiB", number: machine.memory },
        vcpu: machine.cpus,
        sysinfo: ignition.then(|| firmware_configuration(lab, machine)),
        os: Os { kind: OsType { arch: "x86_64", machine: "q35", kind: "hvm" }, boot: Boot { dev: "hd" } },
        features: Features { acpi: Empty {}, apic: Empty {} },
        // What this hypervisor's CPUs have, whatever that is: a fixed model may name instructions that an old one lacks.
        cpu: Cpu { mode: "host-model" },
        clock: Clock { offset: "utc" },
        on_poweroff: "destroy",
        on_reboot: "restart",
        on_crash: "restart",
        devices: Devices {
            disk: disks(lab, machine),
            interface: machine.nics.iter().map(interface).collect(),
            serial: Terminal { kind: "pty", target: TerminalTarget { kind: None, port: 0 } },
            console: Terminal { kind: "pty", target: TerminalTarget { kind: Some("serial"), port: 0 } },
            channel: Channel { kind: "unix", target: ChannelTarget { kind: "virtio", name: "org.qemu.guest_agent.0" } },
            memballoon: Model { model: "virtio" },
            rng: Rng { model: "virtio", backend: Backend { model: "random", file: "/dev/urandom" } },
        },
    };
    document("domain", &xml)
}

/// Flatcar reads its Ignition configuration from the firmware.
fn firmware_configuration(lab: &Lab, machine: &Machine) -> FirmwareConfiguration {
    let file = format!("{}/{}", lab.host.pool, first_boot(machine));
    FirmwareConfiguration { kind: "fwcfg", entry: Entry { name: "opt/org.flatcar-linux/config", file } }
}

fn disks(lab: &Lab, machine: &Machine) -> Vec<Disk> {
    let volume = |name: String, letter: char, serial: Option<String>| Disk {
        kind: "volume",
        device: "disk",
        driver: Driver { name: "qemu", kind: "qcow2", discard: Some("unmap") },
        source: Source { pool: Some(POOL), volume: Some(name), file: None },
        target: DiskTarget { dev: format!("vd{letter}"), bus: "virtio" },
        readonly: None,
        serial,
    };
    let system = volume(system_disk(machine), 'a', None);
    let letters = 'b'..='y';
    let data =
        machine.data_disks.iter().zip(letters).map(|(disk, letter)| {
            volume(data_disk(machine, disk.serial.as_str()), letter, Some(disk.serial.to_string()))
        });
    let seed = (machine.image.first_boot == OsFamily::CloudInit).then(|| seed(lab, machine));
    std::iter::once(system).chain(data).chain(seed).collect()
}

/// By virtio as the other disks: the kernels of cloud images may lack a driver for SATA.
fn seed(lab: &Lab, machine: &Machine) -> Disk {
    Disk {
        kind: "file",
        device: "disk",
        driver: Driver { name: "qemu", kind: "raw", discard: None },
        source: Source { pool: None, volume: None, file: Some(format!("{}/{}", lab.host.pool, first_boot(machine))) },
        target: DiskTarget { dev: "vdz".to_owned(), bus: "virtio" },
        readonly: Some(Empty {}),
        serial: None,
    }
}

fn interface(nic: &Nic) -> Interface {
    Interface {
        kind: "network",
        mac: Address { address: nic.mac.clone() },
        source: Network { network: nic.network.to_string() },
        model: Type { kind: "virtio" },
    }
}
