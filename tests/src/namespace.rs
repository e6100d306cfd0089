//! A network namespace: a machine of the lab.

use std::fs::File;
use std::path::PathBuf;
use std::process::Output;
use std::thread;

use nix::sched::{CloneFlags, setns};

use crate::process::{Process, Spawn};

/// A named network namespace, as `ip netns add` makes it; removed with its processes when dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Takes responsibility for namespaces that `ip -batch` has created.
    pub(crate) fn adopt(name: String) -> Self {
        Self { name }
    }

    /// The name, for `ip netns exec NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on a thread inside the namespace: sockets it opens stay there, the caller's thread does not move.
    ///
    /// # Panics
    /// When the namespace is gone, or when `work` does.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        run_inside(&self.name, work)
    }

    /// Starts a thread that lives inside the namespace.
    pub fn thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
        let name = self.name.clone();
        thread::spawn(move || {
            enter(&name);
            work()
        })
    }

    /// A way in that does not own the namespace, for threads that may outlive the lab.
    pub fn door(&self) -> Door {
        Door { name: self.name.clone() }
    }

    /// Starts a program inside the namespace.
    pub fn spawn(&self, spawn: Spawn) -> Process {
        self.run(|| spawn.start())
    }

    /// Runs a short program inside the namespace to its end; its status is the caller's to judge.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn output(&self, program: &str, arguments: &[&str]) -> Output {
        self.run(|| {
            let output =
                std::process::Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output();
            output.unwrap_or_else(|error| panic!("{program} does not start: {error}; is it installed?"))
        })
    }

    /// Runs a short program inside the namespace and returns what it printed.
    ///
    /// # Panics
    /// With its standard error, when it fails.
    pub fn expect(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.output(program, arguments);
        assert!(
            output.status.success(),
            "{program} {} in {}: {}",
            arguments.join(" "),
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Sets a sysctl of this namespace only; `key` as a path below `/proc/sys`.
    pub fn sysctl(&self, key: &str, value: &str) {
        self.run(|| {
            let path = PathBuf::from("/proc/sys").join(key);
            std::fs::write(&path, value).unwrap_or_else(|error| panic!("sysctl {key}={value}: {error}"));
        });
    }
}

/// A way into a namespace, see [`Namespace::door`].
#[derive(Debug, Clone)]
pub struct Door {
    name: String,
}

impl Door {
    /// As [`Namespace::run`].
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        run_inside(&self.name, work)
    }
}

fn run_inside<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            enter(name);
            work()
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Kills whatever still runs in the namespace `name` and removes it. Also for leftovers, so nothing here may panic.
pub(crate) fn remove(name: &str) {
    let ip = |arguments: &[&str]| std::process::Command::new("ip").args(arguments).output();
    if let Ok(output) = ip(&["netns", "pids", name]) {
        let pids = String::from_utf8_lossy(&output.stdout).into_owned();
        pids.split_whitespace().filter_map(|pid| pid.parse().ok()).for_each(crate::process::kill_foreign);
    }
    let _gone_already_is_fine = ip(&["netns", "delete", name]);
}

fn enter(name: &str) {
    let path = PathBuf::from("/run/netns").join(name);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    setns(file, CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| panic!("entering namespace {name}: {error}"));
}
