//! How a server is chosen among those that may take a connection.

mod least_connections;
mod round_robin;

use fmc_config::model::backend::{Balance, Weight};

/// What a choice needs to know of one server.
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

/// The position of the chosen candidate; `None` when there is none with a weight.
///
/// `turn` counts the choices of a pool and rotates among equals. Round robin changes the `credit` of every candidate:
/// the caller stores them for the next choice.
pub fn choose(balance: Balance, candidates: &mut [Candidate], turn: u32) -> Option<usize> {
    match balance {
        Balance::LeastConnections => least_connections::choose(candidates, turn),
        Balance::RoundRobin => round_robin::choose(candidates),
    }
}
