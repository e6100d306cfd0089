//! The masters and workers of the lab, and what may happen to them.

use nix::sys::signal::Signal;

use crate::binaries::beside;
use crate::certificate::Authority;
use crate::eventually::eventually;
use crate::exchange::{Target, fetch};
use crate::lab::Lab;
use crate::link;
use crate::process::{Process, Spawn};

use std::time::{Duration, Instant};

/// The port on which every worker echoes, for long streams.
pub const ECHO_PORT: u16 = 7;
/// The port on which every worker counts to the end of a stream, for half-close.
pub const COUNT_PORT: u16 = 9;

/// A server of the lab.
#[derive(Debug)]
pub struct Server<'lab> {
    lab: &'lab Lab,
    name: &'static str,
    words: Vec<String>,
    process: Option<Process>,
}

impl<'lab> Server<'lab> {
    /// Three K3s masters on 6443, with certificates of `authority` for their own address and the VIPs.
    pub fn masters(lab: &'lab Lab, authority: &Authority) -> [Self; 3] {
        ["master1", "master2", "master3"].map(|name| {
            let address = lab.address(name);
            let files =
                authority.sign(lab, name, &[address.to_string(), "192.168.0.32".to_owned(), "10.17.5.10".to_owned()]);
            let words = vec![
                format!("certificate={}", files.certificate.display()),
                format!("key={}", files.key.display()),
                format!("k3s={address}:6443"),
            ];
            Self::start_new(lab, name, words)
        })
    }

    /// Three workers that name themselves on 80 and 443 and on Traefik's NodePorts, echo on [`ECHO_PORT`] and count on [`COUNT_PORT`].
    pub fn workers(lab: &'lab Lab) -> [Self; 3] {
        ["worker1", "worker2", "worker3"].map(|name| {
            let address = lab.address(name);
            let ports = [
                ("http", 80),
                ("http", 443),
                ("http", 32591),
                ("http", 31541),
                ("echo", ECHO_PORT),
                ("count", COUNT_PORT),
            ];
            let words = ports.map(|(protocol, port)| format!("{protocol}={address}:{port}"));
            Self::start_new(lab, name, words.into())
        })
    }

    /// Three workers by IPv6 alone, on 80 and 443, with [`ECHO_PORT`] and [`COUNT_PORT`].
    pub fn workers_6(lab: &'lab Lab) -> [Self; 3] {
        ["worker1", "worker2", "worker3"].map(|name| {
            let address = lab.address_6(name);
            let ports = [("http", 80), ("http", 443), ("echo", ECHO_PORT), ("count", COUNT_PORT)];
            let words = ports.map(|(protocol, port)| format!("{protocol}=[{address}]:{port}"));
            Self::start_new(lab, name, words.into())
        })
    }

    /// Its host name, which its answers carry.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The process ends; its machine refuses new connections, as after a crash. Returns the moment from which it does.
    pub fn kill(&mut self) -> Instant {
        self.process = None;
        Instant::now()
    }

    /// The process starts again.
    pub fn start(&mut self) {
        let log = self.lab.path(&format!("{}.log", self.name));
        let spawn = Spawn::new(beside("fmc-testbed"), log).args([self.name]).args(&self.words);
        self.process = Some(self.lab.machine(self.name).spawn(spawn));
    }

    /// The process stops running; its machine still completes handshakes in the listen queue.
    pub fn hang(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Ends [`Server::hang`].
    pub fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// The machine hears nothing any more, as when it lost power but its address is still resolved. Returns the moment
    /// from which it does not.
    pub fn silence(&self) -> Instant {
        link::drop_incoming(self.lab.machine(self.name), "");
        Instant::now()
    }

    /// Ends [`Server::silence`].
    pub fn hear(&self) {
        link::stop_dropping(self.lab.machine(self.name));
    }

    /// What it printed, over all its lives.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.lab.path(&format!("{}.log", self.name))).unwrap_or_default()
    }

    fn start_new(lab: &'lab Lab, name: &'static str, words: Vec<String>) -> Self {
        let mut server = Self { lab, name, words, process: None };
        server.start();
        server
    }

    fn signal(&self, signal: Signal) {
        self.process.as_ref().expect("the server runs").signal(signal);
    }
}

/// Waits until `target` answers from the client's machine.
///
/// # Panics
/// When it does not within `limit`.
pub fn wait_until_served(lab: &Lab, target: &Target, limit: Duration) {
    eventually(&format!("{target} answers"), limit, || fetch(lab.client(), target).outcome.is_ok());
}
