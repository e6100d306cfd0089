//! The address thread and the kernel's lifetimes.

use std::time::{Duration, Instant};

use fmc_config::model::vip::VirtualRouterId;
use fmc_vrrp::clock;
use fmc_vrrp::driver::Keeper;
use fmc_vrrp::kernel::{Address, Kernel};
use fmc_vrrp::lease::{
    AddressCommand, AddressReport, AddressThread, Holding, Home, Outcome, Outfit, Port, Record, Tick,
    VirtualInterfaces, cleanup,
};
use fmc_vrrp::realtime;
use fmc_vrrp::router::AddressLoss;
use fmc_vrrp::socket::AnnouncementSocket;

use crate::keeper::{Running, refusal, settings};
use crate::lab::{API, Namespace, Scratch, WEB, always, eventually, pair};

/// An address thread for the API's VIP in the first namespace.
pub(crate) struct Leased {
    pub(crate) thread: AddressThread,
    pub(crate) tick: Tick,
    pub(crate) scratch: Scratch,
}

pub(crate) fn leased(namespace: &Namespace) -> Leased {
    let scratch = Scratch::new();
    let tick = Tick::default();
    tick.stamp(clock::now());
    let thread = namespace.enter(|| {
        let mut kernel = Kernel::open().unwrap();
        let interface = kernel.interface_by_name("eth0").unwrap();
        let port = Port {
            announcer: AnnouncementSocket::open("eth0", interface.index).unwrap(),
            interface,
            primary: [192, 168, 0, 30].into(),
            virtual_router_ids: vec![VirtualRouterId::new(32).unwrap().get()],
        };
        let record = Record::open(scratch.path()).unwrap();
        let holdings =
            vec![Holding { homes: vec![Home { address: API, on: 0, virtual_mac: None }], virtual_router_id: 32 }];
        let virtual_interfaces = VirtualInterfaces::open(scratch.path()).unwrap();
        let (ports, tick) = (vec![port], tick.clone());
        let outfit = Outfit { holdings, ports, record, virtual_interfaces, kernel, tick, realtime: true };
        AddressThread::start(outfit).unwrap()
    });
    Leased { thread, tick, scratch }
}

impl Leased {
    pub(crate) fn outcome(&self) -> (u32, Outcome) {
        let mut found = None;
        eventually("a report", Duration::from_secs(3), || {
            found = self.thread.report();
            found.is_some()
        });
        match found {
            Some(AddressReport::Address(0, epoch, outcome)) => (epoch, outcome),
            other => panic!("{other:?}"),
        }
    }

    fn install(&self) {
        self.tick.stamp(clock::now());
        self.thread.command(AddressCommand::Install(0, 1)).unwrap();
        assert_eq!(self.outcome(), (1, Outcome::Installed));
    }
}

fn held(namespace: &Namespace) -> Option<Address> {
    namespace.enter(|| Kernel::open().unwrap().addresses().unwrap().into_iter().find(|held| held.address == API))
}

/// Stamps the tick as an election does, on time whatever else the machine has to do.
fn turn_for(tick: &Tick, span: Duration) {
    realtime::schedule(realtime::ELECTION_PRIORITY);
    let began = Instant::now();
    while began.elapsed() < span {
        tick.stamp(clock::now());
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_installed_address_is_a_labelled_host_address_with_a_lifetime_and_lives_as_long_as_the_election() {
    let [one, _two] = pair();
    let leased = leased(&one);
    leased.install();
    let seen = held(&one).unwrap();
    assert_eq!((seen.prefix_length, seen.label.as_str(), seen.permanent), (32, "eth0:fmc", false));
    std::thread::scope(|scope| {
        let election = scope.spawn(|| turn_for(&leased.tick, Duration::from_millis(2600)));
        while !election.is_finished() {
            assert!(held(&one).is_some());
        }
    });
    leased.thread.command(AddressCommand::Remove(0, 2)).unwrap();
    assert_eq!(leased.outcome(), (2, Outcome::Removed));
    assert_eq!(held(&one), None);
    assert_eq!(std::fs::read_to_string(leased.scratch.path().join("addresses")).unwrap(), "");
}

/// Proves V-100.
#[test]
fn an_address_is_given_up_when_the_election_no_longer_turns() {
    let [one, _two] = pair();
    let leased = leased(&one);
    leased.install();
    let gone = eventually("the address leaves", Duration::from_millis(2100), || held(&one).is_none());
    assert!(gone > Duration::from_millis(300), "left after {gone:?} already");
    assert_eq!(leased.outcome(), (1, Outcome::Lost(AddressLoss::Expired)));
    always("it does not come back", Duration::from_millis(1200), || held(&one).is_none());
}

#[test]
fn an_install_that_waited_while_the_election_was_frozen_is_not_made() {
    let [one, _two] = pair();
    let leased = leased(&one);
    std::thread::sleep(Duration::from_millis(400));
    leased.thread.command(AddressCommand::Install(0, 5)).unwrap();
    assert_eq!(leased.outcome(), (5, Outcome::Lost(AddressLoss::Expired)));
    assert_eq!(held(&one), None);
}

#[test]
fn a_dropped_address_thread_takes_its_addresses_with_it() {
    let [one, _two] = pair();
    let leased = leased(&one);
    leased.install();
    drop(leased.thread);
    assert_eq!(held(&one), None);
}

#[test]
fn an_address_that_somebody_added_meanwhile_is_not_taken_over() {
    let [one, _two] = pair();
    let leased = leased(&one);
    one.ip("addr add 192.168.0.32/32 dev eth0");
    leased.thread.command(AddressCommand::Install(0, 1)).unwrap();
    let (_, outcome) = leased.outcome();
    let expected = "192.168.0.32 is on eth0 but not marked as ours; it may be Keepalived's: stop it there, or \
                    `ip addr del 192.168.0.32/32 dev eth0`";
    assert_eq!(outcome, Outcome::Failed(expected.to_owned()));
    assert!(held(&one).is_some_and(|held| held.permanent && held.label == "eth0"));
}

/// Proves V-100.
#[test]
fn cleanup_removes_what_is_marked_by_label_or_by_record_and_nothing_else() {
    let [one, _two] = pair();
    let scratch = Scratch::new();
    one.ip("link add a-longer-name type veth peer name other");
    one.ip("addr add 192.168.0.32/32 dev eth0 label eth0:fmc");
    one.ip("addr add 192.168.0.33/32 dev a-longer-name valid_lft 60 preferred_lft 60");
    one.ip("addr add 192.168.0.34/32 dev eth0 valid_lft 60 preferred_lft 60");
    one.ip("addr add 192.168.0.35/32 dev eth0");
    let record = "a-longer-name 192.168.0.33\neth0 192.168.0.35\nnot a line of ours\n";
    std::fs::write(scratch.path().join("addresses"), record).unwrap();
    let removed = one.enter(|| cleanup(scratch.path()).unwrap());
    let mut removed: Vec<_> = removed.iter().map(ToString::to_string).collect();
    removed.sort();
    assert_eq!(removed, ["192.168.0.32 from eth0", "192.168.0.33 from a-longer-name"]);
    for (host, stays) in [(30, true), (32, false), (33, false), (34, true), (35, true)] {
        assert_eq!(one.holds([192, 168, 0, host].into()), stays, "192.168.0.{host}");
    }
    assert!(one.enter(|| cleanup(scratch.path()).unwrap()).is_empty());
}

#[test]
fn a_keeper_does_not_start_beside_an_unmarked_virtual_address_and_leaves_it_alone() {
    let [one, _two] = pair();
    let scratch = Scratch::new();
    one.ip("addr add 192.168.0.33/24 dev eth0");
    let sentence = one.enter(|| refusal(settings(0), scratch.path()));
    assert!(sentence.starts_with("192.168.0.33 is on eth0 but not marked as ours"), "{sentence}");
    assert!(sentence.ends_with("`ip addr del 192.168.0.33/24 dev eth0`"), "{sentence}");
    assert!(one.holds(WEB));
}

/// Proves V-100.
#[test]
fn a_keeper_removes_what_an_earlier_one_left_before_it_begins() {
    let [one, _two] = pair();
    let scratch = Scratch::new();
    one.ip("addr add 192.168.0.32/32 dev eth0 label eth0:fmc");
    let keeper = one.enter(|| Keeper::start(settings(0), scratch.path()).unwrap());
    assert!(!one.holds(API));
    drop(keeper);
}

#[test]
fn a_removed_address_is_added_again() {
    let [one, _two] = pair();
    let running = Running::fit(&one, settings(0));
    eventually("it owns the address", Duration::from_secs(3), || one.holds(API));
    let began = Instant::now();
    one.ip("addr del 192.168.0.32/32 dev eth0");
    eventually("it is back", Duration::from_secs(1), || one.holds(API));
    assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    drop(running);
    assert!(!one.holds(API));
}
