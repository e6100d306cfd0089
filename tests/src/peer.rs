//! The distribution's HAProxy and Keepalived on a machine of the lab.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::eventually::eventually_some;
use crate::lab::Lab;
use crate::process::{self, Process, Spawn, signal_pid};

/// A node that runs Keepalived, and HAProxy beside it when it was asked to.
#[derive(Debug)]
pub struct Peer<'lab> {
    lab: &'lab Lab,
    node: &'static str,
    process: Process,
}

/// What Keepalived speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// VRRPv2 at one second, PASS: most installations.
    Version2,
    /// VRRPv3 at 100 ms.
    Version3,
    /// VRRPv3 at 100 ms over IPv6, for fd00::32 with fe80::32, and for fd00::33.
    Version3OverIpv6,
    /// VRRPv3 at 100 ms, signed; Keepalived 2.4 compares the time of a signature with its clock, or only asks that it grows.
    Signed {
        /// `anti_replay`.
        anti_replay: &'static str,
    },
}

/// The programs of a peer, by their process's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `haproxy`; its worker goes with it.
    Haproxy,
    /// `keepalived`; its VRRP child goes with it.
    Keepalived,
}

impl Program {
    fn name(self) -> &'static str {
        match self {
            Self::Haproxy => "haproxy",
            Self::Keepalived => "keepalived",
        }
    }
}

impl<'lab> Peer<'lab> {
    /// HAProxy and Keepalived on both nodes: see [`Peer::lab_node`].
    pub fn lab_pair(lab: &'lab Lab) -> [Self; 2] {
        ["loadbalancer1", "loadbalancer2"].map(|node| Self::lab_node(lab, node))
    }

    /// HAProxy and Keepalived as the lab's owner configures them: VRRPv2, one second, PASS, the first node at 110 and
    /// the second at 100. What an earlier life left on the node is removed, as a reboot would.
    pub fn lab_node(lab: &'lab Lab, node: &'static str) -> Self {
        let machine = lab.machine(node);
        machine.expect("ip", &["address", "flush", "dev", "eth0", "to", "192.168.0.32/31"]);
        // HAProxy binds both VIPs on both nodes; the owner's playbook sets this on the whole machine.
        machine.sysctl("net/ipv4/ip_nonlocal_bind", "1");
        let priority = if node == "loadbalancer1" { "110" } else { "100" };
        let haproxy = lab.write(&format!("{node}.haproxy.cfg"), include_str!("../peers/haproxy.cfg"));
        let keepalived = include_str!("../peers/keepalived-lab.conf").replace("@PRIORITY@", priority);
        let command = format!("haproxy -db -f {} & {}", haproxy.display(), keepalived_command(lab, node, &keepalived));
        Self::start(lab, node, &command)
    }

    /// Keepalived alone, for both addresses: the peer of a rolling migration.
    pub fn keepalived(lab: &'lab Lab, node: &'static str, speaks: Speaks, priority: u8) -> Self {
        let template = match speaks {
            Speaks::Version2 => include_str!("../peers/keepalived-v2.conf"),
            Speaks::Version3 => include_str!("../peers/keepalived-v3.conf"),
            Speaks::Version3OverIpv6 => include_str!("../peers/keepalived-v3-ipv6.conf"),
            Speaks::Signed { .. } => include_str!("../peers/keepalived-v3-signed.conf"),
        };
        let configuration = template.replace("@PRIORITY@", &priority.to_string());
        let configuration = match speaks {
            Speaks::Signed { anti_replay } => configuration.replace("@ANTI_REPLAY@", anti_replay),
            Speaks::Version2 | Speaks::Version3 | Speaks::Version3OverIpv6 => configuration,
        };
        let command = keepalived_command(lab, node, &configuration);
        Self::start(lab, node, &command)
    }

    /// Kills a program and all its processes with SIGKILL, so that none can act on another's death: Keepalived's child
    /// would still resign. Returns the moment from which all have it.
    ///
    /// # Panics
    /// When the program does not run.
    pub fn kill(&self, program: Program) -> Instant {
        self.signal(program, Signal::SIGSTOP);
        self.signal(program, Signal::SIGKILL)
    }

    /// Sends a signal to all processes of a program, and returns the moment from which all have it.
    ///
    /// # Panics
    /// When the program does not run.
    pub fn signal(&self, program: Program, signal: Signal) -> Instant {
        let pids = self.pids(program);
        assert!(!pids.is_empty(), "no {} runs on {}", program.name(), self.node);
        for pid in pids {
            signal_pid(pid, signal);
        }
        Instant::now()
    }

    /// Stops Keepalived as `systemctl stop` does, and returns the moment from which it knows.
    ///
    /// # Panics
    /// When it does not run.
    pub fn stop_keepalived(&self) -> Instant {
        let parent = self.pids(Program::Keepalived).into_iter().min();
        signal_pid(parent.expect("keepalived runs"), Signal::SIGTERM)
    }

    /// Kills both programs at once, as a crash of the machine would.
    pub fn kill_all(&mut self) {
        self.process.kill();
    }

    /// What both printed.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Starts both in a process namespace of their own, so that `pgrep haproxy` finds this node's and not the other's,
    /// and so that nothing survives.
    fn start(lab: &'lab Lab, node: &'static str, command: &str) -> Self {
        let spawn = Spawn::new("unshare", lab.path(&format!("{node}.peer.log")));
        let spawn = spawn.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", command]);
        let peer = Self { lab, node, process: lab.machine(node).spawn(spawn) };
        eventually_some(&format!("keepalived runs on {node}"), Duration::from_secs(5), || {
            (!peer.pids(Program::Keepalived).is_empty()).then_some(())
        });
        peer
    }

    fn pids(&self, program: Program) -> Vec<i32> {
        let output = self.lab.hypervisor().expect("ip", &["netns", "pids", self.lab.machine(self.node).name()]);
        let pids = output.split_whitespace().filter_map(|pid| pid.parse().ok());
        pids.filter(|&pid| process::name(pid) == program.name()).collect()
    }
}

impl Drop for Peer<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let addresses = self.lab.machine(self.node).output("ip", &["-o", "address"]);
            eprintln!("--- {}: addresses\n{}", self.node, String::from_utf8_lossy(&addresses.stdout));
            eprintln!("--- {}: log\n{}", self.node, self.log());
        }
    }
}

fn keepalived_command(lab: &Lab, node: &str, configuration: &str) -> String {
    let file = lab.write(&format!("{node}.keepalived.conf"), configuration);
    let pid = |kind: &str| {
        let file = lab.path(&format!("{node}.{kind}.pid"));
        // Process ids begin anew in each process namespace: an old file would name the new process itself.
        let _none_before_the_first_start = std::fs::remove_file(&file);
        file.display().to_string()
    };
    format!(
        "keepalived --dont-fork --log-console --log-detail --vrrp -f {} -p {} -r {}",
        file.display(),
        pid("keepalived"),
        pid("vrrp")
    )
}
