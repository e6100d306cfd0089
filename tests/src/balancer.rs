//! One balancer: `fmc-lb run` on a machine of the lab, as its service would start it, and its tool.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use fmc_api::backends::BackendList;
use fmc_api::status::Status;
use fmc_api::word::{Answerer, Health};
use nix::sys::signal::Signal;

use crate::binaries::product;
use crate::configuration::Configuration;
use crate::eventually::{eventually, eventually_some};
use crate::lab::Lab;
use crate::process::{self, Process, Spawn, signal_pid};

/// A role's process, by the word after the program's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The parent of the others.
    Supervisor,
    /// Elections and addresses.
    Keeper,
    /// Listeners and relays.
    Proxy,
}

/// A running balancer.
#[derive(Debug)]
pub struct Balancer<'lab> {
    lab: &'lab Lab,
    node: &'static str,
    runtime_dir: PathBuf,
    process: Process,
}

impl<'lab> Balancer<'lab> {
    /// Starts `fmc-lb run` on the machine `node`, and does not wait: see [`Balancer::wait_until_ready`].
    pub fn start(lab: &'lab Lab, node: &'static str, configuration: &Configuration) -> Self {
        Self::start_instance(lab, node, node, configuration)
    }

    /// Starts one on each of `nodes`, each once the one before it is ready: of two that start at once, whichever the
    /// machine gives less time comes second, and no election owes it the address.
    ///
    /// # Panics
    /// When one is not ready within 5 s.
    pub fn start_in_turn<const N: usize>(
        lab: &'lab Lab,
        nodes: [&'static str; N],
        configuration: &Configuration,
    ) -> [Self; N] {
        nodes.map(|node| {
            let balancer = Self::start(lab, node, configuration);
            balancer.wait_until_ready();
            balancer
        })
    }

    /// The same as the instance `name`, with a runtime directory and a log of its own.
    pub fn start_instance(lab: &'lab Lab, node: &'static str, name: &str, configuration: &Configuration) -> Self {
        Self::start_wrapped(lab, node, name, configuration, &[])
    }

    /// The same by `wrapper`, a command that ends by executing what follows it (`env`, `setpriv`, `sh -c 'exec "$@"'`), so that
    /// its process becomes the supervisor.
    pub fn start_wrapped(
        lab: &'lab Lab,
        node: &'static str,
        name: &str,
        configuration: &Configuration,
        wrapper: &[&str],
    ) -> Self {
        let words: Vec<OsString> =
            wrapper.iter().map(OsString::from).chain(run_words(lab, name, configuration)).collect();
        let spawn = Spawn::new(&words[0], lab.path(&format!("{name}.log"))).args(&words[1..]);
        let process = lab.machine(node).spawn(spawn);
        Self { lab, node, runtime_dir: runtime_dir(lab, name), process }
    }

    /// Starts `fmc-lb run --observe`.
    pub fn observe(lab: &'lab Lab, node: &'static str, configuration: &Configuration) -> Self {
        let words = run_words(lab, node, configuration).into_iter().chain([OsString::from("--observe")]);
        let words: Vec<OsString> = words.collect();
        let spawn = Spawn::new(&words[0], lab.path(&format!("{node}.log"))).args(&words[1..]);
        Self { lab, node, runtime_dir: runtime_dir(lab, node), process: lab.machine(node).spawn(spawn) }
    }

    /// Its node's name.
    pub fn node(&self) -> &'static str {
        self.node
    }

    /// Waits until `/readyz` says so: listeners are bound and the first checks are made.
    ///
    /// # Panics
    /// When that takes more than 5 s.
    pub fn wait_until_ready(&self) {
        let machine = self.lab.machine(self.node);
        let ready = ["-fsS", "-o", "/dev/null", "--max-time", "1", "http://127.0.0.1:9109/readyz"];
        let what = format!("{} is ready", self.node);
        eventually(&what, Duration::from_secs(5), || {
            assert!(process::is_alive(self.process.pid()), "{} ended instead of becoming ready", self.node);
            machine.output("curl", &ready).status.success()
        });
    }

    /// Waits until its proxy answers its tool, whether or not there is a server to forward to.
    ///
    /// # Panics
    /// When that takes more than 5 s.
    pub fn wait_until_up(&self) {
        let by_proxy = |status: Status| status.answered_by == Answerer::Proxy;
        eventually(&format!("{} answers", self.node), Duration::from_secs(5), || self.status().is_some_and(by_proxy));
    }

    /// Runs `fmc-lbctl` against this node.
    pub fn ctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(product("fmc-lbctl"));
        command.arg("--socket").arg(self.path("admin.sock")).args(arguments).stdin(Stdio::null());
        command.output().unwrap_or_else(|error| panic!("fmc-lbctl does not start: {error}"))
    }

    /// Runs `fmc-lbctl` and returns what it printed.
    ///
    /// # Panics
    /// With both its outputs, when the exit code is not 0.
    pub fn expect_ctl(&self, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.ctl(arguments);
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "fmc-lbctl {} on {}: {status}\n{stdout}{stderr}", arguments.join(" "), self.node);
        stdout.into_owned()
    }

    /// `fmc-lbctl status --json`, or `None` while nobody answers.
    pub fn status(&self) -> Option<Status> {
        let output = self.ctl(&["--json", "status"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("status as the API types say"))
    }

    /// `fmc-lbctl backends --json`.
    ///
    /// # Panics
    /// When the daemon does not answer.
    pub fn backends(&self) -> BackendList {
        serde_json::from_str(&self.expect_ctl(&["--json", "backends"])).expect("backends as the API types say")
    }

    /// Waits until a server has the health asked for in every backend that has it.
    ///
    /// # Panics
    /// When it has not within `limit`, or no backend has a server of that name.
    pub fn wait_for_health(&self, server: &str, health: Health, limit: Duration) -> Duration {
        let has = |list: BackendList| {
            let servers = list.backends.into_iter().flat_map(|backend| backend.servers);
            let mut wanted = servers.filter(|status| status.name.as_str() == server).peekable();
            wanted.peek().is_some() && wanted.all(|status| status.health == health)
        };
        eventually(&format!("{server} is {health} for {}", self.node), limit, || has(self.backends()))
    }

    /// The process id of a role.
    ///
    /// # Panics
    /// When it does not run within 3 s.
    pub fn pid(&self, role: Role) -> i32 {
        let word = match role {
            Role::Supervisor => return self.process.pid(),
            Role::Keeper => "keeper",
            Role::Proxy => "proxy",
        };
        let what = format!("{} of {} runs", word, self.node);
        eventually_some(&what, Duration::from_secs(3), || child(self.process.pid(), word)).0
    }

    /// Sends a signal to a role, and returns the moment from which it has it.
    pub fn signal(&self, role: Role, signal: Signal) -> Instant {
        signal_pid(self.pid(role), signal)
    }

    /// Stops every role from running, the parent last so that it does not see the children stop. Returns the moment
    /// from which all are stopped.
    pub fn freeze_all(&self) -> Instant {
        self.signal_all(Signal::SIGSTOP)
    }

    /// Ends [`Balancer::freeze_all`], and returns the moment from which all run again.
    pub fn thaw_all(&self) -> Instant {
        self.signal_all(Signal::SIGCONT)
    }

    /// Kills everything so that no process can act on another's death, as a crash of the machine's user space would.
    /// Returns the moment from which all are dead.
    pub fn kill_all(&mut self) -> Instant {
        self.crash();
        self.process.kill()
    }

    /// The same while others talk to it, who then hear its end: nobody waits for it.
    pub fn crash(&self) {
        let roles = self.roles();
        self.freeze_all();
        for pid in roles {
            signal_pid(pid, Signal::SIGKILL);
        }
    }

    /// SIGTERM as systemd sends it, and waits for the end.
    ///
    /// # Panics
    /// When it has not ended within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.process.signal(Signal::SIGTERM);
        self.process.wait(limit)
    }

    /// Waits for an end that it comes to by itself.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// A path in its runtime directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.runtime_dir.join(name)
    }

    fn signal_all(&self, signal: Signal) -> Instant {
        for pid in self.roles() {
            signal_pid(pid, signal);
        }
        Instant::now()
    }

    /// All three process ids, children first.
    pub fn roles(&self) -> Vec<i32> {
        let children = process::children(self.process.pid()).into_iter().map(|(pid, _)| pid);
        children.chain([self.process.pid()]).collect()
    }

    fn dump(&self) {
        let machine = self.lab.machine(self.node);
        for (title, program, arguments) in [
            ("addresses", "ip", &["-4", "-o", "address"][..]),
            ("routes", "ip", &["route"]),
            ("neighbours", "ip", &["neighbour"]),
            ("nftables", "nft", &["list", "ruleset"]),
        ] {
            let output = machine.output(program, arguments);
            eprintln!("--- {}: {title}\n{}", self.node, String::from_utf8_lossy(&output.stdout));
        }
        for verb in ["status", "events"] {
            let output = self.ctl(&[verb]);
            let words = [output.stdout, output.stderr].concat();
            eprintln!("--- {}: fmc-lbctl {verb}\n{}", self.node, String::from_utf8_lossy(&words));
        }
        eprintln!("--- {}: log\n{}", self.node, self.log());
    }
}

impl Drop for Balancer<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.dump();
        }
        self.kill_all();
    }
}

/// Runs `fmc-lb run` to its end where an end is expected: for machines and configurations it must refuse. `wrapper` is
/// a command that runs it with less, `setpriv` for example; often empty.
///
/// # Panics
/// When it still runs after 5 s.
pub fn run_to_end(
    lab: &Lab,
    node: &'static str,
    configuration: &Configuration,
    wrapper: &[&str],
) -> (ExitStatus, String) {
    let words: Vec<OsString> = wrapper.iter().map(OsString::from).chain(run_words(lab, node, configuration)).collect();
    let number = REFUSALS.fetch_add(1, Ordering::Relaxed);
    let spawn = Spawn::new(&words[0], lab.path(&format!("{node}-refused-{number}.log"))).args(&words[1..]);
    let mut process = lab.machine(node).spawn(spawn);
    let status = process.wait(Duration::from_secs(5));
    (status, process.log())
}

/// Each refusal has a log of its own.
static REFUSALS: AtomicU32 = AtomicU32::new(0);

/// The command that the service's unit runs, with this lab's directories.
fn run_words(lab: &Lab, instance: &str, configuration: &Configuration) -> Vec<OsString> {
    let file = configuration.write(lab, &format!("{instance}.toml"));
    let words = [product("fmc-lb").into(), "run".into(), "--config".into(), file.into()];
    let directories = ["--runtime-dir".into(), runtime_dir(lab, instance).into()];
    let state = ["--state-dir".into(), state_dir(lab, instance).into()];
    words.into_iter().chain(directories).chain(state).collect()
}

/// Survives the balancer, as long as its lab.
pub fn state_dir(lab: &Lab, instance: &str) -> PathBuf {
    lab.path(&format!("{instance}.state"))
}

/// Lock, admin socket and record of addresses.
pub fn runtime_dir(lab: &Lab, instance: &str) -> PathBuf {
    lab.path(&format!("{instance}.run"))
}

fn child(parent: i32, word: &str) -> Option<i32> {
    let children = process::children(parent).into_iter();
    children
        .filter(|(pid, _)| process::is_alive(*pid))
        .find(|(_, line)| line.get(1).is_some_and(|role| role == word))
        .map(|(pid, _)| pid)
}
