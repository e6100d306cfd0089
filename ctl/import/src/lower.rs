//! What proxies and virtual routers mean here.
//!
//! ```text
//! node       who the balancers are, in order of preference
//! election   how the owner of an address is elected
//! arithmetic whether priorities and weights of old could ever have moved an address
//! vip        the virtual addresses
//! listener   a `bind` line; source: who may connect; frontend: the two with the timeouts
//! backend    servers, with check and member
//! ```

mod arithmetic;
mod backend;
mod check;
mod choice;
mod election;
mod frontend;
mod listener;
mod member;
mod node;
mod source;
mod span;
mod vip;

use crate::Wishes;
use crate::draft::{Draft, Limits};
use crate::haproxy::Haproxy;
use crate::keepalived::View;
use crate::ledger::Ledger;

/// The draft, and what no line is to blame for.
pub(crate) fn lower(haproxy: &Haproxy, views: &[View], wishes: &Wishes, ledger: &mut Ledger) -> (Draft, Vec<String>) {
    let (mut draft, mut problems) = (Draft::default(), Vec::new());
    let nodes = node::lower(views, wishes, &mut problems, ledger);
    arithmetic::lint(views, ledger);
    draft.election = election::lower(views, wishes, &mut problems, ledger);
    draft.vips = vip::lower(views, &nodes, wishes, ledger);
    draft.limits = haproxy.max_connections.as_ref().map(|most| {
        let max_connections = span::within(most, 1, 1_000_000, "[limits] max_connections", ledger);
        Limits { max_connections }
    });
    frontend::lower(haproxy, &nodes, &mut draft, ledger);
    draft.nodes.0 = nodes.into_iter().map(|node| (node.name, node.address)).collect();
    if draft.vips.is_empty() {
        problems.push(
            "no file says which addresses are virtual: give keepalived.conf too, or --vip NAME=ADDRESS".to_owned(),
        );
    }
    if draft.frontends.is_empty() {
        problems.push("no frontend is left: see what was refused".to_owned());
    }
    (draft, problems)
}
