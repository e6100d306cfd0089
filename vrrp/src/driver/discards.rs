//! What was discarded on an interface, by reason, and which sources the log has named for it. [core]

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

use crate::boot_instant::BootInstant;
use crate::packet::Discarded;

const REASONS: usize = Discarded::COUNTERS.len();

/// A source is named at its first discarded packet, and then at most once in this time, with what came since.
const NAMED_EACH: Duration = Duration::from_secs(60);

/// Sources that are told apart. A flood from invented addresses names so many in [`NAMED_EACH`]; the counters miss nothing.
const SOURCES: usize = 8;

/// Counters by reason, in the order of [`Discarded::COUNTERS`].
#[derive(Debug, Clone, Default)]
pub(super) struct Discards {
    counts: [u64; REASONS],
    sources: ArrayVec<Source, SOURCES>,
}

#[derive(Debug, Clone)]
struct Source {
    address: IpAddr,
    named_at: BootInstant,
    since: [u64; REASONS],
}

/// What the log should say of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Its first packet is discarded for this reason.
    First(Discarded),
    /// It goes on: so many since it was named last.
    Since([u64; REASONS]),
}

impl Discards {
    /// Counts one; `Some` when it is time for a line.
    pub(super) fn count(&mut self, source: IpAddr, reason: Discarded, now: BootInstant) -> Option<Told> {
        self.counts[reason.index()] += 1;
        match self.sources.iter_mut().find(|known| known.address == source) {
            Some(known) => known.count(reason, now).map(Told::Since),
            None => self.name(source, now).then_some(Told::First(reason)),
        }
    }

    pub(super) fn counts(&self) -> [u64; REASONS] {
        self.counts
    }

    /// Whether there was room for one more.
    fn name(&mut self, address: IpAddr, now: BootInstant) -> bool {
        self.sources.retain(|known| now.saturating_duration_since(known.named_at) < NAMED_EACH);
        self.sources.try_push(Source { address, named_at: now, since: [0; REASONS] }).is_ok()
    }
}

impl Source {
    fn count(&mut self, reason: Discarded, now: BootInstant) -> Option<[u64; REASONS]> {
        self.since[reason.index()] += 1;
        if now.saturating_duration_since(self.named_at) < NAMED_EACH {
            return None;
        }
        self.named_at = now;
        Some(std::mem::take(&mut self.since))
    }
}

/// The line.
pub(super) fn line(interface: &str, source: IpAddr, told: Told) -> String {
    match told {
        Told::First(reason) => format!("{interface}: discards advertisements from {source}: {reason}"),
        Told::Since(counts) => {
            let mut text = format!("{interface}: went on discarding advertisements from {source}:");
            for (name, count) in Discarded::COUNTERS.iter().zip(counts).filter(|(_, count)| *count > 0) {
                let _ = write!(text, " {count} {name}");
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 168, 0, 99));

    fn at(seconds: u64) -> BootInstant {
        BootInstant::from_nanos(seconds * 1_000_000_000)
    }

    /// Proves V-67.
    #[test]
    fn every_discard_is_counted_and_a_source_is_named_once_a_minute_with_its_reasons() {
        let mut discards = Discards::default();
        let mut lines = Vec::new();
        for second in 0..125 {
            let reason = if second % 2 == 0 { Discarded::Checksum } else { Discarded::Ttl(64) };
            lines.extend(discards.count(STRANGER, reason, at(second)).map(|told| line("eth0", STRANGER, told)));
        }
        assert_eq!(
            lines,
            [
                "eth0: discards advertisements from 192.168.0.99: the checksum is wrong",
                "eth0: went on discarding advertisements from 192.168.0.99: 30 ip-ttl-errors 30 checksum-errors",
                "eth0: went on discarding advertisements from 192.168.0.99: 30 ip-ttl-errors 30 checksum-errors",
            ]
        );
        assert_eq!(discards.counts().iter().sum::<u64>(), 125);
    }

    /// Proves V-67.
    #[test]
    fn a_flood_from_invented_addresses_names_a_few_of_them() {
        let mut discards = Discards::default();
        let named = |discards: &mut Discards, from: u32, seconds: u64| {
            let all = (0..10_000).map(|host| IpAddr::V4(Ipv4Addr::from_bits(from + host)));
            all.filter(|&source| discards.count(source, Discarded::Checksum, at(seconds)).is_some()).count()
        };
        assert_eq!(named(&mut discards, 0x0a00_0000, 0), SOURCES);
        assert_eq!(named(&mut discards, 0x0b00_0000, 59), 0);
        assert_eq!(named(&mut discards, 0x0c00_0000, 60), SOURCES);
        assert_eq!(discards.counts().iter().sum::<u64>(), 30_000);
    }
}
