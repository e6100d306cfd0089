//! Data disks, found by their serial numbers whatever the kernel calls them, and mounted by units: nothing is ever written to the system disk
//! because a mount was forgotten. A disk that has a partition table already is left as it is.

use crate::inventory::{DataDisk, OsFamily, Volume};
use crate::lab::Machine;
use crate::render::first_boot::escape;
use crate::render::ini::Ini;
use crate::render::system::System;

pub(super) fn add(machine: &Machine, system: &mut System) {
    for disk in &machine.data_disks {
        if machine.image.first_boot == OsFamily::CloudInit {
            system.commands.extend(prepare(disk));
        }
        for (at, volume) in disk.volumes.iter().enumerate() {
            let path = volume.path.as_str();
            system.unit(format!("{}.mount", escape(path)), format!("mounts {path}"), mount(disk, at, volume));
        }
    }
}

/// The partition table of a disk as sfdisk(8) reads it, and a file system in each partition that has none.
fn prepare(disk: &DataDisk) -> Vec<String> {
    let device = device(disk);
    let sizes =
        disk.volumes.iter().map(|volume| volume.size.as_ref().map(|size| format!("size={}MiB, ", size.mebibytes())));
    let line =
        |(at, size): (usize, Option<String>)| format!("{}name=\"{}\"", size.unwrap_or_default(), partition(disk, at));
    let lines: Vec<_> = sizes.enumerate().map(line).collect();
    let table = format!("label: gpt\\n{}\\n", lines.join("\\n"));
    let table = format!("wipefs --noheadings {device} | grep -q . || printf '{table}' | sfdisk --quiet {device}");
    let settle = "udevadm settle".to_owned();
    let format = |at| {
        let partition = format!("/dev/disk/by-partlabel/{}", partition(disk, at));
        format!("blkid --probe {partition} >/dev/null || mkfs.ext4 -q {partition}")
    };
    [table, settle].into_iter().chain((0..disk.volumes.len()).map(format)).collect()
}

fn mount(disk: &DataDisk, at: usize, volume: &Volume) -> String {
    let ini = Ini::new().section("Unit").key("Description", format!("Volume {}", volume.path));
    let ini = ini.key("Before", "local-fs.target");
    let ini = ini.section("Mount").key("What", format!("/dev/disk/by-partlabel/{}", partition(disk, at)));
    let ini = ini.key("Where", &volume.path).key("Type", "ext4").key("Options", "noatime");
    ini.section("Install").key("RequiredBy", "local-fs.target").text()
}

/// The name that a partition has in the table.
pub(in crate::render) fn partition(disk: &DataDisk, at: usize) -> String {
    format!("{}-{}", disk.serial, at + 1)
}

pub(in crate::render) fn device(disk: &DataDisk) -> String {
    format!("/dev/disk/by-id/virtio-{}", disk.serial)
}
