//! [core] How a server is chosen among those that may take a connection.

mod first;
mod least_connections;
mod power_of_two;
mod round_robin;
pub mod share;
mod source_hash;

use std::net::{IpAddr, SocketAddr};

use fmc_config::model::backend::Weight;

pub use source_hash::{SLOTS, SourceTable, TableEntry};

/// What a choice needs to know of one server. A server that is full is no candidate, whatever the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Where it stands in the caller's list; handed back when it is chosen.
    pub position: usize,
    /// Its share; 0 is never chosen.
    pub weight: Weight,
    /// Connections open to it or being opened.
    pub in_flight: u32,
    /// What round robin still owes it; kept by the caller between choices.
    pub credit: i64,
}

/// How to choose, with all that the choice depends on beside the candidates.
#[derive(Debug, Clone, Copy)]
pub enum Rule<'a> {
    /// The fewest connections for the weight.
    LeastConnections {
        /// Counts the choices of a pool and rotates among equals.
        turn: u32,
    },
    /// In turn by weight. Changes the `credit` of every candidate: the caller stores them for the next choice.
    RoundRobin,
    /// The less loaded of two that are drawn.
    PowerOfTwo {
        /// Every bit of it uniform and independent of the last one's.
        entropy: u64,
    },
    /// The same server for the same client.
    SourceHash {
        /// Who connects.
        source: IpAddr,
        /// Whose slots lead to the candidates' positions.
        table: &'a SourceTable,
    },
    /// The same server for the same flow of datagrams.
    FlowHash {
        /// Who sends them, and from which port.
        client: SocketAddr,
        /// Whose slots lead to the candidates' positions.
        table: &'a SourceTable,
    },
    /// The first candidate in the caller's order.
    First,
}

/// The position of the chosen candidate; `None` when there is none with a weight.
pub fn choose(rule: Rule<'_>, candidates: &mut [Candidate]) -> Option<usize> {
    match rule {
        Rule::LeastConnections { turn } => least_connections::choose(candidates, turn),
        Rule::RoundRobin => round_robin::choose(candidates),
        Rule::PowerOfTwo { entropy } => power_of_two::choose(candidates, entropy),
        Rule::SourceHash { source, table } => source_hash::choose(candidates, source, table),
        Rule::FlowHash { client, table } => source_hash::choose_for_flow(candidates, client, table),
        Rule::First => first::choose(candidates),
    }
}

/// Those that may be chosen at all.
fn eligible(candidates: &[Candidate]) -> impl Iterator<Item = &Candidate> + Clone {
    candidates.iter().filter(|candidate| candidate.weight.get() > 0)
}

#[cfg(test)]
mod chi_square;
