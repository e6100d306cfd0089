//! Both balancers of the lab as it stands, and the addresses they share.

use std::time::Duration;

use crate::balancer::Balancer;
use crate::configuration::Configuration;
use crate::lab::Lab;
use crate::ownership::Ownership;

/// The virtual address of the Kubernetes API.
pub const API: &str = "192.168.0.32";
/// The virtual address of the web.
pub const WEB: &str = "192.168.0.33";
/// The node that ranks first, and the other.
pub const NODES: [&str; 2] = ["loadbalancer1", "loadbalancer2"];

/// Time within which a fresh pair has settled on one owner for each address.
const SETTLED: Duration = Duration::from_secs(8);

/// Two balancers with one configuration; the first owns both addresses.
#[derive(Debug)]
pub struct Pair<'lab> {
    /// Who holds which address.
    pub ownership: Ownership,
    /// `loadbalancer1`.
    pub first: Balancer<'lab>,
    /// `loadbalancer2`.
    pub second: Balancer<'lab>,
}

impl<'lab> Pair<'lab> {
    /// Starts both in turn and waits until the first one owns both addresses.
    ///
    /// # Panics
    /// When that does not happen within seconds.
    pub fn start(lab: &'lab Lab, configuration: &Configuration) -> Self {
        let ownership = Ownership::watch(lab, &NODES);
        let [first, second] = Balancer::start_in_turn(lab, NODES, configuration);
        let pair = Self { ownership, first, second };
        pair.wait_for(NODES[0]);
        pair
    }

    /// Waits until `node` alone owns both addresses.
    ///
    /// # Panics
    /// When that does not happen within seconds.
    pub fn wait_for(&self, node: &str) {
        for address in [API, WEB] {
            self.ownership.wait_for(node, address, SETTLED);
        }
    }
}
