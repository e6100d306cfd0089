//! fmc-lb, with the shipped configuration of the lab.

use std::time::{Duration, Instant};

use fmc_tests::balancer::{Balancer, Role};
use fmc_tests::configuration::Configuration;
use fmc_tests::lab::Lab;
use fmc_tests::pair::{NODES, Pair, WEB};
use nix::sys::signal::Signal;

use crate::contender::Contender;
use crate::junk::Spoken;

/// Both balancers.
pub(crate) struct Ours<'lab> {
    lab: &'lab Lab,
    profile: &'static str,
    configuration: Configuration,
    pair: Pair<'lab>,
}

impl<'lab> Ours<'lab> {
    /// Starts them and waits until the first owns both addresses.
    pub(crate) fn start(lab: &'lab Lab) -> Self {
        Self::with_profile(lab, "standard")
    }

    /// The same by another profile of the election.
    pub(crate) fn with_profile(lab: &'lab Lab, profile: &'static str) -> Self {
        let election = format!("[election]\nprofile = \"{profile}\"\n");
        let configuration = Configuration::flatcar_micro_cloud().with(&election);
        let pair = Pair::start(lab, &configuration);
        Self { lab, profile, configuration, pair }
    }

    /// The nodes, in rank.
    pub(crate) fn nodes(&self) -> [&Balancer<'lab>; 2] {
        [&self.pair.first, &self.pair.second]
    }
}

impl Contender for Ours<'_> {
    fn name(&self) -> String {
        match self.profile {
            "standard" => "fmc-lb".to_owned(),
            other => format!("fmc-lb, {other}"),
        }
    }

    fn speaks(&self) -> Spoken {
        Spoken { version: if self.profile == "compat" { 2 } else { 3 }, virtual_router_id: 33 }
    }

    fn watched(&self) -> Duration {
        Duration::from_secs(if self.profile == "compat" { 6 } else { 3 })
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

    fn kill_election(&mut self) -> Instant {
        self.pair.first.signal(Role::Keeper, Signal::SIGKILL)
    }

    fn pause(&mut self, span: Duration) -> Instant {
        let began = self.pair.first.freeze_all();
        std::thread::sleep(span);
        self.pair.first.thaw_all();
        began
    }

    fn heal(&mut self) -> Instant {
        self.lab.unplug(NODES[0]);
        std::thread::sleep(self.watched());
        self.lab.plug(NODES[0])
    }

    fn take_link_down(&mut self) -> Instant {
        self.lab.link_down(NODES[0])
    }

    fn stop(&mut self) -> Instant {
        let began = Instant::now();
        self.pair.first.terminate(Duration::from_secs(5));
        began
    }

    fn restore(&mut self) {
        self.lab.link_up(NODES[0]);
        if self.pair.first.status().is_none() {
            self.lab.plug(NODES[0]);
            self.pair.first = Balancer::start(self.lab, NODES[0], &self.configuration);
        }
        self.pair.first.wait_until_ready();
        // Nothing moves back by itself: the operator asks for it.
        if self.pair.ownership.holders(WEB) != [NODES[0]] {
            self.pair.wait_for(NODES[1]);
            self.pair.second.expect_ctl(&["failover", "all", "--yes"]);
        }
        self.pair.wait_for(NODES[0]);
    }
}
