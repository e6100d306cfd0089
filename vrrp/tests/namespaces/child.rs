//! A keeper in a process of its own, for tests that kill or freeze it.
//!
//! The process is this test binary again, told by its environment to run [`keeper_process`] in earnest.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fmc_vrrp::boot_instant::BootInstant;
use fmc_vrrp::driver::{self, Control, Keeper, Report};
use fmc_vrrp::tier::Fitness;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::keeper::settings;
use crate::lab::{Namespace, Scratch};

/// Rank of the node that the process shall be.
pub(crate) const NODE: &str = "FMC_VRRP_TEST_NODE";
pub(crate) const RUNTIME_DIR: &str = "FMC_VRRP_TEST_RUNTIME_DIR";

/// Runs a fit keeper until it is killed; says why when it cannot start. Does nothing unless the environment asks for it: the
/// tests that start it as a process make the assertions.
#[test]
fn keeper_process() {
    let (Ok(rank), Some(runtime_dir)) = (std::env::var(NODE), std::env::var_os(RUNTIME_DIR)) else { return };
    match Keeper::start(settings(rank.parse().unwrap()), Path::new(&runtime_dir)) {
        Ok(keeper) => keeper.run(&mut AlwaysFit::new()),
        Err(refusal) => println!("{refusal}"),
    }
}

pub(crate) fn of_this_test() -> (std::path::PathBuf, [&'static str; 3]) {
    (std::env::current_exe().unwrap(), ["--exact", "child::keeper_process", "--nocapture"])
}

/// Both VIPs fit, from the first turn on.
struct AlwaysFit {
    commands: Vec<driver::Command>,
    silent: (UnixStream, UnixStream),
}

impl AlwaysFit {
    fn new() -> Self {
        let fit = |name: &str| driver::Command::Fitness { vip: name.parse().unwrap(), fitness: Fitness::FIT };
        Self { commands: vec![fit("api"), fit("web")], silent: UnixStream::pair().unwrap() }
    }
}

impl Control for AlwaysFit {
    fn fd(&self) -> BorrowedFd<'_> {
        self.silent.0.as_fd()
    }

    fn receive(&mut self, _now: BootInstant) -> Option<driver::Command> {
        self.commands.pop()
    }

    fn publish(&mut self, _report: Report) {}

    fn tick(&mut self, now: BootInstant) -> BootInstant {
        now + Duration::from_millis(50)
    }
}

/// The process; killed when dropped.
pub(crate) struct Process {
    child: Child,
    _scratch: Scratch,
}

/// One of its threads, as proc_pid_stat(5) shows it.
#[derive(Debug)]
pub(crate) struct Thread {
    pub(crate) name: String,
    pub(crate) priority: u32,
    pub(crate) policy: u32,
}

impl Process {
    pub(crate) fn start(namespace: &Namespace, rank: u8) -> Self {
        let scratch = Scratch::new();
        let (program, arguments) = of_this_test();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace.name()]).arg(program).args(arguments);
        command.env(NODE, rank.to_string()).env(RUNTIME_DIR, scratch.path());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, _scratch: scratch }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub(crate) fn threads(&self) -> Vec<Thread> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        tasks.map(|task| thread(&std::fs::read_to_string(task.unwrap().path().join("stat")).unwrap())).collect()
    }

    /// A line of proc_pid_status(5).
    pub(crate) fn status(&self, key: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).unwrap().trim().to_owned()
    }

    /// Soft and hard limit of proc_pid_limits(5).
    pub(crate) fn limit(&self, name: &str) -> [String; 2] {
        let text = std::fs::read_to_string(format!("/proc/{}/limits", self.child.id())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let mut words = line.split_whitespace().map(str::to_owned);
        [words.next().unwrap(), words.next().unwrap()]
    }
}

/// `pid (name) state ...`: `rt_priority` is the 40th field, `policy` the 41st.
fn thread(stat: &str) -> Thread {
    let (name, rest) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')).unwrap();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields[number - 3].parse().unwrap();
    Thread { name: name.to_owned(), priority: field(40), policy: field(41) }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
