//! Disks, what is on them, and who may mount it.

use std::collections::BTreeSet;

use fmc_config::findings::Findings;

use super::Checking;
use crate::inventory::Role;
use crate::lab::Machine;
use crate::rule::Broken;

/// What virtio carries as a serial number (VIRTIO_BLK_ID_BYTES).
const SERIAL: usize = 20;

pub(super) fn check(checking: &Checking<'_>, findings: &mut Findings) {
    for machine in &checking.lab.machines {
        serials(checking, machine, findings);
        volumes(checking, machine, findings);
    }
    exports(checking, findings);
    database(checking, findings);
}

fn serials(checking: &Checking<'_>, machine: &Machine, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (at, disk) in machine.data_disks.iter().enumerate() {
        let field = format!("machines.{}.data_disks[{at}].serial", machine.name);
        let problem = match disk.serial.as_str() {
            serial if serial.len() > SERIAL => {
                format!("{serial:?} is longer than the {SERIAL} characters that a disk carries")
            }
            serial if !seen.insert(serial.to_owned()) => {
                format!("{serial:?} is the serial number of another disk of this machine")
            }
            _ => continue,
        };
        checking.report(
            Broken::SerialTaken,
            &field,
            problem,
            "give each disk a short serial number of its own",
            findings,
        );
    }
}

fn volumes(checking: &Checking<'_>, machine: &Machine, findings: &mut Findings) {
    for (at, disk) in machine.data_disks.iter().enumerate() {
        let field = format!("machines.{}.data_disks[{at}].volumes", machine.name);
        let sum: u64 = disk.volumes.iter().filter_map(|volume| volume.size.as_ref()).map(|size| size.bytes()).sum();
        let open = disk.volumes.iter().rev().skip(1).any(|volume| volume.size.is_none());
        let full = disk.volumes.last().is_some_and(|last| last.size.is_none()) && sum >= disk.size.bytes();
        if open {
            let problem = "only the last volume takes the rest".to_owned();
            checking.report(Broken::VolumesOverDisk, &field, problem, "give each one before it a `size`", findings);
        } else if sum > disk.size.bytes() || full {
            let problem = format!("{} MiB of volumes do not fit on a disk of {}", sum >> 20, disk.size);
            checking.report(
                Broken::VolumesOverDisk,
                &field,
                problem,
                "make the disk larger or the volumes smaller",
                findings,
            );
        }
    }
}

fn exports(checking: &Checking<'_>, findings: &mut Findings) {
    for (at, export) in checking.lab.exports.iter().enumerate() {
        let Some(machine) = checking.lab.machine(&export.machine) else { continue };
        let volumes: Vec<_> =
            machine.data_disks.iter().flat_map(|disk| &disk.volumes).map(|volume| &volume.path).collect();
        if !volumes.contains(&&export.path) {
            let problem = format!("{} is no volume of {}: it would lie on the system disk", export.path, machine.name);
            let paths: Vec<_> = volumes.iter().map(|path| path.as_str()).collect();
            let fix = match fmc_config::suggest::nearest(export.path.as_str(), paths.iter().copied()) {
                Some(path) => format!("did you mean {path:?}?"),
                None => format!("add a volume with `path = \"{}\"` to its `data_disks`", export.path),
            };
            checking.report(Broken::ExportOffVolume, &format!("exports[{at}].path"), problem, fix, findings);
        }
    }
}

fn database(checking: &Checking<'_>, findings: &mut Findings) {
    let Some(postgresql) = &checking.lab.postgresql else { return };
    let on_it = |machine: &Machine| {
        checking.lab.exports.iter().any(|export| {
            let mounted =
                export.mount.as_ref().is_some_and(|mount| postgresql.data.as_str().starts_with(mount.as_str()));
            mounted && checking.lab.named_directly(machine, &export.clients)
        })
    };
    if checking.lab.with_role(Role::Postgresql).any(on_it) {
        let problem = "the database's files are on NFS: when the server of it hangs, every query does".to_owned();
        let fix = "use a data disk of the machine and keep NFS for backups";
        checking.report(Broken::DatabaseOnNfs, "postgresql.data", problem, fix, findings);
    }
}
