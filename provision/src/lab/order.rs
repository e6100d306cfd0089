//! Who waits for whom: as typed, and as K3s has it.

use std::collections::{BTreeMap, BTreeSet};

use super::Lab;
use crate::inventory::Role;
use crate::inventory::scalar::Name;

/// Each machine with those that it waits for.
pub type Edges = BTreeMap<Name, BTreeSet<Name>>;

impl Lab {
    /// Whom each machine waits for itself.
    pub fn waits(&self) -> Edges {
        let typed = self.machines.iter().map(|machine| (machine.name.clone(), machine.after.iter().cloned().collect()));
        let mut edges: Edges = typed.collect();
        let servers: Vec<_> = self.servers().into_iter().map(|server| server.name.clone()).collect();
        // One learner of etcd at a time.
        for pair in servers.windows(2) {
            edges.entry(pair[1].clone()).or_default().insert(pair[0].clone());
        }
        if let (Some(last), true) = (servers.last(), self.k3s.is_some()) {
            for agent in self.with_role(Role::Agent) {
                edges.entry(agent.name.clone()).or_default().insert(last.clone());
            }
        }
        edges
    }

    /// Machines in the order of their start: those of one wave may start together.
    pub fn waves(&self) -> Vec<Vec<Name>> {
        let mut waiting = self.waits();
        let mut waves = Vec::new();
        while !waiting.is_empty() {
            let free = |before: &BTreeSet<Name>| before.iter().all(|name| !waiting.contains_key(name));
            let wave: Vec<_> =
                waiting.iter().filter(|(_, before)| free(before)).map(|(name, _)| name.clone()).collect();
            // A circle is refused when the inventory is checked.
            if wave.is_empty() {
                break;
            }
            wave.iter().for_each(|name| drop(waiting.remove(name)));
            waves.push(wave);
        }
        waves
    }
}

/// Everybody that `name` waits for, directly or not.
pub(crate) fn before(edges: &Edges, name: &Name) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    let mut next: Vec<&Name> = edges.get(name).into_iter().flatten().collect();
    while let Some(name) = next.pop() {
        if found.insert(name.clone()) {
            next.extend(edges.get(name).into_iter().flatten());
        }
    }
    found
}
