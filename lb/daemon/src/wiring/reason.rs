//! Why a role changed or a move was refused, in sentences with the nodes' names: the election knows ranks and addresses.

use std::net::IpAddr;

use fmc_config::model::node::Node;
use fmc_vrrp::router::MoveRefused;
use fmc_vrrp::router::role::{Reason, Rival};

/// Why a role changed.
pub(crate) fn of_change(reason: &Reason, nodes: &[Node]) -> String {
    let rival = |rival: &Rival| format!("{} (priority {})", by_address(rival.source, nodes), rival.priority);
    match reason {
        Reason::Resigned(source) => format!("{} resigned", by_address(*source, nodes)),
        Reason::TakenOver(source) => format!("{} has taken over", by_address(*source, nodes)),
        Reason::Failback(theirs) => format!("fail-back from {} is due", rival(theirs)),
        Reason::Outranked(theirs) => format!("{} is Active and ranks above", rival(theirs)),
        Reason::Displaced(theirs) => format!("{} took over while this node was stalled", rival(theirs)),
        Reason::HeartbeatSilent(rank) => format!("{} no longer says that it is Active", by_rank(*rank, nodes)),
        Reason::ClaimRequested(rank) => format!("{} asked for the take-over", by_rank(*rank, nodes)),
        Reason::OutrankedByHeartbeat(rank) => {
            format!("{} says by heartbeat that it is Active, and ranks above", by_rank(*rank, nodes))
        }
        Reason::MoveRequested(Some(rank)) => format!("an operator asked for the move to {}", by_rank(*rank, nodes)),
        plain => plain.to_string(),
    }
}

/// Why a planned move does not begin.
pub(crate) fn of_refusal(refusal: MoveRefused, nodes: &[Node]) -> String {
    match refusal {
        MoveRefused::UnknownNode(rank) => format!("{} is not another node of [nodes]", by_rank(rank, nodes)),
        MoveRefused::Silent(rank) => format!("no heartbeat from {}", by_rank(rank, nodes)),
        MoveRefused::NotServing(rank) => format!("{} does not serve the address", by_rank(rank, nodes)),
        MoveRefused::Worse(rank, tier) => format!("{} is only {tier}", by_rank(rank, nodes)),
        plain => plain.to_string(),
    }
}

fn by_rank(rank: u8, nodes: &[Node]) -> &str {
    nodes.iter().find(|node| node.rank == rank).map_or("a node", |node| node.name.as_str())
}

pub(super) fn by_address(address: IpAddr, nodes: &[Node]) -> String {
    let node = nodes.iter().find(|node| node.owns(address));
    node.map_or_else(|| address.to_string(), |node| node.name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<Node> {
        let node = |(rank, (name, address)): (usize, (&str, &str))| Node {
            name: name.parse().unwrap(),
            address: address.parse().unwrap(),
            other_addresses: Vec::new(),
            interface: None,
            rank: rank as u8,
        };
        [("lb-a", "192.168.0.3"), ("lb-b", "192.168.0.30")].into_iter().enumerate().map(node).collect()
    }

    #[test]
    fn a_node_is_named_by_its_whole_address() {
        let reason = Reason::TakenOver("192.168.0.30".parse().unwrap());
        assert_eq!(of_change(&reason, &nodes()), "lb-b has taken over");
        let foreign = Reason::Resigned("192.168.0.31".parse().unwrap());
        assert_eq!(of_change(&foreign, &nodes()), "192.168.0.31 resigned");
    }

    #[test]
    fn a_rank_is_never_shown_as_a_number() {
        assert_eq!(of_refusal(MoveRefused::Silent(1), &nodes()), "no heartbeat from lb-b");
        assert_eq!(of_change(&Reason::ClaimRequested(0), &nodes()), "lb-a asked for the take-over");
    }
}
