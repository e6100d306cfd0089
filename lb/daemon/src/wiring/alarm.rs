//! The election's alarms as sentences with the nodes' names.

use fmc_config::model::node::Node;
use fmc_vrrp::router::Alarm;

/// What is wrong and, where somebody can mend it, how.
pub(crate) fn sentence(alarm: &Alarm, nodes: &[Node]) -> String {
    let of_rank = |rank: &u8| nodes.iter().find(|node| node.rank == *rank).map_or("a node", |node| node.name.as_str());
    match alarm {
        Alarm::AdvertisementPathBroken(rank) => format!(
            "adverts of {0} do not arrive, but its heartbeat says that it is Active: let IP protocol 112 through between the nodes",
            of_rank(rank)
        ),
        Alarm::TwoActive(rank) => format!(
            "CONFLICT: {0} is Active too and its adverts do not arrive: let IP protocol 112 through between the nodes",
            of_rank(rank)
        ),
        Alarm::Stalled(span) => format!("this node was stalled for {} ms", span.as_millis()),
        Alarm::AddressRemoved => "somebody on this node removed the address; it was added again".to_owned(),
        Alarm::AddressContested => {
            "somebody on this node keeps removing the address: take it out of NetworkManager's or networkd's hands"
                .to_owned()
        }
        Alarm::NobodyTookOver => "a planned move found no taker; this node serves on".to_owned(),
    }
}
