//! The election's correspondent: who commands it, and who hears of it.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use fmc_config::model::name::{NodeName, VipName};
use serde::{Deserialize, Serialize};

use super::settings::KeeperSettings;
use super::snapshot::Snapshot;
use crate::boot_instant::BootInstant;
use crate::observer::Sighting;
use crate::router::role::RoleChange;
use crate::router::{Alarm, MoveRefused};
use crate::tier::Fitness;

/// The other end of the election thread. Every method is called on it and must not wait: a full queue drops, a slow one is
/// served from elsewhere.
pub trait Control {
    /// Readable when [`Self::receive`] may have something.
    fn fd(&self) -> BorrowedFd<'_>;

    /// The next command. Called until it gives `None`, on every turn of the loop.
    fn receive(&mut self, now: BootInstant) -> Option<Command>;

    /// Something happened, or was asked for.
    fn publish(&mut self, report: Report);

    /// A turn of the loop, for its own duties; says when it wants the next one.
    fn tick(&mut self, now: BootInstant) -> BootInstant;
}

/// What the election is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// How fit this node is to own a VIP. Until the first of these a VIP is not claimed.
    Fitness {
        /// Which one.
        vip: VipName,
        /// How fit.
        fitness: Fitness,
    },
    /// Move a VIP away, serving it until another node has taken it. Refusals come as [`Report::MoveRefused`].
    Resign {
        /// Which one; `None`: every one that is Active here.
        vip: Option<VipName>,
        /// To this node; `None`: to whoever is next.
        to: Option<NodeName>,
    },
    /// No fail-back inside a tier for this long; zero ends an earlier one.
    Hold {
        /// How long.
        duration: Duration,
    },
    /// No proxy answers: every VIP leaves at once, and stays away until its fitness is told anew.
    ProxyLost,
    /// Other settings, which are a [`super::Change::InPlace`]: nothing moves.
    Retune(Box<KeeperSettings>),
    /// End the election.
    Shutdown {
        /// Serve each VIP until another node has taken it; else resign and remove at once.
        linger: bool,
    },
    /// Publish a [`Report::Snapshot`].
    Status,
}

/// What the election tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Report {
    /// A virtual router changed its role.
    RoleChanged {
        /// Which one.
        vip: VipName,
        /// From what to what, why, when.
        change: RoleChange,
    },
    /// The address is on this node now.
    AddressInstalled {
        /// Which one.
        vip: VipName,
        /// When the election heard that the kernel has it.
        at: BootInstant,
    },
    /// The address left this node, as wanted or not.
    AddressRemoved {
        /// Which one.
        vip: VipName,
    },
    /// Something an operator should know.
    Alarm {
        /// Of which virtual router.
        vip: VipName,
        /// What.
        alarm: Alarm,
    },
    /// A planned move does not begin.
    MoveRefused {
        /// Which one.
        vip: VipName,
        /// Why.
        why: MoveRefused,
    },
    /// An observer saw something of an election that it takes no part in.
    Sighted {
        /// Of which VIP.
        vip: VipName,
        /// What.
        sighting: Sighting,
    },
    /// A line for the log, at most a few in a second.
    Log {
        /// How soon somebody should read it.
        level: LogLevel,
        /// The line.
        text: String,
    },
    /// How things stand.
    Snapshot(Box<Snapshot>),
}

/// How soon somebody should read a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LogLevel {
    /// Worth knowing tomorrow.
    Info,
    /// Worth a look today.
    Warn,
    /// Something does not work.
    Error,
}
