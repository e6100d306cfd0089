//! The steady state of the election allocates nothing: no allocator lock, no page fault, no surprise on the path of an advert.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use fmc_config::model::election::AuthMode;
use fmc_vrrp::boot_instant::BootInstant;
use fmc_vrrp::clock;
use fmc_vrrp::driver::{AdvertKey, AdvertKeys, Command, Control, Keeper, KeeperSettings, Report};
use fmc_vrrp::tier::Fitness;

use crate::keeper::{Running, settings};
use crate::lab::{Scratch, pair};

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counter neither allocates nor has a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.with(|asked| asked.set(asked.get() + 1));
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, that is, from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Lets the election settle, then counts for two seconds, then ends it.
struct Auditor {
    silent: (UnixStream, UnixStream),
    fitness: Vec<Command>,
    settled_at: BootInstant,
    before: Option<u64>,
    counted: Option<u64>,
    turns: u64,
}

const AUDIT: Duration = Duration::from_secs(2);

impl Control for Auditor {
    fn fd(&self) -> BorrowedFd<'_> {
        self.silent.0.as_fd()
    }

    fn receive(&mut self, _now: BootInstant) -> Option<Command> {
        let end = self.counted.map(|_| Command::Shutdown { linger: false });
        self.fitness.pop().or(end)
    }

    fn publish(&mut self, _report: Report) {}

    fn tick(&mut self, now: BootInstant) -> BootInstant {
        let asked = ASKED.with(Cell::get);
        if now >= self.settled_at && self.before.is_none() {
            self.before = Some(asked);
        }
        if let Some(before) = self.before.filter(|_| self.counted.is_none()) {
            self.turns += 1;
            if now >= self.settled_at + AUDIT {
                self.counted = Some(asked - before);
            }
        }
        now + Duration::from_millis(20)
    }
}

fn signed(rank: u8) -> KeeperSettings {
    let keys = vec![AdvertKey::new(1, vec![7; 32]).unwrap()];
    KeeperSettings { auth_hmac: Some(AdvertKeys { mode: AuthMode::Enforce, keys }), ..settings(rank) }
}

#[test]
fn the_steady_state_of_an_owner_and_of_its_backup_allocates_nothing() {
    for (audited, how) in [(0, settings as fn(u8) -> KeeperSettings), (1, settings), (0, signed), (1, signed)] {
        let pair = pair();
        let _other = Running::fit(&pair[1 - audited], how(1 - audited as u8));
        let scratch = Scratch::new();
        let fit = |name: &str| Command::Fitness { vip: name.parse().unwrap(), fitness: Fitness::FIT };
        let mut auditor = Auditor {
            silent: UnixStream::pair().unwrap(),
            fitness: vec![fit("api"), fit("web")],
            settled_at: clock::now() + Duration::from_millis(1500),
            before: None,
            counted: None,
            turns: 0,
        };
        let auditor = pair[audited].enter(move || {
            Keeper::start(how(audited as u8), scratch.path()).unwrap().run(&mut auditor);
            auditor
        });
        assert!(auditor.turns > 50, "only {} turns", auditor.turns);
        assert_eq!(auditor.counted, Some(0), "node {audited}, {} turns", auditor.turns);
    }
}
