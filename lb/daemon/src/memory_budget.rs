//! What the proxy and the kernel's TCP sockets may take of the memory, and what is done when it is nearly used up.
//!
//! | used | what is done |
//! |---|---|
//! | under 90 % | nothing |
//! | 90 % | nobody new: clients wait in the listen queues |
//! | all of it, or 90 % for two seconds | relays whose receiver takes nothing are ended, the longest stuck first, until newcomers can be let in again, under 80 % |
//! | either for five seconds | the node is degraded, so that the other one takes over if it is better off: it would have cut everybody, so this comes last |
//!
//! In this order, because newcomers lose least, and because of those who are here a stuck relay holds the most: both its sockets are
//! full. An idle relay holds next to nothing, and ending it would free next to nothing: a watch of the Kubernetes API is never shed.

use std::fs::read_to_string;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Above this share of the budget nobody new comes in.
const FULL_PERCENT: u64 = 90;

/// Under this share newcomers are let in again: the distance keeps the door from swinging.
const EASY_PERCENT: u64 = 80;

/// A receiver that has taken nothing for this long is stuck.
pub(crate) const STUCK_FOR: Duration = Duration::from_secs(1);

/// Relays that are ended in one turn at most: some, then a look at what that has freed.
pub(crate) const SHED_A_TURN: usize = 32;

/// Nobody waits for a place longer than this while others hold one and take nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// After this long the means above have not helped.
const HELPLESS_AFTER: Duration = Duration::from_secs(5);

const MIB: u64 = 1 << 20;

/// How far the budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pressure {
    None,
    /// Nobody new.
    Full,
    /// More than there may be.
    Over,
}

/// What is used, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Resident pages of the proxy.
    pub(crate) user: u64,
    /// TCP's buffers of the whole kernel: on a balancer they are all of this service.
    pub(crate) sockets: u64,
}

/// The budget and how far it is used up.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    /// What the service may have at all.
    machine: u64,
    pub(crate) used: Used,
    pub(crate) pressure: Pressure,
    /// Since when there has been some.
    since: Option<Instant>,
}

impl MemoryBudget {
    /// Reads once what the service may have: `MemoryMax=` of its unit, or the machine's memory.
    pub(crate) fn new() -> Self {
        Self { machine: available(), used: Used::default(), pressure: Pressure::None, since: None }
    }

    /// In bytes; half of what there is unless the configuration says otherwise: the kernel, the keeper and the page cache need theirs.
    pub(crate) fn limit(&self, configured: Option<NonZeroU32>) -> u64 {
        configured.map_or(self.machine / 2, |mib| u64::from(mib.get()) * MIB)
    }

    /// Looks at what is used.
    pub(crate) fn observe(&mut self, configured: Option<NonZeroU32>) -> Pressure {
        self.used = used();
        self.pressure = next(self.pressure, self.used.user + self.used.sockets, self.limit(configured));
        self.since = (self.pressure != Pressure::None).then(|| self.since.unwrap_or_else(Instant::now));
        if self.has_lasted(PATIENCE) {
            self.pressure = Pressure::Over;
        }
        self.pressure
    }

    fn has_lasted(&self, span: Duration) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= span)
    }

    /// Neither the closed door nor the end of stuck relays has made room.
    pub(crate) fn is_helpless(&self) -> bool {
        self.has_lasted(HELPLESS_AFTER)
    }
}

fn next(before: Pressure, used: u64, limit: u64) -> Pressure {
    let percent = used.saturating_mul(100) / limit.max(1);
    let full = if before == Pressure::None { FULL_PERCENT } else { EASY_PERCENT };
    match percent {
        100.. => Pressure::Over,
        // What was over goes on shedding until there is room again.
        EASY_PERCENT.. if before == Pressure::Over => Pressure::Over,
        percent if percent >= full => Pressure::Full,
        _ => Pressure::None,
    }
}

fn used() -> Used {
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096);
    let user = read_to_string("/proc/self/statm").ok().and_then(|text| resident_pages(&text));
    let sockets = read_to_string("/proc/net/sockstat").ok().and_then(|text| tcp_pages(&text));
    Used { user: user.unwrap_or_default() * page, sockets: sockets.unwrap_or_default() * page }
}

/// The second field of `statm` (proc_pid_statm(5)).
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// `mem` of the line `TCP:` (proc_net(5)).
fn tcp_pages(sockstat: &str) -> Option<u64> {
    let line = sockstat.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "mem")?;
    words.next()?.parse().ok()
}

fn available() -> u64 {
    let total = read_to_string("/proc/meminfo").ok().and_then(|text| total(&text)).unwrap_or(512 * MIB);
    own_limit().map_or(total, |limit| limit.min(total))
}

/// `MemTotal` (proc_meminfo(5)).
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// `memory.max` of the control group (cgroups(7), version 2); `None`: no limit, or another version.
fn own_limit() -> Option<u64> {
    let group = read_to_string("/proc/self/cgroup").ok()?;
    let path = group.lines().find_map(|line| line.strip_prefix("0::"))?.trim_start_matches('/').to_owned();
    read_to_string(std::path::Path::new("/sys/fs/cgroup").join(path).join("memory.max")).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_the_door_closes_then_the_stuck_go_and_then_it_opens_again() {
        let mut pressure = Pressure::None;
        let seen: Vec<Pressure> = [89, 90, 85, 100, 95, 85, 79, 85, 90, 80, 79]
            .into_iter()
            .map(|used| {
                pressure = next(pressure, used, 100);
                pressure
            })
            .collect();
        use Pressure::{Full, None, Over};
        assert_eq!(seen, [None, Full, Full, Over, Over, Over, None, None, Full, Full, None]);
    }

    #[test]
    fn what_the_kernel_tells_is_read() {
        assert_eq!(resident_pages("5120 1280 640 300 0 900 0\n"), Some(1280));
        let sockstat = "sockets: used 300\nTCP: inuse 5 orphan 0 tw 0 alloc 9 mem 77\nUDP: inuse 1 mem 3\n";
        assert_eq!(tcp_pages(sockstat), Some(77));
        assert_eq!(total("MemTotal:        500000 kB\nMemFree: 1 kB\n"), Some(512_000_000));
        assert!(available() > 64 * MIB && used().user > MIB, "this machine tells too");
    }

    #[test]
    fn the_file_decides_and_half_of_what_there_is_otherwise() {
        let budget = MemoryBudget { machine: 512 * MIB, ..MemoryBudget::new() };
        assert_eq!(budget.limit(None), 256 * MIB);
        assert_eq!(budget.limit(NonZeroU32::new(64)), 64 * MIB);
    }
}
