//! What each of a node's processes may do, read from /proc and tried out. The unit only ever takes more away (tests/systemd).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::certificate::Authority;
use fmc_tests::configuration::Configuration;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{NODES, Pair};
use fmc_tests::server::Server;
use nix::unistd::User;

/// The numbers of capabilities(7).
const NET_BIND_SERVICE: u64 = 1 << 10;
const NET_ADMIN: u64 = 1 << 12;
const NET_RAW: u64 = 1 << 13;
const IPC_LOCK: u64 = 1 << 14;
const SYS_NICE: u64 = 1 << 23;

const SETS: [&str; 5] = ["CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"];

#[test]
fn each_role_has_its_own_user_and_the_capabilities_of_its_work_alone_in_every_thread() {
    let lab = Lab::flatcar_micro_cloud();
    let _masters = Server::masters(&lab, &Authority::new());
    let _workers = Server::workers(&lab);
    let pair = Pair::start(&lab, &Configuration::flatcar_micro_cloud());
    for balancer in [&pair.first, &pair.second] {
        expect_rights(balancer, Role::Keeper, "fmc-lb-keeper", NET_ADMIN | NET_RAW | IPC_LOCK | SYS_NICE);
        expect_rights(balancer, Role::Proxy, "fmc-lb", NET_BIND_SERVICE);
        let supervisor = Credentials::of_process(balancer.pid(Role::Supervisor));
        assert_eq!(supervisor.ids("Uid"), [0; 4], "the supervisor stays root, to start the roles");
    }
}

#[test]
fn whoever_takes_the_proxy_over_can_signal_nobody_forge_no_packet_and_change_no_address() {
    let lab = Lab::flatcar_micro_cloud();
    let balancer = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud());
    balancer.wait_until_up();
    let intruder = Intruder { lab: &lab, user: "fmc-lb", capabilities: "+net_bind_service" };
    let proxy = Credentials::of_process(balancer.pid(Role::Proxy));
    let itself = Credentials::parse(&intruder.can("cat", &["/proc/self/status"]));
    for field in ["Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs"] {
        assert_eq!(itself.field(field), proxy.field(field), "the intruder is no likeness of the proxy");
    }

    for role in [Role::Supervisor, Role::Keeper] {
        intruder.cannot("kill", &["-0", &balancer.pid(role).to_string()]);
    }
    intruder.cannot("socat", &["-u", "/dev/null", "IP4-SENDTO:192.168.0.31:112"]);
    intruder.cannot("ip", &["address", "add", "192.168.0.33/32", "dev", "eth0"]);
    intruder.cannot("ip", &["link", "set", "eth0", "down"]);
    intruder.cannot("nft", &["add", "table", "inet", "intruder"]);
    // Nor the record by which the supervisor removes addresses after a keeper's death, nor what the next start reads.
    for file in ["keeper/intruder", "lock", "intruder"] {
        intruder.cannot("cp", &["/dev/null", &balancer.path(file).display().to_string()]);
    }
    intruder.cannot("rm", &["-f", &balancer.path("admin.sock").display().to_string()]);
    assert_eq!(intruder.can("kill", &["-0", &balancer.pid(Role::Proxy).to_string()]), "", "itself, it may");
}

#[test]
fn a_keeper_can_signal_neither_the_supervisor_nor_the_proxy() {
    let lab = Lab::flatcar_micro_cloud();
    let balancer = Balancer::start(&lab, NODES[0], &Configuration::flatcar_micro_cloud());
    balancer.wait_until_up();
    let capabilities = "+net_admin,+net_raw,+ipc_lock,+sys_nice";
    let intruder = Intruder { lab: &lab, user: "fmc-lb-keeper", capabilities };
    for role in [Role::Supervisor, Role::Proxy] {
        intruder.cannot("kill", &["-0", &balancer.pid(role).to_string()]);
    }
}

fn expect_rights(balancer: &Balancer<'_>, role: Role, user: &'static str, capabilities: u64) {
    let pid = balancer.pid(role);
    let known = User::from_name(user).expect("a user database").unwrap_or_else(|| panic!("no user {user}"));
    // Capabilities are a thread's own: one that was started too early would have kept root's.
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("threads").flatten();
    let mut seen = 0;
    for thread in threads {
        let thread = Credentials::read(&thread.path());
        let who = format!("{role:?} of {}, thread {}", balancer.node(), thread.field("Name"));
        assert_eq!(thread.ids("Uid"), [known.uid.as_raw(); 4], "{who}");
        assert_eq!(thread.ids("Gid"), [known.gid.as_raw(); 4], "{who}");
        assert_eq!(thread.field("Groups"), known.gid.to_string(), "{who}: root's groups are gone");
        let sets = SETS.map(|set| u64::from_str_radix(thread.field(set), 16).expect("a mask"));
        assert_eq!(sets, [capabilities, capabilities, capabilities, 0, 0], "{who}: {SETS:?}");
        assert_eq!(thread.field("NoNewPrivs"), "1", "{who}");
        // The filter is the unit's: the daemon neither adds one nor loses one.
        let ours = Credentials::read(Path::new("/proc/self"));
        assert_eq!(thread.field("Seccomp"), ours.field("Seccomp"), "{who}");
        seen += 1;
    }
    assert!(seen > 1, "{role:?} has threads");
}

/// Someone with exactly the rights of a role, on the first balancer.
struct Intruder<'lab> {
    lab: &'lab Lab,
    user: &'static str,
    capabilities: &'static str,
}

impl Intruder<'_> {
    fn can(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.attempt(program, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} may not {program} {arguments:?}: {said}", self.user);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// For want of a right, and for no other reason.
    fn cannot(&self, program: &str, arguments: &[&str]) {
        let output = self.attempt(program, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{} may {program} {arguments:?}", self.user);
        let denied = ["not permitted", "Permission denied"].iter().any(|words| said.contains(words));
        assert!(denied, "{program} {arguments:?} failed for another reason: {said}");
    }

    fn attempt(&self, program: &str, arguments: &[&str]) -> std::process::Output {
        let sets = format!("-all,{}", self.capabilities);
        let identity = ["--reuid", self.user, "--regid", self.user, "--init-groups", "--no-new-privs"];
        let capabilities = ["--bounding-set", &sets, "--inh-caps", &sets, "--ambient-caps", &sets, program];
        let words: Vec<&str> = [&identity[..], &capabilities, arguments].concat();
        self.lab.machine(NODES[0]).output("setpriv", &words)
    }
}

/// `/proc/PID/status` (proc_pid_status(5)).
struct Credentials(BTreeMap<String, String>);

impl Credentials {
    fn of_process(pid: i32) -> Self {
        Self::read(&Path::new("/proc").join(pid.to_string()))
    }

    fn read(process: &Path) -> Self {
        Self::parse(&fs::read_to_string(process.join("status")).expect("a process that lives"))
    }

    fn parse(status: &str) -> Self {
        let fields = status.lines().filter_map(|line| line.split_once(':'));
        Self(fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect())
    }

    fn field(&self, name: &str) -> &str {
        self.0.get(name).unwrap_or_else(|| panic!("this kernel has no {name} in /proc/PID/status"))
    }

    /// `Uid` or `Gid`: real, effective, saved and file system id.
    fn ids(&self, name: &str) -> [u32; 4] {
        let ids: Vec<u32> = self.field(name).split_whitespace().filter_map(|id| id.parse().ok()).collect();
        ids.try_into().expect("four ids")
    }
}
