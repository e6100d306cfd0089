//! Priorities and weights: whether a failed check could ever have moved an address.

use crate::keepalived::View;
use crate::keepalived::router::Router;
use crate::ledger::{At, Code, Ledger};

/// Says of each virtual router what its numbers come to.
pub(super) fn lint(views: &[View], ledger: &mut Ledger) {
    for (index, view) in views.iter().enumerate() {
        for router in &view.routers {
            let peers = views.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, view)| view);
            let peers: Vec<_> = peers.filter_map(|peer| same(peer, router).map(|twin| (peer, twin))).collect();
            of_router(view, router, &peers, ledger);
        }
    }
}

fn same<'a>(view: &'a View, router: &Router) -> Option<&'a Router> {
    let id = router.id.as_ref()?.value;
    view.routers.iter().find(|other| other.id.as_ref().is_some_and(|other| other.value == id))
}

fn of_router(view: &View, router: &Router, peers: &[(&View, &Router)], ledger: &mut Ledger) {
    let own = i32::from(router.priority.value);
    let Some((peer, best)) = peers.iter().max_by_key(|(_, router)| router.priority.value) else { return };
    let other = i32::from(best.priority.value);
    if own == other {
        let problem = format!("both nodes have priority {own}: the higher address wins each election");
        let advice = "here the order in [nodes] decides, and nobody takes an address from a node that serves as well";
        ledger.lint(Code::EqualPriorities, router.priority.at, problem, advice);
    }
    for (at, name, weight) in weights(view, router) {
        // A weight of 0 is a fault: the node gives way whatever the numbers are.
        let (failed, against) = match weight {
            0 => continue,
            below if below < 0 => (own + below, other),
            _ => (own, other + weights(peer, best).find(|(_, of, _)| *of == name).map_or(0, |(.., weight)| weight)),
        };
        if own >= other && failed >= against {
            let tie = if failed == against { ", and at a tie nobody takes over" } else { "" };
            let problem = format!(
                "when {name} fails, this node has {failed} and the other {against}{tie}: the address stays where nothing serves"
            );
            let advice = "here the election asks the proxy itself; a node that cannot serve never holds an address while another can";
            ledger.lint(Code::WeightCannotFailOver, at, problem, advice);
        }
    }
}

fn weights<'a>(view: &'a View, router: &'a Router) -> impl Iterator<Item = (At, &'a str, i32)> {
    router.scripts.iter().filter_map(|said| {
        let (name, weight) = &said.value;
        let weight = weight.or_else(|| view.scripts.get(name).map(|script| script.weight))?;
        Some((said.at, name.as_str(), weight))
    })
}
