//! An address thread that the kernel keeps waiting.

use std::time::Duration;

use fmc_vrrp::clock;
use fmc_vrrp::driver::Command;
use fmc_vrrp::lease::{AddressCommand, Outcome};
use fmc_vrrp::router::role::{Obstacle, Reason, Role};

use crate::keeper::elected;
use crate::lab::{API, WEB, always, eventually, pair};
use crate::lease::leased;
use crate::sniffer::Sniffer;
use crate::wire::{adverts, announcements};

/// Half a lease, a turn of the loop, and a busy machine.
const BOUND: Duration = Duration::from_millis(900);

#[test]
fn a_node_whose_address_does_not_come_gives_it_back_and_takes_part_again_when_it_can() {
    let pair = pair();
    let (first, second) = elected(&pair[0], &pair[1]);
    let mut blockade = second.block_addresses();
    let sniffer = Sniffer::on(&pair[0], "eth0");
    let to_second =
        || Command::Resign { vip: Some("api".parse().unwrap()), to: Some("loadbalancer2".parse().unwrap()) };
    first.command(to_second());
    eventually("the first has given it up", Duration::from_secs(1), || !pair[0].holds(API));
    let without = eventually("the first serves it again", BOUND, || pair[0].holds(API));
    assert!(without > Duration::from_millis(300), "the second had half a lease for it: {without:?}");
    assert!(adverts(&sniffer, 32).iter().any(|advert| advert.message[2] == 0), "the second has not resigned");
    let vip = second.snapshot().vips[0].clone();
    assert_eq!((vip.role, vip.reason), (Role::Initialize, Reason::Obstacle(Obstacle::AddressUnanswered)));
    assert!(second.lines().iter().any(|line| line.starts_with("api: the address was not installed")));
    always("it stays there", Duration::from_millis(700), || pair[0].holds(API) && !pair[1].holds(API));

    blockade.lift();
    eventually("the second is Backup again", Duration::from_secs(1), || second.roles() == [Role::Backup; 2]);
    always("nothing late comes of the old command", Duration::from_millis(500), || {
        pair[0].holds(API) && !pair[1].holds(API)
    });
    let hardware = pair[1].enter(|| fmc_vrrp::kernel::Kernel::open().unwrap().interface_by_name("eth0").unwrap().mac);
    let by_second = |(_, _, sender): &(_, _, pnet::util::MacAddr)| *sender == pnet::util::MacAddr::from(hardware);
    assert!(!announcements(&sniffer, API).iter().any(by_second), "it announced what it did not serve");
    eventually("its heartbeat says so", Duration::from_secs(1), || {
        first.snapshot().peers[0].vips.iter().all(|vip| vip.serving)
    });
    first.command(to_second());
    eventually("now it can be moved there", Duration::from_secs(1), || pair[1].holds(API) && !pair[0].holds(API));
    assert!(pair[0].holds(WEB));
}

/// Proves V-88.
#[test]
fn an_installation_that_a_removal_overtakes_is_undone_and_never_announced() {
    let [one, two] = pair();
    let leased = leased(&one);
    let mut blockade = leased.scratch.block();
    let sniffer = Sniffer::on(&two, "eth0");
    leased.thread.command(AddressCommand::Install(0, 1)).unwrap();
    leased.thread.command(AddressCommand::Announce(0)).unwrap();
    leased.thread.command(AddressCommand::Remove(0, 2)).unwrap();
    leased.tick.stamp(clock::now());
    blockade.lift();
    assert_eq!(leased.outcome(), (2, Outcome::Removed), "and no word of the installation");
    assert!(!one.holds(API));
    assert_eq!(announcements(&sniffer, API), []);
}

#[test]
fn a_removal_that_found_the_queue_full_overtakes_the_installation_too() {
    let [one, _two] = pair();
    let leased = leased(&one);
    let mut blockade = leased.scratch.block();
    leased.thread.command(AddressCommand::Install(0, 1)).unwrap();
    while leased.thread.command(AddressCommand::Announce(0)).is_ok() {}
    leased.thread.command(AddressCommand::Remove(0, 2)).unwrap_err();
    leased.tick.stamp(clock::now());
    blockade.lift();
    eventually("the queue is empty", Duration::from_secs(1), || {
        leased.thread.command(AddressCommand::Remove(0, 3)).is_ok()
    });
    assert_eq!(leased.outcome(), (3, Outcome::Removed), "and no word of the installation");
    always("it is not on the interface", Duration::from_millis(300), || !one.holds(API));
}
