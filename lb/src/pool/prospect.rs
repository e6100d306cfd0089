//! Which servers the next new connection may get, for whoever asks why: what a choice would do, without choosing.

use fmc_config::model::backend::Balance;

use super::snapshot::Snapshot;
use crate::balance::{self, Candidate, Rule};
use crate::pulse::Ticks;

/// What a new connection finds in a server, should it come now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    /// It gets it, or it is one of equals that get it in turn.
    Next,
    /// It may get it: by weight, by chance or by the client's address.
    Candidate,
    /// Only if all of those cannot be connected to.
    LastResort,
    /// It does not get it.
    Never,
}

impl Snapshot {
    /// The prospect of each member, in their order.
    pub(super) fn prospects(&self, now: Ticks) -> Vec<Prospect> {
        let left: Vec<_> = self.left(&[], now).collect();
        let best = left.iter().map(|(rank, ..)| *rank).min();
        let of_best_rank: Vec<usize> =
            left.iter().filter(|(rank, ..)| Some(*rank) == best).map(|(_, position, _)| *position).collect();
        let next = self.next_of(&of_best_rank, now);
        let of = |position: usize| {
            if next.contains(&position) {
                Prospect::Next
            } else if of_best_rank.contains(&position) {
                Prospect::Candidate
            } else if left.iter().any(|(_, other, _)| *other == position) {
                Prospect::LastResort
            } else {
                Prospect::Never
            }
        };
        (0..self.members.len()).map(of).collect()
    }

    /// Those that are certain to be chosen, where the rule depends on neither chance, history nor the client.
    fn next_of(&self, positions: &[usize], now: Ticks) -> Vec<usize> {
        let is_warm = |position: &&usize| !self.members[**position].is_warming_up(self.policy.slow_start, now);
        let candidate = |position: &usize| self.members[*position].candidate(*position);
        let mut candidates: Vec<Candidate> = positions.iter().filter(is_warm).map(candidate).collect();
        let turns = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
        match self.policy.balance {
            Balance::LeastConnections => {
                let choose = |turn| balance::choose(Rule::LeastConnections { turn }, &mut candidates);
                (0..turns).filter_map(choose).collect()
            }
            Balance::First => balance::choose(Rule::First, &mut candidates).into_iter().collect(),
            // Of one there is no choice.
            Balance::RoundRobin | Balance::PowerOfTwo | Balance::SourceHash if turns > 1 => Vec::new(),
            Balance::RoundRobin | Balance::PowerOfTwo | Balance::SourceHash => {
                candidates.iter().map(|candidate| candidate.position).collect()
            }
        }
    }
}
