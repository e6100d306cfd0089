//! Active, Backup, and what takes a node from one to the other.

use std::time::Duration;

use fmc_tests::balancer::Balancer;
use fmc_tests::eventually::eventually;
use fmc_tests::figure::figure;
use fmc_tests::foreign_router::{Advert, ForeignRouter, Seen, What, now};
use fmc_tests::pair::NODES;
use fmc_tests::server::Server;

use crate::scene::{
    DOWN, EARLY, FAMILIES, INTERVAL, IPV4, IPV6, LONG, PRIORITY, SKEW, advertises, answers, ask_and_ping,
    configuration, echoes, hardware_of, lab, ours, rival, rival_advertises, rival_stops, takes_over,
};

/// Shows B-01, B-03, B-09, B-12, B-14, B-20.
#[test]
fn a_node_alone_joins_its_group_advertises_announces_answers_accepts_and_resigns() {
    let lab = lab();
    let _workers = Server::workers(&lab);
    let mut router = ForeignRouter::start(&lab, "client");
    let mut node = Balancer::start(&lab, NODES[0], &configuration());
    advertises(&router, 0.0);
    let hardware = hardware_of(&lab, NODES[0]);
    let asked = now();
    std::thread::sleep(INTERVAL);
    ask_and_ping(&mut router, &hardware);
    for family in FAMILIES {
        let vip = family.vip;
        eventually(&format!("{vip} answers"), LONG, || !answers(&router, family, asked).is_empty());
        assert_eq!(answers(&router, family, asked), [hardware.as_str()], "{vip} is at the address of the node's card");
        eventually(&format!("{vip} accepts packets"), LONG, || echoes(&router, family, asked) == 1);
        let first = ours(&router, family, 0.0)[0].0;
        for (_, advert) in ours(&router, family, 0.0) {
            let Advert { version, priority, interval, ttl, traffic_class, .. } = advert;
            assert_eq!((version, priority, interval, ttl, traffic_class), (3, PRIORITY, 10, 255, 0xc0), "{advert:?}");
            assert_eq!(
                (advert.destination.as_str(), advert.to_hardware.as_str()),
                (family.group, family.group_hardware)
            );
            assert!(advert.checksum_holds && advert.addresses == [vip], "{advert:?}");
        }
        let joined = What::Joined { group: family.group.to_owned() };
        let joining = router.seen(0.0).into_iter().find(|seen| seen.what == joined);
        assert!(joining.is_some_and(|seen| seen.at < first), "it never joined {}, or spoke before", family.group);
        let is_announcement = |seen: &Seen| matches!(&seen.what, What::Announcement { address, .. } if address == vip);
        let announced = router.seen(0.0).into_iter().find(is_announcement);
        assert!(announced.is_some_and(|seen| seen.at > first), "{vip} is announced after the first advertisement");
    }

    let stopping = now();
    assert!(node.terminate(Duration::from_secs(12)).success());
    for family in FAMILIES {
        let said = ours(&router, family, stopping);
        let resignations = said.iter().filter(|(_, advert)| advert.priority == 0).count();
        assert_eq!((resignations, said.last().map(|(_, last)| last.priority)), (1, Some(0)), "{said:?}");
    }
}

/// Shows B-02, B-04, B-05, B-06, B-07, B-08, B-13, B-15, B-16, B-17, B-18, B-19, B-29.
#[test]
fn a_backup_is_silent_and_deaf_takes_over_at_the_end_of_its_timer_and_obeys_whoever_is_better() {
    let lab = lab();
    let _workers = Server::workers(&lab);
    let mut router = ForeignRouter::start(&lab, "client");
    let hardware = hardware_of(&lab, NODES[0]);
    rival_advertises(&mut router, "better", |family| rival(family, 200));
    let began = now();
    let node = Balancer::start(&lab, NODES[0], &configuration());
    node.wait_until_ready();
    std::thread::sleep(LONG);
    ask_and_ping(&mut router, &hardware);
    std::thread::sleep(INTERVAL * 3);
    for family in FAMILIES {
        assert_eq!(ours(&router, family, began), [], "a Backup of {} is silent", family.vip);
        assert!(answers(&router, family, began).is_empty(), "a Backup answers for {}", family.vip);
        assert_eq!(echoes(&router, family, began), 0, "a Backup accepts packets to {}", family.vip);
    }

    rival_stops(&mut router, "better");
    takes_over(&router, "better", "silence", DOWN);

    // Whoever was Active and hears a better one says nothing more.
    rival_advertises(&mut router, "again", |family| rival(family, 200));
    std::thread::sleep(INTERVAL * 3);
    let preempted = now();
    std::thread::sleep(LONG / 2);
    ask_and_ping(&mut router, &hardware);
    std::thread::sleep(INTERVAL * 3);
    for family in FAMILIES {
        assert_eq!(ours(&router, family, preempted), [], "{} was given up", family.vip);
        assert!(answers(&router, family, preempted).is_empty(), "{} was given up", family.vip);
    }

    // A worse one does not wind the timer up.
    rival_stops(&mut router, "again");
    rival_advertises(&mut router, "worse", |family| rival(family, 100));
    takes_over(&router, "again", "a worse rival goes on", DOWN);
    let preempting = now();
    std::thread::sleep(LONG / 2);
    for family in FAMILIES {
        let said = ours(&router, family, preempting);
        assert!(said.len() >= 8, "{} is kept beside a worse rival: {}", family.vip, said.len());
    }
    rival_stops(&mut router, "worse");
}

/// Shows B-27.
#[test]
fn a_resignation_and_an_equal_are_answered_as_the_rfc_has_it_by_the_owner_and_by_the_backup() {
    let lab = lab();
    let _workers = Server::workers(&lab);
    let mut router = ForeignRouter::start(&lab, "client");
    let _node = Balancer::start(&lab, NODES[0], &configuration());
    advertises(&router, 0.0);

    // Whoever owns the address answers a resignation at once, so that all know: its next advertisement is not waited for.
    for (name, family) in [("gone4", IPV4), ("gone6", IPV6)] {
        let last = ours(&router, family, 0.0).last().map_or(0.0, |(at, _)| *at);
        eventually("just advertised", LONG, || ours(&router, family, last + EARLY).len() == 1);
        router.send(name, &rival(family, 0));
        std::thread::sleep(INTERVAL * 2);
        let sent = router.last_sent(name);
        let answered = ours(&router, family, sent)[0].0 - sent;
        figure(&format!("an owner answers a resignation for {} after", family.vip), Duration::from_secs_f64(answered));
        assert!(answered < 0.08, "{} waited for its next advertisement: {answered}", family.vip);
    }

    // Among equals the higher address wins.
    rival_advertises(&mut router, "low", |family| rival(family, PRIORITY).with("source", family.rivals[1]));
    let began = now();
    std::thread::sleep(LONG / 2);
    for family in FAMILIES {
        assert!(ours(&router, family, began).len() >= 8, "{} was given to the lower of two addresses", family.vip);
    }
    rival_stops(&mut router, "low");
    rival_advertises(&mut router, "high", |family| rival(family, PRIORITY));
    std::thread::sleep(INTERVAL * 3);
    let began = now();
    std::thread::sleep(LONG / 2);
    for family in FAMILIES {
        assert_eq!(ours(&router, family, began), [], "{} was kept from the higher of two addresses", family.vip);
    }

    // A Backup that hears a resignation waits no more than its skew.
    router.stop("high4");
    router.send("high4", &rival(IPV4, 0));
    router.stop("high6");
    router.send("high6", &rival(IPV6, 0));
    std::thread::sleep(INTERVAL / 2);
    takes_over(&router, "high", "a resignation", SKEW);
}
