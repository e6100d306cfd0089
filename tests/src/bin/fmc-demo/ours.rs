//! fmc-lb, with the shipped configuration of the lab.

use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::configuration::Configuration;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{NODES, Pair};
use nix::sys::signal::Signal;

use crate::contender::Contender;

/// Both balancers.
pub(crate) struct Ours<'lab> {
    lab: &'lab Lab,
    configuration: Configuration,
    pair: Pair<'lab>,
}

impl<'lab> Ours<'lab> {
    /// Starts them and waits until the first owns both addresses.
    pub(crate) fn start(lab: &'lab Lab) -> Self {
        let configuration = Configuration::flatcar_micro_cloud();
        let pair = Pair::start(lab, &configuration);
        Self { lab, configuration, pair }
    }

    /// The nodes, in rank.
    pub(crate) fn nodes(&self) -> [&Balancer<'lab>; 2] {
        [&self.pair.first, &self.pair.second]
    }
}

impl Contender for Ours<'_> {
    fn name(&self) -> String {
        "fmc-lb".to_owned()
    }

    fn watched(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn kill_node(&mut self) -> Instant {
        let cut = self.lab.unplug(NODES[0]);
        self.pair.first.kill_all();
        cut
    }

    fn fail_over(&mut self) -> Instant {
        self.pair.first.expect_ctl(&["failover", "all", "--yes"]);
        Instant::now()
    }

    fn kill_data_plane(&mut self) -> Instant {
        self.pair.first.signal(Role::Proxy, Signal::SIGKILL)
    }

    fn restore(&mut self) {
        if self.pair.first.status().is_none() {
            self.lab.plug(NODES[0]);
            self.pair.first = Balancer::start(self.lab, NODES[0], &self.configuration);
        }
        self.pair.first.wait_until_ready();
        // Nothing moves back by itself: the operator asks for it.
        self.pair.wait_for(NODES[1]);
        self.pair.second.expect_ctl(&["failover", "all", "--yes"]);
        self.pair.wait_for(NODES[0]);
    }
}
