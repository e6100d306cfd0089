//! Is there room left: file descriptors of this process, memory of this machine.

use fmc_lb::{DESCRIPTORS_PER_CONNECTION, RESERVED_DESCRIPTORS};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::fitness::Scarce;

/// Under this share of descriptors or memory left, the node is degraded.
const SCARCE_PERCENT: u64 = 10;

/// Above this share it recovers: the distance keeps a node at the edge from flapping.
const AMPLE_PERCENT: u64 = 20;

/// Raises the limit on descriptors to what the unit allows: the soft limit is 1024 where nobody asked for more.
pub(crate) fn raise_descriptor_limit() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(errno) = raised {
        tracing::warn!(%errno, "cannot raise the limit on file descriptors");
    }
}

/// Watches two resources with hysteresis.
#[derive(Debug)]
pub(crate) struct Headroom {
    descriptor_limit: u64,
    scarce: Option<Scarce>,
}

impl Headroom {
    /// Reads the limit on descriptors once; nothing raises it later.
    pub(crate) fn new() -> Self {
        let descriptor_limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft);
        Self { descriptor_limit, scarce: None }
    }

    /// What is scarce, with `relays` alive.
    pub(crate) fn observe(&mut self, relays: u64) -> Option<Scarce> {
        let descriptors = free_percent(used(relays), self.descriptor_limit);
        let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| available_memory_percent(&text));
        self.scarce = next(self.scarce, descriptors, memory.unwrap_or(100));
        self.scarce
    }
}

fn next(before: Option<Scarce>, descriptors: u64, memory: u64) -> Option<Scarce> {
    let threshold = |scarce| if before == Some(scarce) { AMPLE_PERCENT } else { SCARCE_PERCENT };
    if descriptors < threshold(Scarce::Descriptors) {
        Some(Scarce::Descriptors)
    } else if memory < threshold(Scarce::Memory) {
        Some(Scarce::Memory)
    } else {
        None
    }
}

/// Counted as the data plane does when it says how many relays there may be.
fn used(relays: u64) -> u64 {
    relays * DESCRIPTORS_PER_CONNECTION + RESERVED_DESCRIPTORS
}

fn free_percent(used: u64, limit: u64) -> u64 {
    limit.saturating_sub(used) * 100 / limit.max(1)
}

/// `MemAvailable` of `MemTotal` (proc_meminfo(5)).
fn available_memory_percent(meminfo: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = meminfo.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    Some(field("MemAvailable:")? * 100 / field("MemTotal:")?.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scarcity_begins_under_ten_percent_and_ends_above_twenty() {
        let mut scarce = None;
        let seen: Vec<bool> = [15, 9, 15, 20, 15]
            .into_iter()
            .map(|descriptors| {
                scarce = next(scarce, descriptors, 100);
                scarce.is_some()
            })
            .collect();
        assert_eq!(seen, [false, true, true, false, false]);
    }

    #[test]
    fn memory_is_read_from_meminfo() {
        let meminfo = "MemTotal:        500000 kB\nMemFree: 1 kB\nMemAvailable:     45000 kB\n";
        assert_eq!(available_memory_percent(meminfo), Some(9));
        assert_eq!(next(None, 100, 9), Some(Scarce::Memory));
    }

    #[test]
    fn a_relay_takes_two_descriptors() {
        assert_eq!(free_percent(used(4_400), 10_000), 8);
    }
}
