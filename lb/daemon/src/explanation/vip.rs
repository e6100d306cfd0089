//! Why a VIP is where it is.

use std::net::IpAddr;

use fmc_api::explain::NodePart;
use fmc_api::status::Owner;
use fmc_api::word::{AdminState, Tier};
use fmc_config::model::election::Failback;
use fmc_config::model::name::VipName;

use super::joined;

/// Everything that the sentence depends on.
pub(crate) struct Facts<'a> {
    pub(crate) address: IpAddr,
    /// All that the election is about, this one among them.
    pub(crate) together: &'a [&'a VipName],
    pub(crate) owner: &'a Owner,
    pub(crate) failback: Failback,
    /// The one that ranks first first.
    pub(crate) nodes: &'a [NodePart],
}

/// Who serves it and why, and of every other node why it does not.
pub(crate) fn sentence(facts: &Facts<'_>) -> String {
    let names: Vec<&str> = facts.together.iter().map(|name| name.as_str()).collect();
    match names.split_last() {
        Some((last, others @ [_, ..])) => {
            format!("one election carries {} and {last}; {}", others.join(", "), of_the_owner(facts))
        }
        _ => of_the_owner(facts),
    }
}

fn of_the_owner(facts: &Facts<'_>) -> String {
    let address = facts.address;
    let everyone = || facts.nodes.iter().map(own_words);
    match facts.owner {
        Owner::Node(name) => {
            let Some(rank) = facts.nodes.iter().position(|node| node.node == *name) else { return String::new() };
            let owner = &facts.nodes[rank];
            let others = facts.nodes.iter().enumerate().filter(|(other, _)| *other != rank);
            let others = others.map(|(other, node)| against(owner, node, other < rank, facts.failback));
            joined([serves(owner, address)].into_iter().chain(others))
        }
        Owner::Foreign(source) => {
            let says = format!("{source}, which is none of [nodes], advertises {address}");
            joined([says].into_iter().chain(everyone()))
        }
        Owner::Nobody | Owner::Unknown => {
            joined([format!("nobody is known to serve {address}")].into_iter().chain(everyone()))
        }
    }
}

fn serves(owner: &NodePart, address: IpAddr) -> String {
    let name = &owner.node;
    let why = owner.reason.as_ref().map(|reason| format!(" because {}", of_others(reason, owner)));
    let tier = owner.tier.map(|tier| format!(", and is {}", described(tier, owner)));
    format!("{name} serves {address}{}{}", why.unwrap_or_default(), tier.unwrap_or_default())
}

/// Why another node leaves it where it is, or will not for long.
fn against(owner: &NodePart, other: &NodePart, ranks_above: bool, failback: Failback) -> String {
    let name = &other.node;
    let (Some(theirs), true) = (other.tier, other.heard) else { return format!("{name} is not heard") };
    match other.admin {
        AdminState::Ready => {}
        AdminState::Drain => return format!("{name} is drained{}", by(other)),
        AdminState::Maint => return format!("{name} is in maintenance{}", by(other)),
    }
    match owner.tier {
        None => format!("{name} is {}", described(theirs, other)),
        Some(ours) if theirs < ours => format!("{name} is only {}", described(theirs, other)),
        Some(ours) if theirs > ours => {
            format!("{name} is {theirs}, which is better, and takes it once that has lasted for the settling time")
        }
        Some(_) => {
            format!("{name} is {} too, {}", described(theirs, other), among_equals(other, ranks_above, failback))
        }
    }
}

fn among_equals(other: &NodePart, ranks_above: bool, failback: Failback) -> String {
    if other.pinned.is_some() {
        return "and is pinned: nothing moves back to it meanwhile".to_owned();
    }
    match (ranks_above, failback) {
        (false, _) => "and ranks below".to_owned(),
        (true, Failback::Never) => "ranks above, and takes nothing from an equal (failback = \"never\")".to_owned(),
        (true, Failback::After(span)) => {
            format!("ranks above, and takes it back when both have been well for {} s (failback)", span.as_secs())
        }
        (true, Failback::Always) => "ranks above, and takes it back at once (failback = \"always\")".to_owned(),
    }
}

/// What a node is, where nobody serves.
fn own_words(node: &NodePart) -> String {
    let (name, Some(role)) = (&node.node, node.role) else { return format!("{} is not heard", node.node) };
    let why = node.reason.as_ref().map(|reason| format!(" because {}", of_others(reason, node)));
    let tier = node.tier.map(|tier| format!(", {}", described(tier, node)));
    format!("{name} is {role}{}{}", why.unwrap_or_default(), tier.unwrap_or_default())
}

fn described(tier: Tier, node: &NodePart) -> String {
    match &node.cause {
        Some(cause) => format!("{tier} ({})", of_others(cause, node)),
        None => tier.to_string(),
    }
}

/// Each node says `this node` of itself.
fn of_others(words: &str, node: &NodePart) -> String {
    words.replace("this node", node.node.as_str())
}

fn by(node: &NodePart) -> String {
    node.admin_asked.map(|asked| format!(", asked by uid {}", asked.uid)).unwrap_or_default()
}
