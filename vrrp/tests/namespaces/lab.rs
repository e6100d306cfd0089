//! Namespaces, links and waiting.

use std::fs::{File, OpenOptions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fmc_vrrp::kernel::Kernel;
use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

pub(crate) const API: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32));
pub(crate) const WEB: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 33));

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One test at a time: the kernel has one rtnl lock for all namespaces, and tests beside each other would measure each other.
static TURN: Mutex<()> = Mutex::new(());

/// A network namespace that goes when this does.
pub(crate) struct Namespace {
    name: String,
    /// Held by the last one of a test.
    turn: Option<MutexGuard<'static, ()>>,
}

impl Namespace {
    fn new() -> Self {
        assert!(
            geteuid().is_root(),
            "these tests make network namespaces and need root: sudo -E env PATH=$PATH cargo test -p fmc-vrrp --test namespaces"
        );
        let name = format!("vos-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(&format!("ip netns add {name}"));
        let namespace = Self { name, turn: None };
        namespace.ip("link set lo up");
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `ip` inside.
    pub(crate) fn ip(&self, arguments: &str) {
        run(&format!("ip -n {} {arguments}", self.name));
    }

    /// `nft` inside.
    pub(crate) fn nft(&self, arguments: &str) {
        run(&format!("ip netns exec {} nft {arguments}", self.name));
    }

    /// Runs `body` on a thread of its own inside.
    pub(crate) fn enter<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(|| self.join_and(body)).join())
            .expect("the body has passed its assertions")
    }

    /// Moves the calling thread inside.
    pub(crate) fn join_and<T>(&self, body: impl FnOnce() -> T) -> T {
        let handle = File::open(Path::new("/run/netns").join(&self.name)).unwrap();
        setns(handle, CloneFlags::CLONE_NEWNET).unwrap();
        body()
    }

    /// Whether some interface inside has this address.
    pub(crate) fn holds(&self, address: IpAddr) -> bool {
        self.enter(|| Kernel::open().unwrap().addresses().unwrap().iter().any(|held| held.address == address))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
        drop(self.turn.take());
    }
}

/// Two balancers, back to back: `eth0` is 192.168.0.30 in the first and .31 in the second.
pub(crate) fn pair() -> [Namespace; 2] {
    pairs(1).remove(0)
}

/// So many of them, each on a link of its own.
pub(crate) fn pairs(count: usize) -> Vec<[Namespace; 2]> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut pairs: Vec<_> = (0..count).map(|_| back_to_back()).collect();
    pairs[count - 1][1].turn = Some(turn);
    pairs
}

fn back_to_back() -> [Namespace; 2] {
    let pair = [Namespace::new(), Namespace::new()];
    let [one, two] = &pair;
    one.ip(&format!("link add eth0 type veth peer name eth0 netns {}", two.name));
    for (namespace, host) in [(one, 30), (two, 31)] {
        namespace.ip(&format!("addr add 192.168.0.{host}/24 dev eth0"));
        namespace.ip("link set eth0 up");
    }
    let is_up =
        |namespace: &Namespace| namespace.enter(|| Kernel::open().unwrap().interface_by_name("eth0").unwrap().up);
    eventually("the link is up", Duration::from_secs(5), || is_up(one) && is_up(two));
    pair
}

/// Two balancers and a stranger on one bridge: `eth0` is 192.168.0.30, .31 and .99.
pub(crate) fn lan() -> [Namespace; 3] {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hosts = [Namespace::new(), Namespace::new(), Namespace::new()];
    hosts[2].turn = Some(turn);
    let switch = &hosts[2];
    switch.ip("link add lan type bridge");
    switch.ip("link set lan up");
    for (number, namespace) in hosts.iter().enumerate() {
        let (port, host) = (format!("port{number}"), [30, 31, 99][number]);
        switch.ip(&format!("link add {port} type veth peer name eth0 netns {}", namespace.name));
        switch.ip(&format!("link set {port} master lan up"));
        namespace.ip(&format!("addr add 192.168.0.{host}/24 dev eth0"));
        namespace.ip("link set eth0 up");
    }
    for namespace in &hosts {
        eventually("the link is up", Duration::from_secs(5), || {
            namespace.enter(|| Kernel::open().unwrap().interface_by_name("eth0").unwrap().up)
        });
    }
    hosts
}

/// Waits until `holds`, and says how long that took.
pub(crate) fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    began.elapsed()
}

/// For so long it never stops to hold.
pub(crate) fn always(what: &str, during: Duration, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while began.elapsed() < during {
        assert!(holds(), "broken after {:?}: {what}", began.elapsed());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A directory for the record of one node.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        let name = format!("fmc-vrrp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Whoever records an address waits from now on.
    pub(crate) fn block(&self) -> Blockade {
        let pipe = self.0.join("addresses.new");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        Blockade { pipe, reader: None }
    }
}

/// Keeps an address thread waiting as the kernel's rtnl lock would: the next record is to be written to a pipe that nobody
/// reads. Ends when it is lifted or dropped.
pub(crate) struct Blockade {
    pipe: PathBuf,
    reader: Option<File>,
}

impl Blockade {
    pub(crate) fn lift(&mut self) {
        let nonblocking = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(&self.pipe);
        self.reader = Some(nonblocking.unwrap());
    }
}

impl Drop for Blockade {
    fn drop(&mut self) {
        if self.reader.is_none() {
            self.lift();
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn run(line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}
