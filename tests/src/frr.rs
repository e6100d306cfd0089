//! FRR's zebra and vrrpd on a machine of the lab, as the router of another vendor.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::eventually::eventually;
use crate::lab::Lab;
use crate::process::{self, Process, Spawn, signal_pid};

const PROGRAMS: &str = "/usr/lib/frr";

/// A node that runs FRR instead of our service: VRRPv3, 100 ms, a virtual MAC address for each VIP.
#[derive(Debug)]
pub struct Frr<'lab> {
    lab: &'lab Lab,
    node: &'static str,
    directory: PathBuf,
    process: Process,
}

impl<'lab> Frr<'lab> {
    /// Both VIPs at `priority`. FRR wants a macvlan with the virtual MAC address and the VIP, and takes it down as Backup.
    ///
    /// # Panics
    /// When it does not answer within ten seconds.
    pub fn start(lab: &'lab Lab, node: &'static str, priority: u8) -> Self {
        let machine = lab.machine(node);
        for id in ["32", "33"] {
            let (name, hardware) = (format!("vrrp4-{id}"), format!("00:00:5e:00:01:{:02x}", id.parse().unwrap_or(0)));
            machine.expect("ip", &["link", "add", &name, "link", "eth0", "type", "macvlan", "mode", "bridge"]);
            machine.expect("ip", &["link", "set", &name, "address", &hardware]);
            machine.expect("ip", &["address", "add", &format!("192.168.0.{id}/32"), "dev", &name]);
            machine.expect("ip", &["link", "set", &name, "up"]);
        }
        let directory = lab.path(&format!("{node}.frr"));
        fs::create_dir_all(&directory).expect("a directory for FRR");
        fs::write(directory.join("zebra.conf"), "").expect("zebra's file");
        fs::write(directory.join("vrrpd.conf"), configuration(priority)).expect("vrrpd's file");
        let at = directory.display();
        machine.expect("chown", &["-R", "frr:frr", &at.to_string()]);
        let program = |name: &str| {
            format!(
                "{PROGRAMS}/{name} -z {at}/zserv.api -f {at}/{name}.conf -i {at}/{name}.pid --vty_socket {at} -u frr -g frr"
            )
        };
        // vrrpd looks for its macvlan once, when zebra tells it of the interfaces.
        let command =
            format!("{} & until [ -S {at}/zserv.api ]; do sleep 0.1; done; {}", program("zebra"), program("vrrpd"));
        let spawn = Spawn::new("unshare", lab.path(&format!("{node}.frr.log")));
        let spawn = spawn.args(["--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", &command]);
        let frr = Self { lab, node, process: machine.spawn(spawn), directory };
        eventually("vrrpd answers", Duration::from_secs(10), || frr.roles().len() == 2);
        frr
    }

    /// The state of each virtual router, in its words: `Master`, `Backup`, `Initialize`.
    pub fn roles(&self) -> Vec<String> {
        let socket = self.directory.display().to_string();
        let shown = self.lab.machine(self.node).output("vtysh", &["--vty_socket", &socket, "-c", "show vrrp"]);
        let text = String::from_utf8_lossy(&shown.stdout).into_owned();
        let states = text.lines().filter_map(|line| line.trim().strip_prefix("Status (v4)"));
        states.map(|state| state.trim().to_owned()).collect()
    }

    /// Kills both programs at once; returns the moment from which both have it.
    ///
    /// # Panics
    /// When they do not run.
    pub fn kill(&self) -> Instant {
        let output = self.lab.hypervisor().expect("ip", &["netns", "pids", self.lab.machine(self.node).name()]);
        let pids = output.split_whitespace().filter_map(|pid| pid.parse().ok());
        let ours: Vec<i32> = pids.filter(|&pid| ["zebra", "vrrpd"].contains(&process::name(pid).as_str())).collect();
        assert_eq!(ours.len(), 2, "zebra and vrrpd run:\n{}", self.log());
        let killed = ours.iter().map(|&pid| signal_pid(pid, Signal::SIGKILL)).max();
        killed.expect("two were killed")
    }

    /// What both printed.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

fn configuration(priority: u8) -> String {
    let router = |id: u8| {
        format!(
            " vrrp {id} version 3\n vrrp {id} advertisement-interval 100\n vrrp {id} priority {priority}\n vrrp {id} ip 192.168.0.{id}\n"
        )
    };
    format!("interface eth0\n{}{}", router(32), router(33))
}
