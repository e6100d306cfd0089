//! Routers in a known state, and their actions as words.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fmc_config::model::election::{Centiseconds, ChecksumForm, Failback, Transport, Version};
use fmc_config::model::vip::VirtualRouterId;

use crate::boot_instant::BootInstant;
use crate::heartbeat::PeerReport;
use crate::packet::{Advertisement, IpMeta, MULTICAST_GROUP};
use crate::priority::Priority;
use crate::router::role::{Reason, Role};
use crate::router::{Action, Alarm, Parameters, Peer, VirtualRouter};
use crate::tier::{Cause, Fitness, Tier, TierPriorities};

pub(in crate::router) const VIP: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 32));
pub(in crate::router) const INTERVAL: Duration = Duration::from_millis(100);
pub(in crate::router) const SETTLE: Duration = Duration::from_secs(2);
pub(in crate::router) const LEASE: Duration = Duration::from_secs(1);
pub(in crate::router) const START: BootInstant = BootInstant::from_nanos(1_000_000_000_000);
/// A router that is no node of ours, with a lower and with a higher address than every node.
pub(in crate::router) const FOREIGN_LOW: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 1));
pub(in crate::router) const FOREIGN_HIGH: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 99));
pub(in crate::router) const ZERO: Duration = Duration::ZERO;
pub(in crate::router) const BACKEND_UNFIT: Fitness = Fitness::serving(Tier::Unfit, Cause::Backend);
pub(in crate::router) const LOCAL_UNFIT: Fitness = Fitness::serving(Tier::Unfit, Cause::Local);

pub(in crate::router) const fn millis(value: u64) -> Duration {
    Duration::from_millis(value)
}

pub(in crate::router) fn address(rank: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 168, 0, 30 + rank))
}

/// What the node of `rank` among `nodes` is told.
pub(in crate::router) fn parameters(rank: u8, nodes: u8) -> Parameters {
    let peers = (0..nodes).filter(|&peer| peer != rank).map(|peer| Peer { rank: peer, source: address(peer) });
    Parameters {
        virtual_router_id: VirtualRouterId::new(32).unwrap(),
        address: VIP,
        others: Vec::new(),
        source: address(rank),
        rank,
        version: Version::V3(ChecksumForm::PseudoHeader),
        transport: Transport::Multicast,
        interval: Centiseconds::new(10).unwrap(),
        priorities: TierPriorities::new(254, rank).unwrap(),
        failback: Failback::Never,
        settle: SETTLE,
        lease: LEASE,
        peers: peers.collect(),
    }
}

pub(in crate::router) fn by_unicast() -> Parameters {
    Parameters { transport: Transport::Unicast, ..parameters(1, 3) }
}

pub(in crate::router) fn version_2() -> Parameters {
    Parameters { version: Version::V2(None), interval: Centiseconds::new(100).unwrap(), ..parameters(1, 3) }
}

pub(in crate::router) fn with_failback(failback: Failback) -> Parameters {
    Parameters { failback, ..parameters(1, 3) }
}

/// A router under test on virtual time.
pub(in crate::router) struct Bench {
    pub(in crate::router) router: VirtualRouter,
    pub(in crate::router) now: BootInstant,
    pub(in crate::router) reasons: Vec<Reason>,
    pub(in crate::router) alarms: Vec<Alarm>,
}

impl Bench {
    pub(in crate::router) fn stopped(parameters: Parameters) -> Self {
        let mut router = VirtualRouter::new(parameters, START);
        router.set_fitness(Fitness::FIT, START);
        let mut bench = Self { router, now: START, reasons: Vec::new(), alarms: Vec::new() };
        bench.actions();
        bench
    }

    /// Rank 1 of three, started and still listening.
    pub(in crate::router) fn backup() -> Self {
        Self::backup_with(parameters(1, 3))
    }

    pub(in crate::router) fn backup_with(parameters: Parameters) -> Self {
        let mut bench = Self::stopped(parameters);
        bench.router.startup(START);
        bench.actions();
        bench
    }

    /// Active for a second, so that the burst of promotion is over, and 10 ms after its last advertisement.
    pub(in crate::router) fn active() -> Self {
        Self::active_with(parameters(1, 3))
    }

    pub(in crate::router) fn active_with(parameters: Parameters) -> Self {
        let mut bench = Self::backup_with(parameters);
        bench.deadline();
        assert_eq!(bench.router.role(), Role::Active);
        let settled = bench.now + millis(1000);
        while bench.router.next_deadline().unwrap() <= settled {
            bench.deadline();
        }
        bench.after(millis(10));
        bench.forget();
        bench
    }

    pub(in crate::router) fn leaving() -> Self {
        let mut bench = Self::active();
        bench.router.resign(None, bench.now).unwrap();
        bench.actions();
        bench.forget();
        bench
    }

    pub(in crate::router) fn forget(&mut self) {
        self.reasons.clear();
        self.alarms.clear();
    }

    pub(in crate::router) fn after(&mut self, span: Duration) -> &mut Self {
        self.now = self.now + span;
        self
    }

    /// What is to be sent, installed and announced, as words; reasons and alarms go to their lists.
    pub(in crate::router) fn actions(&mut self) -> String {
        let mut words = Vec::new();
        while let Some(action) = self.router.poll_action() {
            match action {
                Action::SendAdvertisement(priority) => words.push(format!("advert {priority}")),
                Action::AddAddress => words.push("add".to_owned()),
                Action::RemoveAddress => words.push("remove".to_owned()),
                Action::Announce => words.push("announce".to_owned()),
                Action::SendHeartbeat => {}
                Action::RoleChanged(change) => self.reasons.push(change.reason),
                Action::Alarm(alarm) => self.alarms.push(alarm),
            }
        }
        words.join(", ")
    }

    /// Goes to the next deadline and performs it on time.
    pub(in crate::router) fn deadline(&mut self) -> String {
        self.now = self.router.next_deadline().unwrap();
        self.router.handle_deadline(self.now, ZERO);
        self.actions()
    }

    /// Performs the next deadline this late.
    pub(in crate::router) fn deadline_late_by(&mut self, late_by: Duration) -> String {
        self.now = self.router.next_deadline().unwrap() + late_by;
        self.router.handle_deadline(self.now, late_by);
        self.actions()
    }

    pub(in crate::router) fn hear(&mut self, source: IpAddr, priority: u8) -> String {
        self.hear_at_interval(source, priority, 10)
    }

    pub(in crate::router) fn hear_at_interval(&mut self, source: IpAddr, priority: u8, interval: u16) -> String {
        let id = VirtualRouterId::new(32).unwrap();
        let interval = Centiseconds::new(interval).unwrap();
        let advertisement = Advertisement::of_one(id, Priority::new(priority), interval, VIP);
        self.router.handle_advertisement(&advertisement, &multicast(source), self.now).unwrap();
        self.actions()
    }

    /// A heartbeat of the node of `rank`.
    pub(in crate::router) fn hear_peer(&mut self, rank: u8, role: Role, tier: Tier) -> String {
        self.router.handle_peer(rank, report(rank, role, tier), self.now);
        self.actions()
    }

    pub(in crate::router) fn set_fitness(&mut self, fitness: Fitness) -> String {
        self.router.set_fitness(fitness, self.now);
        self.actions()
    }

    pub(in crate::router) fn until_deadline(&self) -> Duration {
        self.router.next_deadline().unwrap().saturating_duration_since(self.now)
    }

    pub(in crate::router) fn role(&self) -> Role {
        self.router.role()
    }
}

pub(in crate::router) fn multicast(source: IpAddr) -> IpMeta {
    IpMeta { ttl: 255, source, destination: MULTICAST_GROUP }
}

pub(in crate::router) fn report(rank: u8, role: Role, tier: Tier) -> PeerReport {
    PeerReport {
        virtual_router_id: 32,
        address: VIP,
        source: address(rank),
        role,
        tier,
        serving: true,
        priority: TierPriorities::new(254, rank).unwrap().of(tier),
        claim: None,
    }
}
