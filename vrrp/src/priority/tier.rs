//! How fit a node is to own an address, and the priority that says so to any VRRP router. [core]
//!
//! ```text
//!              rank 0    1    2
//! fit             P   P-1   P-2      P = election.priority, 254 unless a foreign peer asks for less
//! degraded      102   101   100      scaled by P / 254
//! unfit           3     2     1
//! ```
//!
//! Tiers never overlap, so plain comparison of priorities compares tiers first; a Keepalived peer understands it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Priority;

/// Ranks that fit into one tier; a pair has two, the lab's older plan three.
pub const RANKS: u8 = 3;

/// The lowest priority of a fit first node that leaves three tiers of [`RANKS`] priorities apart.
pub const LOWEST_FIT: u8 = 3 * RANKS;

/// How fit a node is, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Listener or relay loop dead, maintenance, or no server that accepts.
    Unfit,
    /// Under half of the servers, or nearly out of descriptors or memory.
    Degraded,
    /// Serves well.
    Fit,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unfit => "unfit",
            Self::Degraded => "degraded",
            Self::Fit => "fit",
        })
    }
}

/// Whose doing a tier is; it decides how fast a fall acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// This node alone: acts at once.
    Local,
    /// The servers, which every node shares and sees at different moments: acts when a peer is better and stays so.
    Backend,
}

/// How fit this node is to own one virtual address, as its proxy sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fitness {
    /// How fit.
    pub tier: Tier,
    /// Why not fitter; of no meaning when [`Tier::Fit`].
    pub cause: Cause,
    /// A proxy answers on the address at all. When it does not, the address leaves at once and the node never claims.
    pub serving: bool,
}

impl Fitness {
    /// Nothing answers: the proxy is dead, hung or not ready yet.
    pub const NOT_SERVING: Self = Self { tier: Tier::Unfit, cause: Cause::Local, serving: false };
    /// All is well.
    pub const FIT: Self = Self { tier: Tier::Fit, cause: Cause::Backend, serving: true };

    /// Serving, in `tier`, because of `cause`.
    pub const fn serving(tier: Tier, cause: Cause) -> Self {
        Self { tier, cause, serving: true }
    }
}

/// The three priorities of one node, and the borders by which a peer's priority is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierPriorities {
    highest_degraded: u8,
    fit: u8,
    rank: u8,
}

/// Why there are no tier priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TierError {
    /// Three tiers of three ranks need at least nine priorities; 255 is kept for address owners.
    #[error("priority {0} leaves no room for three tiers; use {LOWEST_FIT} to 254")]
    Priority(u8),
    /// One more node than a tier has priorities.
    #[error("rank {0} does not exist; at most {RANKS} nodes share an address")]
    Rank(u8),
}

impl TierPriorities {
    /// `highest` is what the first node advertises when fit; `rank` is this node's place in `[nodes]`, 0 first.
    pub const fn new(highest: u8, rank: u8) -> Result<Self, TierError> {
        if highest < LOWEST_FIT || highest == Priority::OWNER.get() {
            return Err(TierError::Priority(highest));
        }
        if rank >= RANKS {
            return Err(TierError::Rank(rank));
        }
        Ok(Self { highest_degraded: highest_degraded(highest), fit: highest - rank, rank })
    }

    /// What this node advertises in `tier`.
    pub const fn of(self, tier: Tier) -> Priority {
        Priority::new(match tier {
            Tier::Fit => self.fit,
            Tier::Degraded => self.highest_degraded - self.rank,
            Tier::Unfit => RANKS - self.rank,
        })
    }

    /// Which tier another node of `[nodes]` is in when it advertises `priority`; a resigning one is unfit.
    pub const fn tier_of(self, priority: Priority) -> Tier {
        match priority.get() {
            unfit if unfit <= RANKS => Tier::Unfit,
            degraded if degraded <= self.highest_degraded => Tier::Degraded,
            _ => Tier::Fit,
        }
    }
}

/// 102 scaled by highest / 254, but clear of the unfit tier below.
const fn highest_degraded(highest: u8) -> u8 {
    let scaled = (highest as u16 * 102 / 254) as u8;
    if scaled < 2 * RANKS { 2 * RANKS } else { scaled }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIERS: [Tier; 3] = [Tier::Unfit, Tier::Degraded, Tier::Fit];

    #[test]
    fn the_default_priorities_are_the_documented_table() {
        for (rank, expected) in [[254, 102, 3], [253, 101, 2], [252, 100, 1]].iter().enumerate() {
            let priorities = TierPriorities::new(254, rank as u8).unwrap();
            let row = [Tier::Fit, Tier::Degraded, Tier::Unfit].map(|tier| priorities.of(tier).get());
            assert_eq!(row, *expected);
        }
    }

    #[test]
    fn tiers_never_collide_and_are_read_back_for_every_configurable_priority() {
        for highest in LOWEST_FIT..=254 {
            let mut ladder = Vec::new();
            for tier in TIERS {
                for rank in (0..RANKS).rev() {
                    let priorities = TierPriorities::new(highest, rank).unwrap();
                    assert_eq!(priorities.tier_of(priorities.of(tier)), tier, "highest {highest}, rank {rank}");
                    ladder.push(priorities.of(tier));
                }
            }
            assert!(ladder.is_sorted_by(|a, b| a < b), "highest {highest}: {ladder:?}");
            assert!(ladder[0] > Priority::RESIGN);
        }
    }

    #[test]
    fn what_cannot_be_scaled_is_refused() {
        assert_eq!(TierPriorities::new(8, 0), Err(TierError::Priority(8)));
        assert_eq!(TierPriorities::new(255, 0), Err(TierError::Priority(255)));
        assert_eq!(TierPriorities::new(254, 3), Err(TierError::Rank(3)));
    }

    #[test]
    fn a_better_tier_is_greater() {
        assert!(Tier::Fit > Tier::Degraded && Tier::Degraded > Tier::Unfit);
    }
}
