//! Keepalived's configuration: keepalived.conf(5).

pub(crate) mod router;

mod line;
mod quoting;
mod tree;
mod word;

use std::collections::BTreeMap;

use crate::ledger::{At, Ledger, Said};
use crate::{Source, Surroundings, Wishes};

use router::Router;

/// What one node's Keepalived does.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// As the operator, an `@name` line or `router_id` calls the node.
    pub(crate) name: Option<String>,
    pub(crate) version: Option<Said<u8>>,
    pub(crate) routers: Vec<Router>,
    pub(crate) scripts: BTreeMap<String, Script>,
}

/// A `vrrp_script`, or anything else that moves priorities.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) weight: i32,
}

/// Every node's view, in the order of the files; of one file with `@name` lines, one for each name.
pub(crate) fn read(
    sources: &[Source],
    wishes: &Wishes,
    surroundings: &dyn Surroundings,
    ledger: &mut Ledger,
) -> Vec<View> {
    let files: Vec<_> = sources.iter().map(|source| line::read(source, surroundings, ledger)).collect();
    let mut views = Vec::new();
    for (index, lines) in files.iter().enumerate() {
        let named = wishes.nodes.get(index).map(|node| node.name.to_string());
        let names = if files.len() == 1 { line::conditions(lines) } else { Vec::new() };
        if names.is_empty() {
            views.push(view(named, lines, ledger));
        }
        views.extend(names.into_iter().map(|name| view(Some(name), lines, ledger)));
    }
    views
}

fn view(name: Option<String>, lines: &[line::Line], ledger: &mut Ledger) -> View {
    let lines = line::of_node(lines, name.as_deref(), ledger);
    let mut view = View { name, ..View::default() };
    for block in tree::read(&lines, ledger) {
        router::top(&mut view, &block, ledger);
    }
    view
}

/// Says of `at` and of everything in the block what is true of all of it.
fn whole(block: &tree::Block, say: &mut dyn FnMut(At)) {
    say(block.at);
    block.children.iter().flatten().for_each(|child| whole(child, say));
}
