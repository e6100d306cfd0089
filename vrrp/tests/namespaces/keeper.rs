//! A keeper on a thread of this process, commanded and heard by the test.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fmc_config::model::election::{Centiseconds, ChecksumForm, Failback, Transport, Version};
use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::boot_instant::BootInstant;
use fmc_vrrp::driver::{
    Command, Control, Keeper, KeeperSettings, PairKeys, PeerSettings, Report, Snapshot, VipSettings,
};
use fmc_vrrp::router::role::Role;
use fmc_vrrp::tier::Fitness;

use crate::lab::{API, Blockade, Namespace, Scratch, WEB, eventually};

/// 100 ms adverts, two nodes, two VIPs.
pub(crate) fn settings(rank: u8) -> KeeperSettings {
    let node = |rank: u8| {
        (format!("loadbalancer{}", rank + 1).parse().unwrap(), IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30 + rank)))
    };
    let (name, address) = node(rank);
    let (peer_name, peer_address) = node(1 - rank);
    KeeperSettings {
        node: name,
        rank,
        address,
        other_addresses: Vec::new(),
        peers: vec![PeerSettings {
            name: peer_name,
            address: peer_address,
            other_addresses: Vec::new(),
            rank: 1 - rank,
        }],
        vips: vec![vip("api", API), vip("web", WEB)],
        interval: Centiseconds::new(10).unwrap(),
        failback: Failback::Never,
        priority: 254,
        version: Version::V3(ChecksumForm::PseudoHeader),
        transport: Transport::Multicast,
        pair_port: NonZeroU16::new(1112).unwrap(),
        keys: PairKeys::new(vec![b"a key of at least 32 bytes, shared".to_vec()]),
        auth_hmac: None,
        config_hash: 7,
        // As in service: else the other work of a busy machine decides when adverts leave.
        realtime: true,
        observe: false,
    }
}

fn vip(name: &str, address: IpAddr) -> VipSettings {
    VipSettings {
        name: name.parse().unwrap(),
        address,
        virtual_router_id: VirtualRouterId::new(octets(address)[octets(address).len() - 1]).unwrap(),
        interface: None,
        virtual_mac: false,
        settle: Duration::from_secs(1),
        followers: Vec::new(),
    }
}

/// As they stand in a packet.
pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The election's correspondent in these tests.
pub(crate) struct Desk {
    commands: Receiver<Command>,
    wake: UnixStream,
    reports: Arc<Mutex<Vec<Report>>>,
    freeze: Arc<AtomicU64>,
}

impl Control for Desk {
    fn fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    fn receive(&mut self, _now: BootInstant) -> Option<Command> {
        let _ = self.wake.read(&mut [0; 16]);
        self.commands.try_recv().ok()
    }

    fn publish(&mut self, report: Report) {
        self.reports.lock().unwrap().push(report);
    }

    fn tick(&mut self, now: BootInstant) -> BootInstant {
        std::thread::sleep(Duration::from_millis(self.freeze.swap(0, Ordering::Relaxed)));
        now + Duration::from_millis(20)
    }
}

/// A running keeper; dropped, it ends at once and without lingering.
pub(crate) struct Running {
    commands: Sender<Command>,
    wake: UnixStream,
    pub(crate) reports: Arc<Mutex<Vec<Report>>>,
    freeze: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
    scratch: Scratch,
}

impl Running {
    /// Starts it; the proxy of this node says that it is fit.
    pub(crate) fn fit(namespace: &Namespace, settings: KeeperSettings) -> Self {
        let running = Self::start(namespace, settings);
        running.set_fitness(Fitness::FIT);
        running
    }

    pub(crate) fn start(namespace: &Namespace, settings: KeeperSettings) -> Self {
        let scratch = Scratch::new();
        let keeper = namespace.enter(|| Keeper::start(settings, scratch.path()).map_err(|refusal| refusal.to_string()));
        let (commands, taken) = channel();
        let (wake, waker) = UnixStream::pair().unwrap();
        wake.set_nonblocking(true).unwrap();
        let (reports, freeze) = (Arc::default(), Arc::default());
        let mut desk = Desk { commands: taken, wake, reports: Arc::clone(&reports), freeze: Arc::clone(&freeze) };
        let keeper = keeper.unwrap();
        let thread = std::thread::spawn(move || keeper.run(&mut desk));
        Self { commands, wake: waker, reports, freeze, thread: Some(thread), scratch }
    }

    pub(crate) fn command(&self, command: Command) {
        self.commands.send(command).unwrap();
        (&self.wake).write_all(&[1]).unwrap();
    }

    pub(crate) fn set_fitness(&self, fitness: Fitness) {
        for name in ["api", "web"] {
            self.command(Command::Fitness { vip: name.parse().unwrap(), fitness });
        }
    }

    /// The election thread does nothing for so long.
    pub(crate) fn freeze(&self, for_so_long: Duration) {
        self.freeze.store(for_so_long.as_millis() as u64, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.reports.lock().unwrap().retain(|report| !matches!(report, Report::Snapshot(_)));
        self.command(Command::Status);
        let mut found = None;
        eventually("a snapshot", Duration::from_secs(3), || {
            let reports = self.reports.lock().unwrap();
            found = reports.iter().find_map(|report| match report {
                Report::Snapshot(snapshot) => Some((**snapshot).clone()),
                _ => None,
            });
            found.is_some()
        });
        found.unwrap()
    }

    /// Its address thread waits at the next address that it installs.
    pub(crate) fn block_addresses(&self) -> Blockade {
        self.scratch.block()
    }

    pub(crate) fn roles(&self) -> [Role; 2] {
        let vips = self.snapshot().vips;
        [vips[0].role, vips[1].role]
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        let line = |report: &Report| match report {
            Report::Log { text, .. } => Some(text.clone()),
            _ => None,
        };
        reports.iter().filter_map(line).collect()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::Shutdown { linger: false });
        let _ = (&self.wake).write_all(&[1]);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the election thread panicked");
        }
    }
}

/// Two fit nodes, the first of which owns both addresses: it was there first.
pub(crate) fn elected(one: &Namespace, two: &Namespace) -> (Running, Running) {
    let first = Running::fit(one, settings(0));
    eventually("the first owns both", Duration::from_secs(5), || first.roles() == [Role::Active; 2] && one.holds(WEB));
    let second = Running::fit(two, settings(1));
    eventually("the second is its backup", Duration::from_secs(5), || {
        second.roles() == [Role::Backup; 2] && first.snapshot().peers[0].vips.len() == 2
    });
    (first, second)
}

/// What `Keeper::start` says when it refuses.
pub(crate) fn refusal(settings: KeeperSettings, runtime_dir: &Path) -> String {
    Keeper::start(settings, runtime_dir).expect_err("this must be refused").to_string()
}
