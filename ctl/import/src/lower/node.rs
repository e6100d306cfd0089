//! Who the balancers are: said by the operator, or by unicast addresses. The order is that of priorities.

use std::net::IpAddr;

use crate::Wishes;
use crate::keepalived::View;
use crate::ledger::{Code, Ledger, Said};

/// A node of the draft.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) address: IpAddr,
    /// Its Keepalived's view, by place.
    pub(super) view: Option<usize>,
}

/// The nodes, the preferred first.
pub(super) fn lower(views: &[View], wishes: &Wishes, problems: &mut Vec<String>, ledger: &mut Ledger) -> Vec<Node> {
    let mut nodes = if wishes.nodes.is_empty() { told_by_files(views) } else { told(wishes, views) };
    if nodes.is_empty() {
        problems.push(
            "no file says what address each balancer has for itself: say --balancer NAME=ADDRESS for each, in the order of the Keepalived files"
                .to_owned(),
        );
    }
    if views.len() > 1 && nodes.len() != views.len() {
        problems.push(format!(
            "{} files of Keepalived and {} nodes: name one node for each file, in their order",
            views.len(),
            nodes.len()
        ));
    }
    nodes.sort_by_key(|node| std::cmp::Reverse(preference(node, views)));
    for router in views.iter().flat_map(|view| &view.routers) {
        ledger.changed(router.priority.at, "the order in [nodes] says who is preferred");
    }
    views
        .iter()
        .flat_map(|view| &view.routers)
        .flat_map(|router| &router.peers)
        .for_each(|peer| known(peer, &nodes, ledger));
    disagreements(views, ledger);
    nodes
}

/// Whoever Keepalived speaks to must be a node, or it is heard by nobody here.
fn known(peer: &Said<IpAddr>, nodes: &[Node], ledger: &mut Ledger) {
    if nodes.is_empty() || nodes.iter().any(|node| node.address == peer.value) {
        ledger.kept(peer.at, "the other nodes of [nodes]");
    } else {
        let words = format!(
            "{} is no node: say --balancer NAME={} too, or it is neither heard nor spoken to",
            peer.value, peer.value
        );
        ledger.refuse(peer.at, words);
    }
}

/// What Keepalived says of a node: its highest priority. One whose file is not there is neither above nor below the default.
fn preference(node: &Node, views: &[View]) -> u8 {
    let routers = node.view.map_or(&[][..], |view| &views[view].routers);
    routers.iter().map(|router| router.priority.value).max().unwrap_or(100)
}

fn told(wishes: &Wishes, views: &[View]) -> Vec<Node> {
    let place = |(index, node): (usize, &crate::Node)| {
        let named = views.iter().position(|view| view.name.as_deref() == Some(node.name.as_str()));
        let view = named.or_else(|| (index < views.len()).then_some(index));
        Node { name: node.name.to_string(), address: node.address, view }
    };
    wishes.nodes.iter().enumerate().map(place).collect()
}

/// Nodes that say their own address; all of them or none.
fn told_by_files(views: &[View]) -> Vec<Node> {
    let own = |(index, view): (usize, &View)| {
        let name = view.name.clone().unwrap_or_else(|| format!("loadbalancer{}", index + 1));
        let address = view.routers.iter().find_map(|router| router.source.as_ref())?.value;
        Some(Node { name: crate::draft::name(&name), address, view: Some(index) })
    };
    views.iter().enumerate().map(own).collect::<Option<Vec<_>>>().unwrap_or_default()
}

/// What all nodes must say of a virtual router.
fn disagreements(views: &[View], ledger: &mut Ledger) {
    let Some((first, others)) = views.split_first() else { return };
    for other in others.iter().flat_map(|view| &view.routers) {
        let id = other.id.as_ref().map(|id| id.value);
        let Some(same) = first.routers.iter().find(|router| router.id.as_ref().map(|id| id.value) == id) else {
            ledger.lint(
                Code::NodesDisagree,
                other.at,
                "the other node has no such virtual_router_id",
                "one of the two stands alone: nobody replaces it",
            );
            continue;
        };
        let addresses = |router: &crate::keepalived::router::Router| {
            let mut all: Vec<_> = router.addresses.iter().map(|said| said.value.address).collect();
            all.sort();
            all
        };
        let differs = [
            ("virtual_ipaddress", addresses(same) != addresses(other)),
            (
                "advert_int",
                same.interval.as_ref().map(|said| said.value) != other.interval.as_ref().map(|said| said.value),
            ),
            (
                "auth_pass",
                same.password.as_ref().map(|said| &said.value) != other.password.as_ref().map(|said| &said.value),
            ),
        ];
        for (word, _) in differs.iter().filter(|(_, differs)| *differs) {
            let problem = format!("{word} is not what the other node has");
            ledger.lint(
                Code::NodesDisagree,
                other.at,
                problem,
                "the first file was followed; both nodes have one configuration here",
            );
        }
    }
}
