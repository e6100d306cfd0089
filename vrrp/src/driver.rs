//! The keeper's election thread: one loop that waits, hears, decides and performs.
//!
//! ```text
//! sleep until a descriptor or the nearest deadline
//!   -> reports of the address thread, kernel events      what is true of links and addresses
//!   -> adverts, the newest of each source                drained before any timer runs
//!   -> heartbeats -> commands
//!   -> deadlines that are due
//! after each event of a router: its advertisement first, then its address, then its announcement
//! ```
//!
//! Nothing here waits but the sleep: requests that may wait for the kernel's rtnl lock go to the address thread ([`crate::lease`]),
//! and what is logged or reported goes through [`Control`], which must not wait either. Each turn stamps the tick that lets the
//! address thread renew leases. Dropping a [`Keeper`] removes its addresses, without a word to the other nodes.

mod advert_keys;
mod control;
mod discards;
mod hear;
mod lateness;
mod mismatch;
mod pair;
mod perform;
mod port;
mod reload;
mod settings;
mod snapshot;
mod start;
mod virtual_address;
mod wake;

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use arrayvec::ArrayVec;

pub use advert_keys::{AdvertKey, AdvertKeyError, AdvertKeys};
pub use control::{Command, Control, LogLevel, Report};
pub use lateness::{BOUNDS as LATENESS_BOUNDS, LatenessSummary};
pub use mismatch::{Difference, Mismatch};
pub use reload::Change;
pub use settings::{FollowerSettings, KeeperSettings, PairKeys, PeerSettings, Secrets, UnknownNode, VipSettings};
pub use snapshot::{HeartbeatsRefused, InterfaceSnapshot, LastHeard, PeerSnapshot, PeerVip, Snapshot, VipSnapshot};
pub use start::{StartError, check};

use crate::boot_instant::BootInstant;
use crate::clock;
use crate::heartbeat::MAX_VIRTUAL_ROUTERS;
use crate::kernel::Events;
use crate::lease::{AddressThread, Tick};
use crate::packet::auth_hmac::Authenticator;
use crate::packet::sequence::{Sequence, Sequences};
use crate::realtime::{self, Realtime};
use lateness::Lateness;
use pair::Pair;
use port::Port;
use virtual_address::VirtualAddress;
use wake::{MAX_DESCRIPTORS, Wake};

/// Interfaces that can carry VIPs; one of the lab's older plans has two.
pub const MAX_INTERFACES: usize = 16;

/// The loop turns at least this often, so that its tick tells a frozen thread from an idle one.
const IDLE_TURN: Duration = Duration::from_millis(100);

/// A shutdown that lingers is bounded by each router's own patience (an interval and a little); this bounds the removals.
const REMOVAL_WITHIN: Duration = Duration::from_secs(2);

/// Elects the owners of this node's VIPs and holds their addresses.
#[derive(Debug)]
pub struct Keeper {
    settings: KeeperSettings,
    /// Of `settings`: what signs adverts and verifies them.
    authenticator: Option<Authenticator>,
    sequences: Sequences,
    vips: Vec<VirtualAddress>,
    ports: Vec<Port>,
    pair: Pair,
    events: Events,
    addresses: AddressThread,
    tick: Tick,
    wake: Wake,
    lateness: Lateness,
    realtime: Realtime,
    held_until: Option<BootInstant>,
    sends_failed: u64,
    /// Kernel events were lost: the address thread must compare.
    must_verify: bool,
    /// Shutting down; over by then, whatever the kernel does.
    ends_by: Option<BootInstant>,
}

impl Keeper {
    /// Elects on the calling thread until [`Command::Shutdown`] is done and every address of ours is gone.
    ///
    /// The thread becomes SCHED_FIFO and the process's memory is locked if the settings wish it and the kernel grants it.
    pub fn run(mut self, control: &mut impl Control) {
        self.begin(control);
        while !self.is_over() {
            self.turn(control);
        }
    }

    fn begin(&mut self, control: &mut impl Control) {
        if self.settings.realtime {
            self.realtime = realtime::enter();
            let lines = self.realtime.warnings();
            lines.for_each(|text| control.publish(Report::Log { level: LogLevel::Warn, text }));
        }
        let now = clock::now();
        self.tick.stamp(now);
        self.tell_links(now, control);
        if !self.settings.observe {
            for vip in 0..self.vips.len() {
                self.vips[vip].router.startup(now);
                self.perform(vip, now, control);
            }
        }
    }

    fn turn(&mut self, control: &mut impl Control) {
        let turned = clock::now();
        let asked = self.next_turn(control.tick(turned), turned);
        self.sleep(asked, control);
        let now = clock::now();
        self.tick.stamp(now);
        if asked <= now {
            self.lateness.record(now.saturating_duration_since(asked));
        }
        self.hear_kernel(now, control);
        self.hear_adverts(now, control);
        self.hear_heartbeats(now, control);
        self.hear_commands(now, control);
        self.run_deadlines(clock::now(), control);
        self.pair.send_due(|| reports(&self.vips), |rank| accepted_from(&self.vips, rank), now);
    }

    fn next_turn(&self, control: BootInstant, now: BootInstant) -> BootInstant {
        let routers = self.vips.iter().filter_map(|vip| vip.router.next_deadline());
        let answers = self.vips.iter().filter_map(VirtualAddress::answer_due);
        let others = [Some(control), self.pair.next_at(), self.held_until, self.ends_by];
        let ports = self.ports.iter().filter_map(|port| port.deadline(now));
        routers.chain(answers).chain(ports).chain(others.into_iter().flatten()).fold(now + IDLE_TURN, BootInstant::min)
    }

    fn sleep(&self, until: BootInstant, control: &impl Control) {
        let own = [self.events.as_fd(), self.addresses.as_fd(), control.fd()];
        let sockets = self.ports.iter().map(|port| port.socket.as_fd()).chain(self.pair.fd());
        let all: ArrayVec<BorrowedFd<'_>, MAX_DESCRIPTORS> = own.into_iter().chain(sockets).collect();
        if self.wake.sleep(until, &all).is_err() {
            // The kernel has no memory for a poll: a pause is all that is left of sleeping.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn is_over(&self) -> bool {
        self.ends_by.is_some_and(|by| self.vips.iter().all(VirtualAddress::is_over) || by <= clock::now())
    }

    fn snapshot(&self, now: BootInstant) -> Snapshot {
        let vips = || self.vips.iter().filter(|vip| !vip.is_leaving);
        let settings: Vec<_> = vips().map(|vip| &vip.settings).collect();
        Snapshot {
            at: now,
            vips: vips().flat_map(|vip| vip.snapshots(&self.ports, now)).collect(),
            peers: self.pair.snapshot(&settings, now),
            interfaces: self.ports.iter().map(|port| port.snapshot(now)).collect(),
            lateness: self.lateness.summary(),
            realtime: self.realtime,
            held_until: self.held_until,
            heartbeats_refused: self.pair.refused(),
            sends_failed: self.sends_failed + self.pair.sends_failed,
        }
    }
}

/// The newest signed advert that counted of the node of `rank`; heartbeats tell it, so that a node that was restarted goes on after it.
fn accepted_from(vips: &[VirtualAddress], rank: u8) -> Option<Sequence> {
    let of = |vip: &VirtualAddress| vip.accepted.of(vip.router.source_of(rank)?);
    vips.iter().filter_map(of).reduce(|newest, other| if other.is_after(newest) { other } else { newest })
}

fn reports(vips: &[VirtualAddress]) -> pair::Reports {
    // One that is given up speaks until another has taken it, or it is gone.
    let speaking = vips.iter().filter(|vip| !vip.is_gone());
    speaking.map(|vip| vip.router.report()).take(MAX_VIRTUAL_ROUTERS).collect()
}
