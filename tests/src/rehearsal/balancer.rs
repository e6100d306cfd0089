//! The balancers, with the configuration that is rendered for them.

use std::process::{Command, Output, Stdio};

use fmc_provision::lab::Machine;
use nix::sys::signal::Signal;

use super::Rehearsal;
use crate::binaries::product;
use crate::process::{self, Spawn, signal_pid};

impl Rehearsal {
    /// The balancers, the most preferred first.
    pub(super) fn balancers(&self) -> Vec<String> {
        self.described.balancers().iter().map(|machine| machine.name.to_string()).collect()
    }

    /// Starts `fmc-lb run` as its unit does.
    pub(super) fn start_balancer(&mut self, name: &str) {
        let file = self.rendered(&format!("machines/{name}/root/etc/fmc-lb/fmc-lb.toml"));
        let [run, state] = ["run", "state"].map(|kind| self.directory.join(&format!("{name}.{kind}")));
        let spawn = Spawn::new(product("fmc-lb"), self.log(name)).args(["run".into(), "--config".into(), file]);
        let spawn = spawn.args(["--runtime-dir".into(), run]).args(["--state-dir".into(), state]);
        let process = self.host(name).spawn(spawn);
        self.keep(name, process);
    }

    /// Kills all of its processes, none of which sees another die: a machine that loses power.
    pub(super) fn crash_balancer(&mut self, name: &str) {
        let Some(supervisor) = self.processes.get(name).map(process::Process::pid) else { return };
        let all: Vec<i32> = process::children(supervisor).into_iter().map(|(pid, _)| pid).chain([supervisor]).collect();
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for pid in &all {
                signal_pid(*pid, signal);
            }
        }
        self.stop(name);
    }

    /// SIGTERM, as systemd stops it.
    pub(super) fn stop_balancer(&mut self, name: &str) {
        if let Some(process) = self.processes.get_mut(name) {
            process.signal(Signal::SIGTERM);
            process.wait(std::time::Duration::from_secs(5));
        }
        self.stop(name);
    }

    /// `fmc-lbctl` of a balancer.
    pub(super) fn ctl(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(product("fmc-lbctl"));
        command.arg("--socket").arg(self.directory.join(&format!("{name}.run")).join("admin.sock"));
        let output = command.args(arguments).stdin(Stdio::null()).output();
        output.unwrap_or_else(|error| panic!("fmc-lbctl does not start: {error}"))
    }

    /// Who has `machine`'s namespace hold `address` now.
    pub(super) fn holders(&self, address: std::net::Ipv4Addr) -> Vec<String> {
        let holds = |name: &String| {
            self.host(name).run(|| {
                let mut own = nix::ifaddrs::getifaddrs().into_iter().flatten().filter_map(|it| it.address);
                own.any(|own| own.as_sockaddr_in().is_some_and(|own| own.ip() == address))
            })
        };
        self.balancers().into_iter().filter(holds).collect()
    }
}

/// The machines of a lab that are nodes of its cluster and no servers.
pub(super) fn agents(machines: &[Machine]) -> Vec<Machine> {
    let is_agent = |machine: &&Machine| machine.is_node() && !machine.is(fmc_provision::inventory::Role::Server);
    machines.iter().filter(is_agent).cloned().collect()
}
