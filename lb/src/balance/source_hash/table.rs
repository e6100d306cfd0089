//! Maglev's table: as many slots as a prime, filled by servers in turns.

use std::fmt;

use fmc_config::model::backend::Weight;
use fmc_config::model::name::ServerName;

use super::{Purpose, hash};

/// Slots of a table, a prime. Of the paper's two sizes the smaller one: 128 KiB a backend, filled in 1 ms for 3 servers and in
/// 3 ms for 64 (bench `balance`), and a server of weight 1 beside three of weight 256 still has 85 slots. A quarter of it
/// (16,381, 32 KiB) would give that server 21, each 5 % of its share.
pub const SLOTS: usize = 65_537;

/// No server.
const EMPTY: u16 = u16::MAX;

/// Which server each slot belongs to, and what it was filled for. Cloning shares nothing: keep it behind an `Arc`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SourceTable {
    slots: Box<[u16]>,
    entries: Vec<TableEntry>,
}

/// One server of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableEntry {
    /// Where it stands in the caller's list.
    pub position: u16,
    /// What it is known by: its slots follow its name, so that a machine may be replaced, or change its address.
    pub name: ServerName,
    /// Its share of the slots; with 0 it has none.
    pub weight: Weight,
}

/// A server while the table is being filled.
struct Filler {
    position: u16,
    weight: u64,
    /// Turns that are due to it, in units of the largest weight.
    due: u64,
    /// The next slot of its permutation.
    next: usize,
    skip: usize,
}

impl SourceTable {
    /// The table of `entries`, in whatever order they come.
    pub fn new(entries: Vec<TableEntry>) -> Self {
        let mut fillers: Vec<_> = entries.iter().filter(|entry| entry.weight.get() > 0).collect();
        fillers.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
        let fillers = fillers.into_iter().map(Filler::new).collect();
        Self { slots: fill(fillers), entries }
    }

    /// True when it was made for exactly these.
    pub fn is_of(&self, entries: &[TableEntry]) -> bool {
        self.entries == entries
    }

    /// The position of the server in a slot; `None`: no server has a weight, or there is no such slot.
    pub fn server(&self, slot: usize) -> Option<usize> {
        self.slots.get(slot).filter(|position| **position != EMPTY).map(|position| usize::from(*position))
    }
}

impl fmt::Debug for SourceTable {
    /// Without the slots.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceTable").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl Filler {
    fn new(entry: &TableEntry) -> Self {
        let name = entry.name.as_str().as_bytes();
        Self {
            position: entry.position,
            weight: entry.weight.get().into(),
            due: 0,
            next: (hash(Purpose::Offset, name) % SLOTS as u64) as usize,
            skip: (hash(Purpose::Skip, name) % (SLOTS as u64 - 1)) as usize + 1,
        }
    }

    /// Takes the first slot of its permutation that is free.
    fn take(&mut self, slots: &mut [u16]) {
        while slots[self.next] != EMPTY {
            self.next = (self.next + self.skip) % SLOTS;
        }
        slots[self.next] = self.position;
    }
}

/// Round after round: the heaviest server takes a slot in each, the others in as many rounds as their weight is a part of its.
fn fill(mut fillers: Vec<Filler>) -> Box<[u16]> {
    let Some(heaviest) = fillers.iter().map(|filler| filler.weight).max() else { return Box::default() };
    let mut slots = vec![EMPTY; SLOTS].into_boxed_slice();
    let mut free = SLOTS;
    loop {
        for filler in &mut fillers {
            filler.due += filler.weight;
            if filler.due >= heaviest {
                filler.due -= heaviest;
                filler.take(&mut slots);
                free -= 1;
                if free == 0 {
                    return slots;
                }
            }
        }
    }
}
