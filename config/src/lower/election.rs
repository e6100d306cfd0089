//! The election: a profile's numbers, or those typed.

use std::time::Duration;

use crate::model::election::{Centiseconds, ChecksumForm, Election, Failback};
use crate::toml::election::RawElection;
use crate::words::ElectionProfile;

/// Three missed advertisements are 300 ms: longer than the short stalls of a virtual machine.
const STANDARD: Centiseconds = Centiseconds::new(10).expect("10 lies in 1-4095");
/// 60 ms until the next owner moves, after stalls up to 40 ms; 10 ms would take the jitter of an idle machine for a death.
const FAST: Centiseconds = Centiseconds::new(2).expect("2 lies in 1-4095");
/// The most a node may advertise that does not own the address as its own (RFC 9568 §5.2.4): the shortest skew.
const PRIORITY: u8 = 254;

/// The election with every default filled in.
pub(super) fn lower(raw: &RawElection) -> Election {
    let profile = raw.profile.as_ref().map_or(ElectionProfile::Standard, |profile| profile.value);
    Election {
        interval: raw
            .advertisement_interval
            .as_ref()
            .and_then(|typed| centiseconds(typed.value))
            .unwrap_or(of(profile)),
        failback: raw.failback.unwrap_or(Failback::Never),
        priority: raw.priority.unwrap_or(PRIORITY),
        // What Keepalived and FRR send and want; our own nodes take both.
        checksum: raw.checksum.as_ref().map_or(ChecksumForm::PseudoHeader, |checksum| checksum.value),
    }
}

const fn of(profile: ElectionProfile) -> Centiseconds {
    match profile {
        ElectionProfile::Fast => FAST,
        ElectionProfile::Standard => STANDARD,
    }
}

fn centiseconds(span: Duration) -> Option<Centiseconds> {
    u16::try_from(span.as_millis() / 10).ok().and_then(Centiseconds::new)
}
