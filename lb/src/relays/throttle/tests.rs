use proptest::prelude::*;

use super::*;

const SECOND: Nanos = 1_000_000_000;
const MILLISECOND: Nanos = 1_000_000;
const KIB: usize = 1024;

fn bounds(all: u64, each: u64) -> Bounds {
    Bounds { group: 7, all: Rate::new(all), each: Rate::new(each) }
}

/// Relays that always have more to read, and what each has read.
struct Crowd {
    throttle: Throttle,
    bounds: Bounds,
    read: Vec<usize>,
    /// Some have less to read in a turn than they may.
    appetite: Vec<usize>,
    turns: usize,
}

impl Crowd {
    fn new(bounds: Bounds, appetite: &[usize]) -> Self {
        let read = vec![0; appetite.len()];
        Self { throttle: Throttle::default(), bounds, read, appetite: appetite.to_vec(), turns: 0 }
    }

    /// Turns until it waits.
    fn turns(&mut self, key: usize, now: Nanos) {
        loop {
            self.turns += 1;
            let allowed = self.throttle.allow(key, Way::ToClient, &self.bounds, now);
            if allowed == 0 {
                return;
            }
            let read = allowed.min(self.appetite[key]);
            self.read[key] += read;
            self.throttle.charge(key, Way::ToClient, &self.bounds, read, now);
        }
    }

    /// As the loop does it, with a clock that is late by up to a millisecond.
    fn run(&mut self, from: Nanos, until: Nanos) {
        (0..self.read.len()).for_each(|key| self.turns(key, from));
        let mut now = from;
        while let Some(next) = self.throttle.next().filter(|next| *next < until) {
            now = now.max(next) + MILLISECOND / 2;
            self.throttle.wake(now).into_iter().for_each(|key| self.turns(key, now));
        }
    }

    fn total(&self) -> usize {
        self.read.iter().sum()
    }
}

#[test]
fn one_relay_reads_at_its_rate_and_is_not_asked_much_more_often_than_it_reads() {
    for rate in [1 << 10, 1 << 20, 100 << 20, 10 << 30] {
        let mut crowd = Crowd::new(bounds(0, rate), &[usize::MAX]);
        crowd.run(SECOND, 11 * SECOND);
        let share = crowd.total() as f64 / (10.0 * rate as f64);
        assert!((0.9..1.2).contains(&share), "{share} of {rate}");
        let reads = crowd.total() / debt::turn(Rate::new(rate).unwrap());
        assert!(crowd.turns <= 3 * reads + 10, "{} turns for {reads} reads at {rate}", crowd.turns);
    }
}

#[test]
fn those_who_share_a_rate_use_all_of_it_and_have_the_same_each() {
    for count in [2, 7, 100] {
        let mut crowd = Crowd::new(bounds(10 << 20, 0), &vec![usize::MAX; count]);
        crowd.run(SECOND, 11 * SECOND);
        let share = crowd.total() as f64 / (100 << 20) as f64;
        assert!((0.95..1.05).contains(&share), "{share} among {count}");
        let (least, most) = (crowd.read.iter().min().unwrap(), crowd.read.iter().max().unwrap());
        // Whoever came first has had what was saved up.
        assert!(most - least <= 1024 * KIB, "from {least} to {most} among {count}");
    }
}

#[test]
fn whoever_reads_little_waits_little_and_leaves_the_rest_to_the_others() {
    let mut appetite = vec![100; 50];
    appetite.push(usize::MAX);
    let mut crowd = Crowd::new(bounds(1 << 20, 0), &appetite);
    crowd.run(SECOND, 11 * SECOND);
    let share = crowd.total() as f64 / (10 << 20) as f64;
    assert!((0.8..1.1).contains(&share), "{share}");
    assert!(crowd.read[50] > 6 << 20, "{}", crowd.read[50]);
    assert!(crowd.read[0] >= 100 * 100, "{}: a turn each tenth of a second at least", crowd.read[0]);
}

#[test]
fn both_bounds_hold_at_once() {
    let mut crowd = Crowd::new(bounds(10 << 20, 1 << 20), &[usize::MAX; 4]);
    crowd.run(SECOND, 11 * SECOND);
    assert!(crowd.read.iter().all(|read| (9 << 20..12 << 20).contains(read)), "{:?}", crowd.read);
    let mut crowd = Crowd::new(bounds(2 << 20, 1 << 20), &[usize::MAX; 4]);
    crowd.run(SECOND, 11 * SECOND);
    assert!((19 << 20..22 << 20).contains(&crowd.total()), "{}", crowd.total());
}

#[test]
fn the_two_directions_have_nothing_to_do_with_one_another() {
    let (mut throttle, bounds) = (Throttle::default(), bounds(1 << 20, 1 << 20));
    while throttle.allow(1, Way::ToClient, &bounds, SECOND) > 0 {
        throttle.charge(1, Way::ToClient, &bounds, 50 * KIB, SECOND);
    }
    assert!(throttle.is_waiting(1));
    assert!(throttle.allow(1, Way::ToServer, &bounds, SECOND) > 0);
    assert!(throttle.is_waiting(1) && !throttle.is_waiting(2));
}

#[test]
fn a_limit_that_is_lifted_or_raised_lets_everybody_go_on_within_a_second() {
    for after in [bounds(0, 0), bounds(1 << 30, 0), bounds(0, 1 << 30), bounds(1 << 30, 1 << 30)] {
        let mut crowd = Crowd::new(bounds(KIB as u64, KIB as u64), &[64 * KIB; 40]);
        crowd.run(SECOND, 3 * SECOND);
        let before = crowd.read.clone();
        crowd.bounds = after;
        // Of those who may read as much as goes there is no end.
        let mut now = 3 * SECOND;
        while now < 5 * SECOND {
            now += MILLISECOND;
            for key in crowd.throttle.wake(now) {
                let allowed = crowd.throttle.allow(key, Way::ToClient, &crowd.bounds, now);
                crowd.read[key] += allowed.min(64 * KIB);
            }
        }
        let stuck = crowd.read.iter().zip(&before).filter(|(after, before)| after == before).count();
        assert_eq!(stuck, 0, "under {after:?}");
        assert!((0..40).all(|key| !crowd.throttle.is_waiting(key)));
    }
}

#[test]
fn a_relay_that_ends_while_it_waits_holds_nobody_up() {
    let mut crowd = Crowd::new(bounds(1 << 20, 0), &[usize::MAX; 5]);
    crowd.run(SECOND, 2 * SECOND);
    let waiting: Vec<_> = crowd.throttle.lines.values().flat_map(|line| line.waiting.clone()).collect();
    waiting.iter().skip(1).for_each(|key| crowd.throttle.forget(*key));
    let before = crowd.read[waiting[0]];
    let mut now = 2 * SECOND;
    while now < 3 * SECOND {
        now += MILLISECOND;
        let woken = crowd.throttle.wake(now);
        assert!(woken.iter().all(|key| !waiting[1..].contains(key)), "{woken:?}");
        woken.into_iter().for_each(|key| crowd.turns(key, now));
    }
    assert!(crowd.read[waiting[0]] - before > 800 * KIB, "it has all of it now");
    crowd.throttle.forget(waiting[0]);
    (0..5).for_each(|key| crowd.throttle.forget(key));
    assert!(crowd.throttle.is_empty());
}

#[test]
fn what_was_kept_back_and_for_how_long_is_known() {
    let (mut throttle, bounds) = (Throttle::default(), bounds(0, 1 << 20));
    assert_eq!(throttle.charge(1, Way::ToServer, &bounds, 150 * KIB, SECOND), 0, "it had not waited");
    assert_eq!(throttle.allow(1, Way::ToServer, &bounds, SECOND), 0);
    let paid_at = throttle.next().unwrap();
    assert_eq!(throttle.waited(1, paid_at), paid_at - SECOND, "it still waits");
    assert!(throttle.allow(1, Way::ToServer, &bounds, paid_at) > 0);
    assert_eq!(throttle.charge(1, Way::ToServer, &bounds, 500, paid_at), 500);
    assert_eq!(throttle.charge(1, Way::ToServer, &bounds, 500, paid_at), 0);
    assert_eq!(throttle.waited(1, paid_at + SECOND), paid_at - SECOND);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes and goes: never faster than the rate, and whoever waits has an alarm to wait for.
    #[test]
    fn nobody_is_too_fast_and_nobody_is_forgotten(
        all in prop_oneof![Just(0), 1024..1u64 << 22],
        each in prop_oneof![Just(0), 1024..1u64 << 22],
        steps in prop::collection::vec((0..6usize, 0..4u8, 0..40_000_000u64, 1..400_000usize), 1..400),
    ) {
        let (mut throttle, bounds, mut now, mut read) = (Throttle::default(), bounds(all, each), SECOND, 0);
        for (key, act, gap, appetite) in steps {
            now += gap;
            let woken = throttle.wake(now);
            for key in woken.into_iter().chain([key]) {
                let allowed = throttle.allow(key, Way::ToServer, &bounds, now).min(appetite);
                read += allowed;
                throttle.charge(key, Way::ToServer, &bounds, allowed, now);
            }
            match act {
                // What a sender left behind that has reset: read without asking, also by one that waits.
                3 => _ = throttle.charge(key, Way::ToServer, &bounds, 10, now),
                0 => throttle.forget(key),
                1 => throttle.stand_back(key, Way::ToServer, now),
                _ => {}
            }
            let waits = (0..6).any(|key| throttle.is_waiting(key));
            prop_assert!(!waits || throttle.next().is_some(), "somebody waits for ever");
        }
        if all > 0 {
            // What was saved up, and the turn that everybody may overdraw by.
            let most = u128::from(all) * u128::from(now) / u128::from(SECOND) + 7 * debt::turn(Rate::new(all).unwrap()) as u128;
            prop_assert!(read as u128 <= most, "{read} of {most}");
        }
        let waiting: Vec<_> = (0..6).filter(|key| throttle.is_waiting(*key)).collect();
        let mut served = Vec::new();
        while now < 100 * SECOND && served.len() < waiting.len() {
            now = now.max(throttle.next().unwrap_or(now)) + 1;
            for key in throttle.wake(now) {
                if throttle.allow(key, Way::ToServer, &bounds, now) > 0 && waiting.contains(&key) {
                    served.push(key);
                    throttle.forget(key);
                }
            }
            prop_assert!(served.len() == waiting.len() || throttle.next().is_some(), "{served:?} of {waiting:?}");
        }
        prop_assert_eq!(served.len(), waiting.len());
    }
}
