//! The nodes: how many, and each at an address of its own.

use std::net::IpAddr;

use super::name;
use crate::diagnostic::Code;
use crate::findings::{Findings, Located, Place};
use crate::model::node::Node;
use crate::toml::nodes::RawNode;

/// A priority tier has room for three ranks.
const MOST_NODES: usize = 3;

/// The nodes in the order typed.
pub(super) fn lower(raw: &[RawNode], findings: &mut Findings) -> Vec<Node> {
    report_count(raw, findings);
    report_shared_addresses(raw, findings);
    raw.iter().zip(0..).filter_map(|(node, rank)| one(node, rank, findings)).collect()
}

fn one(raw: &RawNode, rank: u8, findings: &mut Findings) -> Option<Node> {
    let RawNode { name, address, interface, other_addresses } = raw;
    Some(Node {
        name: name::lower(name, findings)?,
        address: address.as_ref()?.value,
        interface: interface.as_ref().map(|interface| interface.value.clone()),
        other_addresses: other_addresses.iter().map(|address| address.value).collect(),
        rank,
    })
}

fn report_count(raw: &[RawNode], findings: &mut Findings) {
    if raw.is_empty() {
        let place = Place { span: 0..0, field: "nodes".to_owned() };
        let fix = "add a table [nodes] with a line such as `loadbalancer1 = \"192.168.0.30\"` for each balancer";
        findings.add(Code::NoNode, &place, "no node is named, so nobody would own a VIP", fix);
    }
    if let [only] = raw {
        let fix = "add the second balancer, `loadbalancer2 = \"...\"`, to [nodes]";
        findings.add(Code::SingleNode, &only.name.place, "there is no other node to take a VIP over", fix);
    }
    if let Some(fourth) = raw.get(MOST_NODES) {
        let problem = format!("{} nodes are named, and at most {MOST_NODES} can share a VIP", raw.len());
        findings.add(Code::TooManyNodes, &fourth.name.place, problem, "remove this one and those after it");
    }
}

fn report_shared_addresses(raw: &[RawNode], findings: &mut Findings) {
    let mut seen: Vec<(&str, &Located<IpAddr>)> = Vec::new();
    for node in raw {
        for address in node.address.iter().chain(&node.other_addresses) {
            if let Some((first, place)) = seen.iter().find(|(_, other)| other.value == address.value) {
                let problem = format!("{} is already the address of {first}", address.value);
                let fix = "give each node the address that only it owns";
                findings.add(Code::NodeAddressTaken, &address.place, problem, fix);
                findings.because(&place.place, "first said here");
            }
            seen.push((&node.name.value, address));
        }
    }
}
