//! Every state and every event: the next role, and what is done. The compiler finds a pair that is missing.

use super::harness::*;
use crate::router::role::Role;
use crate::router::{AddressLoss, Linger, Link};
use crate::tier::{Cause, Fitness, Tier};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    Startup,
    Shutdown,
    ShutdownLingering,
    LinkDown,
    LinkUp,
    PriorityZero,
    HigherPriority,
    EqualPriorityHigherAddress,
    EqualPriorityLowerAddress,
    LowerRankSameTier,
    LowerTier,
    ForeignLowerPriority,
    Deadline,
    NotServing,
    LocalFall,
    BackendFall,
    AddressExpired,
    AddressRemoved,
    AddressUnanswered,
    Resign,
    Claim,
    PeerSaysActive,
    PeerSaysLeaving,
}

use Given::*;

const EVENTS: [Given; 23] = [
    Startup,
    Shutdown,
    ShutdownLingering,
    LinkDown,
    LinkUp,
    PriorityZero,
    HigherPriority,
    EqualPriorityHigherAddress,
    EqualPriorityLowerAddress,
    LowerRankSameTier,
    LowerTier,
    ForeignLowerPriority,
    Deadline,
    NotServing,
    LocalFall,
    BackendFall,
    AddressExpired,
    AddressRemoved,
    AddressUnanswered,
    Resign,
    Claim,
    PeerSaysActive,
    PeerSaysLeaving,
];

/// The router under test is rank 1 of three, fit, so at priority 253; no heartbeat was heard before.
#[rustfmt::skip]
fn expected(role: Role, event: Given) -> (Role, &'static str) {
    use Role::{Active, Backup, Initialize, Leaving};
    match (role, event) {
        (Initialize, Startup) => (Backup, ""),
        (Initialize, Shutdown | ShutdownLingering | LinkDown | LinkUp) => (Initialize, ""),
        (Initialize, PriorityZero | HigherPriority | EqualPriorityHigherAddress | EqualPriorityLowerAddress) => (Initialize, ""),
        (Initialize, LowerRankSameTier | LowerTier | ForeignLowerPriority | Deadline) => (Initialize, ""),
        (Initialize, NotServing | LocalFall | BackendFall | AddressExpired | AddressRemoved | AddressUnanswered) => (Initialize, ""),
        (Initialize, Resign | Claim | PeerSaysActive | PeerSaysLeaving) => (Initialize, ""),

        (Backup, Startup | LinkUp) => (Backup, ""),
        (Backup, Shutdown | ShutdownLingering | LinkDown | NotServing) => (Initialize, ""),
        (Backup, PriorityZero | HigherPriority | EqualPriorityHigherAddress | EqualPriorityLowerAddress) => (Backup, ""),
        (Backup, LowerRankSameTier | LowerTier | ForeignLowerPriority) => (Backup, ""),
        (Backup, Deadline | Claim) => (Active, "advert 253, add, announce"),
        (Backup, LocalFall | BackendFall | AddressExpired | AddressRemoved | AddressUnanswered) => (Backup, ""),
        (Backup, Resign | PeerSaysActive | PeerSaysLeaving) => (Backup, ""),

        (Active, Startup | LinkUp) => (Active, ""),
        (Active, Shutdown | LinkDown | NotServing) => (Initialize, "advert 0, remove"),
        (Active, ShutdownLingering | LocalFall | Resign) => (Leaving, "advert 0"),
        (Active, PriorityZero | Deadline) => (Active, "advert 253"),
        (Active, HigherPriority | EqualPriorityHigherAddress) => (Backup, "advert 253, remove"),
        (Active, EqualPriorityLowerAddress | LowerRankSameTier | LowerTier | ForeignLowerPriority) => (Active, "advert 253, announce"),
        (Active, BackendFall | Claim | PeerSaysActive | PeerSaysLeaving) => (Active, ""),
        (Active, AddressExpired) => (Backup, "advert 0, remove"),
        (Active, AddressRemoved) => (Active, "add, announce"),
        (Active, AddressUnanswered) => (Initialize, "advert 0, remove"),

        (Leaving, Startup | ShutdownLingering | LinkUp | PriorityZero) => (Leaving, ""),
        (Leaving, Shutdown | LinkDown | NotServing) => (Initialize, "remove"),
        (Leaving, HigherPriority | EqualPriorityHigherAddress | EqualPriorityLowerAddress) => (Backup, "remove"),
        (Leaving, LowerRankSameTier | LowerTier | ForeignLowerPriority | PeerSaysActive) => (Backup, "remove"),
        (Leaving, Deadline) => (Active, "advert 253, add, announce"),
        (Leaving, AddressExpired) => (Backup, "remove"),
        (Leaving, AddressRemoved) => (Leaving, "add"),
        (Leaving, AddressUnanswered) => (Initialize, "remove"),
        (Leaving, LocalFall | BackendFall | Resign | Claim | PeerSaysLeaving) => (Leaving, ""),
    }
}

fn perform(bench: &mut Bench, event: Given) -> String {
    let now = bench.now;
    match event {
        Startup => bench.router.startup(now),
        Shutdown => bench.router.shutdown(Linger::None, now),
        ShutdownLingering => bench.router.shutdown(Linger::UntilTaken, now),
        LinkDown => bench.router.handle_link(Link::Down, now),
        LinkUp => bench.router.handle_link(Link::Up, now),
        PriorityZero => return bench.hear(address(0), 0),
        HigherPriority => return bench.hear(address(0), 254),
        EqualPriorityHigherAddress => return bench.hear(FOREIGN_HIGH, 253),
        EqualPriorityLowerAddress => return bench.hear(FOREIGN_LOW, 253),
        LowerRankSameTier => return bench.hear(address(2), 252),
        LowerTier => return bench.hear(address(0), 102),
        ForeignLowerPriority => return bench.hear(FOREIGN_HIGH, 100),
        Deadline if bench.router.next_deadline().is_some() => return bench.deadline(),
        Deadline => bench.router.handle_deadline(now, ZERO),
        NotServing => return bench.set_fitness(Fitness::NOT_SERVING),
        LocalFall => return bench.set_fitness(Fitness::serving(Tier::Degraded, Cause::Local)),
        BackendFall => return bench.set_fitness(BACKEND_UNFIT),
        AddressExpired => bench.router.handle_address_lost(AddressLoss::Expired, now),
        AddressRemoved => bench.router.handle_address_lost(AddressLoss::Removed, now),
        AddressUnanswered => bench.router.handle_address_lost(AddressLoss::Unanswered, now),
        Resign => drop(bench.router.resign(None, now)),
        Claim => drop(bench.router.claim(0, now)),
        PeerSaysActive => return bench.hear_peer(0, Role::Active, Tier::Fit),
        PeerSaysLeaving => return bench.hear_peer(0, Role::Leaving, Tier::Fit),
    }
    bench.actions()
}

fn bench(role: Role) -> Bench {
    match role {
        Role::Initialize => Bench::stopped(parameters(1, 3)),
        Role::Backup => Bench::backup(),
        Role::Active => Bench::active(),
        Role::Leaving => Bench::leaving(),
    }
}

/// Proves V-41, V-42, V-43, V-44, V-70, V-71, V-72, V-73, V-74, V-75, V-76, V-79.
#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    for role in [Role::Initialize, Role::Backup, Role::Active, Role::Leaving] {
        for event in EVENTS {
            let mut bench = bench(role);
            let done = perform(&mut bench, event);
            assert_eq!((bench.role(), done.as_str()), expected(role, event), "{event:?} in {role}");
        }
    }
}

/// Proves V-42.
#[test]
fn each_state_has_its_one_timer_and_none_is_in_the_past() {
    for role in [Role::Initialize, Role::Backup, Role::Active, Role::Leaving] {
        for event in EVENTS {
            let mut bench = bench(role);
            perform(&mut bench, event);
            let deadline = bench.router.next_deadline();
            assert_eq!(deadline.is_none(), bench.role() == Role::Initialize, "{event:?} in {role}");
            assert!(deadline.is_none_or(|deadline| deadline >= bench.now), "{event:?} in {role}");
        }
    }
}

/// The address follows the role whatever comes: of every pair of events, in every state.
/// Proves V-81.
#[test]
fn the_address_is_installed_exactly_while_the_role_holds_it() {
    for role in [Role::Initialize, Role::Backup, Role::Active, Role::Leaving] {
        for first in EVENTS {
            for second in EVENTS {
                let mut bench = bench(role);
                let mut installed = role.holds_address();
                for event in [first, second] {
                    let done = perform(&mut bench, event);
                    installed = match (done.contains("add"), done.contains("remove")) {
                        (true, _) => true,
                        (_, true) => false,
                        _ => installed,
                    };
                    assert_eq!(installed, bench.role().holds_address(), "{first:?}, {second:?} in {role}");
                }
            }
        }
    }
}
