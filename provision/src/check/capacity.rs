//! Whether the hypervisor has what its machines are promised.

use fmc_config::findings::Findings;

use super::Checking;
use crate::rule::Broken;

/// Virtual CPUs for each hardware thread, beyond which K3s' own deadlines begin to be missed.
const CPU_RATIO: u32 = 2;

pub(super) fn check(checking: &Checking<'_>, findings: &mut Findings) {
    let lab = checking.lab;
    let memory: u64 = lab.machines.iter().map(|machine| machine.memory).sum();
    if memory > lab.host.memory.mebibytes() {
        let problem =
            format!("the machines have {memory} MiB together, the hypervisor {} MiB", lab.host.memory.mebibytes());
        let fix = "give some of them less, or none of them all at once: the kernel ends one when it runs out";
        checking.report(Broken::MemoryOvercommitted, "host.memory", problem, fix, findings);
    }
    let cpus: u32 = lab.machines.iter().map(|machine| machine.cpus).sum();
    if cpus > lab.host.cpus * CPU_RATIO {
        let problem = format!("the machines have {cpus} CPUs together, the hypervisor {}", lab.host.cpus);
        let fix = format!("stay below {} CPUs for each of them, or elections and health checks wait", CPU_RATIO);
        checking.report(Broken::CpusOvercommitted, "host.cpus", problem, fix, findings);
    }
    let data = |machine: &crate::lab::Machine| machine.data_disks.iter().map(|disk| disk.size.bytes()).sum::<u64>();
    let disk: u64 = lab.machines.iter().map(|machine| machine.disk + data(machine)).sum();
    if disk > lab.host.disk.bytes() {
        let problem = format!("the disks may grow to {} GiB, the hypervisor has {}", disk >> 30, lab.host.disk);
        let fix = "make disks smaller: a full hypervisor pauses every machine at once";
        checking.report(Broken::DiskOvercommitted, "host.disk", problem, fix, findings);
    }
}
