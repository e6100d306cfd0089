//! `fmc-lbctl lab verify` from every place of the lab, all at once.

use std::thread;

use serde::Deserialize;

use super::{HYPERVISOR, INTERNET, OUTSIDE, ROUTER, Rehearsal, SWITCH};
use crate::binaries::product;

/// What it said, seen from one place.
#[derive(Debug, Deserialize)]
pub(super) struct Seen {
    /// Where it was called, in its own words.
    pub(super) from: String,
    /// How many expectations hold.
    pub(super) so: usize,
    /// How many do not.
    pub(super) not_so: usize,
    /// How many cannot be judged from there.
    pub(super) not_judged: usize,
    /// Those that do not hold.
    pub(super) rows: Vec<Row>,
}

/// One expectation that does not hold.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    kind: String,
    of: String,
    expected: String,
    found: String,
    look: String,
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, of, expected, found, look } = self;
        write!(f, "{kind} {of}: expected {expected}, found {found}; look at {look}")
    }
}

/// Places that ask at once: all of them together would starve the elections on two cores.
const AT_ONCE: usize = 6;

impl Rehearsal {
    /// Verifies from every host that is no piece of wire.
    pub(super) fn verify_everywhere(&self) -> Vec<(String, Seen)> {
        let places = self.hosts.keys().map(String::as_str);
        let places: Vec<_> = places.filter(|name| ![SWITCH, INTERNET, ROUTER].contains(name)).collect();
        places.chunks(AT_ONCE).flat_map(|places| self.verify_from_each(places)).collect()
    }

    /// Verifies from some hosts at once.
    pub(super) fn verify_from_each(&self, places: &[&str]) -> Vec<(String, Seen)> {
        thread::scope(|scope| {
            let ask = |place: &&str| {
                let place = (*place).to_owned();
                scope.spawn(move || (self.verify_from(&place), place))
            };
            let asked: Vec<_> = places.iter().map(ask).collect();
            let seen = asked.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            seen.map(|(seen, place)| (place, seen)).collect()
        })
    }

    /// Verifies from one host.
    ///
    /// # Panics
    /// When it says nothing.
    pub(super) fn verify_from(&self, place: &str) -> Seen {
        let (inventory, kubeconfig) = (&self.inventory, self.rendered("k3s/kubeconfig"));
        let public = self.public().to_string();
        let choice = &self.described.choice;
        let mut words = vec!["--json", "lab", "verify", "--failures"];
        let (inventory, kubeconfig) = (inventory.to_string_lossy(), kubeconfig.to_string_lossy());
        words.push(&inventory);
        if self.described.k3s.is_some() {
            words.extend(["--kubeconfig", &kubeconfig]);
        }
        if !choice.plan.is_empty() {
            words.extend(["--plan", &choice.plan]);
        }
        words.extend(choice.way.iter().flat_map(|way| ["--way", way]));
        if place == OUTSIDE {
            words.extend(["--public", &public]);
        }
        // What is asked comes before whoever asks.
        let program = product("fmc-lbctl");
        let program = program.to_string_lossy();
        let niced = ["-n", "19", &program].into_iter().chain(words);
        let output = self.host(place).output("nice", &niced.collect::<Vec<_>>());
        let stderr = String::from_utf8_lossy(&output.stderr);
        let seen: Seen = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("lab verify from {place}: {error}: {stderr}"));
        let from = if place == HYPERVISOR { seen.from } else { format!("{place}: {}", seen.from) };
        Seen { from, ..seen }
    }
}
