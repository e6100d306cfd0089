//! A program started by the lab: its log in a file, its end by process id.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::eventually::eventually_some;

/// What to start, before it is known in which namespace.
#[derive(Debug)]
pub struct Spawn {
    command: Command,
    log: PathBuf,
}

impl Spawn {
    /// `program`, with standard output and error appended to `log`.
    pub fn new(program: impl AsRef<std::ffi::OsStr>, log: impl Into<PathBuf>) -> Self {
        Self { command: Command::new(program), log: log.into() }
    }

    /// Adds arguments.
    pub fn args<S: AsRef<std::ffi::OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.command.env(key, value);
        self
    }

    /// Starts it where the calling thread is: see [`crate::namespace::Namespace::spawn`].
    ///
    /// # Panics
    /// When the log or the program cannot be opened.
    pub fn start(mut self) -> Process {
        let log = open_log(&self.log);
        let errors = log.try_clone().expect("a descriptor for the log");
        self.command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let program = self.command.get_program().to_owned();
        let child =
            self.command.spawn().unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        Process { child, log: self.log }
    }
}

fn open_log(path: &Path) -> File {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.unwrap_or_else(|error| panic!("log {}: {error}", path.display()))
}

/// A running program; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Everything it has printed.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where it prints to.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// Sends a signal, and returns the moment from which it has it; a process that has ended ignores it.
    pub fn signal(&self, signal: Signal) -> Instant {
        signal_pid(self.pid(), signal)
    }

    /// SIGKILL, and waits for the end. Returns the moment from which it has ended and its sockets are closed.
    pub fn kill(&mut self) -> Instant {
        let _ended_already_is_fine = self.child.kill();
        let _status = self.child.wait();
        Instant::now()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("process {} ends", self.pid());
        eventually_some(&what, limit, || self.child.try_wait().ok().flatten()).0
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process that need not be a child, for example a role of the daemon. Returns the moment from which
/// it has it: what is measured from there cannot have happened before the cause.
pub fn signal_pid(pid: i32, signal: Signal) -> Instant {
    let _gone_already_is_fine = kill(Pid::from_raw(pid), signal);
    Instant::now()
}

/// The children of `pid`, each with its command line split at the NUL bytes.
pub fn children(pid: i32) -> Vec<(i32, Vec<String>)> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let pids = std::fs::read_to_string(path).unwrap_or_default();
    pids.split_whitespace().filter_map(|pid| pid.parse().ok()).map(|pid| (pid, command_line(pid))).collect()
}

/// Whether a process exists and has not ended (a zombie has).
pub fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// The name of a process, at most 15 bytes of it (`comm` of proc_pid_comm(5)).
pub fn name(pid: i32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// Resident memory of a process in bytes (`VmRSS` of proc_pid_status(5)).
pub fn resident(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kibibytes| kibibytes.parse::<u64>().ok()).unwrap_or_default() * 1024
}

fn command_line(pid: i32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split_terminator('\0').map(str::to_owned).collect()
}

/// Kills a process found in a namespace of ours, but never the test itself.
pub(crate) fn kill_foreign(pid: i32) {
    if pid != std::process::id().cast_signed() {
        signal_pid(pid, Signal::SIGKILL);
    }
}
