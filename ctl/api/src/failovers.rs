//! `GET /v1/failovers`: what each move of a VIP measured of itself. Kept over restarts; the node that the VIP came to and the one that
//! it left measure a half each.

use std::net::IpAddr;

use fmc_config::model::name::{NodeName, VipName};
use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::word::Half;

/// The reports of this node, and the newest ones of the others as far as they told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailoverList {
    /// The answering node's clock.
    pub now: Moment,
    /// The answering node.
    pub node: NodeName,
    /// Oldest first, by the clocks of the nodes that measured.
    pub reports: Vec<FailoverReport>,
}

/// One half of a move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverReport {
    /// Who measured.
    pub node: NodeName,
    /// Counts up on that node, over restarts too.
    pub number: u64,
    /// Which VIP.
    pub vip: VipName,
    /// Its address.
    pub address: IpAddr,
    /// Whether it came to that node or left it.
    pub half: Half,
    /// When the node claimed it or gave it up, by its own clock. The spans below are counted from here.
    pub at: Moment,
    /// Why, one sentence.
    pub cause: String,
    /// Somebody asked for it: an operator, or the service was stopped.
    pub planned: bool,
    /// Came: the former owner had been silent for so long when the address was claimed; `null`: it was not its silence that told.
    pub silent_us: Option<u64>,
    /// Came: until the address was on the node; `null`: it has not been, or that report was lost.
    pub address_up_us: Option<u64>,
    /// Came: until the first connection was accepted; `null`: none came while it was measured.
    pub first_connection_us: Option<u64>,
    /// Came: until the first byte of a server went to a client.
    pub first_byte_us: Option<u64>,
    /// Left: relays that were open on it.
    pub relays_open: Option<u64>,
    /// Left: of them, those that were ended because it left; `null`: the proxy ended before it could count.
    pub relays_ended: Option<u64>,
    /// Nothing more will be measured.
    pub complete: bool,
}

/// Halves of one move are this close: a node that was frozen learns late that it has lost the address, and clocks differ a little.
const SAME_MOVE_MS: u64 = 5000;

impl FailoverReport {
    /// Whether the other is a half of the same move, or this one itself.
    pub fn is_same_move(&self, other: &Self) -> bool {
        let apart = self.at.unix_ms().abs_diff(other.at.unix_ms());
        let is_it = (&self.node, self.number) == (&other.node, other.number);
        let other_half = self.node != other.node && self.half != other.half;
        is_it || self.vip == other.vip && other_half && apart <= SAME_MOVE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn half(node: &str, half: Half, at: u64) -> FailoverReport {
        FailoverReport {
            node: node.parse().unwrap(),
            number: 1,
            vip: "api".parse().unwrap(),
            address: "192.168.0.32".parse().unwrap(),
            half,
            at: Moment::from_unix_ms(at),
            cause: String::new(),
            planned: false,
            silent_us: None,
            address_up_us: None,
            first_connection_us: None,
            first_byte_us: None,
            relays_open: None,
            relays_ended: None,
            complete: true,
        }
    }

    #[test]
    fn a_move_has_two_halves_on_two_nodes_at_one_time() {
        let came = half("lb2", Half::Came, 10_000);
        for (other, same) in [
            (came.clone(), true),
            (half("lb1", Half::Left, 9_990), true),
            (half("lb1", Half::Left, 4_000), false),
            (FailoverReport { number: 2, ..half("lb2", Half::Left, 10_000) }, false),
            (half("lb1", Half::Came, 10_000), false),
            (FailoverReport { vip: "web".parse().unwrap(), ..half("lb1", Half::Left, 9_990) }, false),
        ] {
            assert_eq!(came.is_same_move(&other), same, "{other:?}");
        }
    }
}
