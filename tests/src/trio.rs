//! Three balancers with one key, on the lab's older address plan.

use std::process::Output;
use std::time::Duration;

use fmc_api::backends::ServerStatus;

use crate::balancer::Balancer;
use crate::configuration::Configuration;
use crate::lab::Lab;
use crate::ownership::Ownership;

/// The virtual address of the web.
pub const WEB: &str = "10.17.5.30";
/// The virtual address of the Kubernetes API.
pub const API: &str = "10.17.5.10";
/// In the order of their rank.
pub const NODES: [&str; 3] = ["loadbalancer1", "loadbalancer2", "k8s-api-lb"];

/// Time within which fresh nodes have settled on one owner for each address.
const SETTLED: Duration = Duration::from_secs(8);

/// Three balancers with one configuration; the first owns what there is to own.
#[derive(Debug)]
pub struct Trio<'lab> {
    /// Who holds which address.
    pub ownership: Ownership,
    /// In the order of [`NODES`].
    pub nodes: [Balancer<'lab>; 3],
    lab: &'lab Lab,
}

impl<'lab> Trio<'lab> {
    /// Starts all three in turn and waits until the first one owns `addresses`.
    ///
    /// # Panics
    /// When that does not happen within seconds.
    pub fn start(lab: &'lab Lab, configuration: &Configuration, addresses: &[&str]) -> Self {
        let ownership = Ownership::watch(lab, &NODES);
        let nodes = Balancer::start_in_turn(lab, NODES, configuration);
        let trio = Self { ownership, nodes, lab };
        addresses.iter().for_each(|address| trio.wait_for(NODES[0], address));
        trio
    }

    /// Waits until `node` alone owns `address`.
    ///
    /// # Panics
    /// When that does not happen within seconds.
    pub fn wait_for(&self, node: &str, address: &str) {
        self.ownership.wait_for(node, address, SETTLED);
    }

    /// Types `apply`, with more words at its end, on the node number `on`. The error is what the tool said.
    ///
    /// # Errors
    /// It was refused.
    pub fn apply(&self, on: usize, next: &Configuration, more: &[&str]) -> Result<String, String> {
        let file = next.write(self.lab, "next.toml");
        let words = ["apply", file.to_str().expect("a name of ours"), "--yes"];
        let Output { status, stdout, stderr } = self.nodes[on].ctl(&[&words[..], more].concat());
        let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
        if status.success() { Ok(said) } else { Err(said) }
    }

    /// Of the configuration in force on each node; empty: it does not answer.
    pub fn hashes(&self) -> [String; 3] {
        self.nodes.each_ref().map(|node| node.status().map(|status| status.config.hash).unwrap_or_default())
    }

    /// A server as each node has it.
    ///
    /// # Panics
    /// When a node does not answer or has no such server.
    pub fn server(&self, name: &str) -> [ServerStatus; 3] {
        self.nodes.each_ref().map(|node| {
            let servers = node.backends().backends.into_iter().flat_map(|backend| backend.servers);
            let mut named = servers.filter(|server| server.name.as_str() == name);
            named.next().unwrap_or_else(|| panic!("{} has no server {name}", node.node()))
        })
    }
}
