//! HAProxy and Keepalived from the distribution, configured as the lab's owner does.

use std::process::Command;
use std::time::{Duration, Instant};

use fmc_tests::exchange::Target;
use fmc_tests::lab::Lab;
use fmc_tests::ownership::Ownership;
use fmc_tests::pair::{API, NODES, WEB};
use fmc_tests::peer::{Peer, Program};
use fmc_tests::server::wait_until_served;
use nix::sys::signal::Signal;

use crate::contender::Contender;
use crate::junk::Spoken;

/// Time for VRRPv2 at one second to elect, and for HAProxy's checks.
const SETTLED: Duration = Duration::from_secs(12);

/// Both nodes.
pub(crate) struct Distribution<'lab> {
    lab: &'lab Lab,
    ownership: Ownership,
    first: Option<Peer<'lab>>,
    _second: Peer<'lab>,
}

impl<'lab> Distribution<'lab> {
    /// Starts them and waits until the first owns both addresses and serves.
    pub(crate) fn start(lab: &'lab Lab) -> Self {
        let ownership = Ownership::watch(lab, &NODES);
        let [first, second] = Peer::lab_pair(lab);
        let this = Self { lab, ownership, first: Some(first), _second: second };
        this.settle();
        this
    }

    fn settle(&self) {
        for address in [API, WEB] {
            self.ownership.wait_for(NODES[0], address, SETTLED);
        }
        wait_until_served(self.lab, &Target::http("192.168.0.33:80"), SETTLED);
    }

    fn first(&self) -> &Peer<'lab> {
        self.first.as_ref().expect("restored after every blow")
    }
}

impl Contender for Distribution<'_> {
    fn name(&self) -> String {
        format!("HAProxy {} + Keepalived {}", version("haproxy", "-v"), version("keepalived", "--version"))
    }

    fn speaks(&self) -> Spoken {
        Spoken { version: 2, virtual_router_id: 52 }
    }

    fn watched(&self) -> Duration {
        Duration::from_secs(6)
    }

    fn kill_node(&mut self) -> Instant {
        let cut = self.lab.unplug(NODES[0]);
        self.first = None;
        cut
    }

    fn fail_over(&mut self) -> Instant {
        self.first().stop_keepalived()
    }

    fn kill_data_plane(&mut self) -> Instant {
        self.first().kill(Program::Haproxy)
    }

    fn kill_election(&mut self) -> Instant {
        self.first().kill(Program::Keepalived)
    }

    fn pause(&mut self, span: Duration) -> Instant {
        let began = Instant::now();
        for signal in [Signal::SIGSTOP, Signal::SIGCONT] {
            self.first().signal(Program::Keepalived, signal);
            self.first().signal(Program::Haproxy, signal);
            if signal == Signal::SIGSTOP {
                std::thread::sleep(span);
            }
        }
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
        let began = self.first().stop_keepalived();
        self.first().signal(Program::Haproxy, Signal::SIGTERM);
        began
    }

    fn restore(&mut self) {
        self.lab.link_up(NODES[0]);
        self.first = None;
        self.first = Some(Peer::lab_node(self.lab, NODES[0]));
        self.lab.plug(NODES[0]);
        self.settle();
    }
}

/// The first thing in a program's version output that looks like `2.6.12`.
fn version(program: &str, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let number = |word: &str| word.trim_start_matches('v').split(['-', '+', ',']).next().unwrap_or_default().to_owned();
    let numbers = text.split_whitespace().map(number);
    numbers
        .into_iter()
        .find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))
        .unwrap_or_default()
}
