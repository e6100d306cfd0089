//! Why a virtual router is what it is, for `fmc-lbctl status` and `explain`. [core]

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::backup::Expecting;
use super::role::{Reason, Rival, Role};
use super::{State, VirtualRouter};
use crate::boot_instant::BootInstant;
use crate::priority::Priority;
use crate::tier::{Fitness, Tier};

/// What a virtual router is, since when and why; its text is one sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// VRID.
    pub virtual_router_id: u8,
    /// The virtual address.
    pub address: IpAddr,
    /// What it is.
    pub role: Role,
    /// Since when.
    pub since: BootInstant,
    /// Why it became that.
    pub reason: Reason,
    /// The tier it advertises.
    pub tier: Tier,
    /// How fit it is; worse than `tier` while a fall waits for a better peer.
    pub fitness: Fitness,
    /// What it advertises.
    pub priority: Priority,
    /// The last other router that advertised the address.
    pub rival: Option<Rival>,
    /// The rank of the node whose heartbeat alone holds a claim back.
    pub held_back_by: Option<u8>,
    /// A peer has been better since this moment; the fall acts after the settle time.
    pub falling_since: Option<BootInstant>,
}

impl Explanation {
    pub(super) fn of(router: &VirtualRouter) -> Self {
        Self {
            virtual_router_id: router.parameters.virtual_router_id.get(),
            address: router.parameters.address,
            role: router.role(),
            since: router.since,
            reason: router.reason,
            tier: router.tier,
            fitness: router.fitness,
            priority: router.priority(),
            rival: router.rival,
            held_back_by: held_back_by(router),
            falling_since: falling_since(router),
        }
    }
}

fn held_back_by(router: &VirtualRouter) -> Option<u8> {
    match router.state {
        State::Backup(backup) => match backup.expecting {
            Expecting::HeartbeatSilence(rank) => Some(rank),
            Expecting::Silence | Expecting::Resignation(_) => None,
        },
        State::Initialize(_) | State::Active(_) | State::Leaving(_) => None,
    }
}

fn falling_since(router: &VirtualRouter) -> Option<BootInstant> {
    match router.state {
        State::Active(active) => active.fall.map(|fall| fall.since),
        State::Initialize(_) | State::Backup(_) | State::Leaving(_) => None,
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} because {}", self.role, self.reason)?;
        match self.role {
            Role::Initialize => return Ok(()),
            Role::Backup => {
                if let Some(rival) = self.rival {
                    write!(f, "; the last one heard is {rival}")?;
                }
            }
            Role::Active | Role::Leaving => {
                write!(f, "; it is {} and advertises priority {}", self.tier, self.priority)?
            }
        }
        if self.fitness.tier != self.tier {
            write!(f, "; it is only {}, but no other node is known to be better for long enough", self.fitness.tier)?;
        }
        if let Some(rank) = self.held_back_by {
            write!(f, "; it would claim, but the heartbeat of node {rank} says that it is Active")?;
        }
        Ok(())
    }
}
