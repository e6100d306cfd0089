//! Routers that speak for one of our virtual routers and are configured otherwise: who, in what, and until when it was seen. [core]

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use crate::boot_instant::BootInstant;
use crate::packet::auth_hmac::SignatureFault;
use crate::packet::{Advertisement, Discarded};
use crate::priority::Priority;
use crate::router::Parameters;

/// What is not seen again in this time, and in three intervals, is mended. A minute: a Keepalived that hears our other version is kept
/// silent by it most of the time.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// Mismatches of one virtual router that are remembered; forged ones may be many, and the newest come in when others are mended.
const REMEMBERED: usize = 8;

/// In what another router is configured otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Difference {
    /// The version of VRRP: neither hears the other.
    Version {
        /// What it speaks.
        theirs: u8,
        /// What we speak.
        ours: u8,
    },
    /// The interval. VRRPv3 adopts it in Backup, VRRPv2 does not hear the other (RFC 9568 §7.1, RFC 3768 §7.1).
    Interval {
        /// Theirs, in hundredths of a second.
        theirs: u16,
        /// Ours, in hundredths of a second.
        ours: u16,
    },
    /// VRRPv2: the type of authentication; 0 none, 1 password.
    AuthenticationType {
        /// What it has.
        theirs: u8,
        /// What we have.
        ours: u8,
    },
    /// VRRPv2: the password.
    Password,
    /// The addresses: most likely another cluster with our identifier.
    AddressList {
        /// The first of theirs.
        theirs: IpAddr,
    },
    /// One of our addresses is not in its list.
    AddressMissing {
        /// The first of ours that it does not name.
        ours: IpAddr,
    },
    /// Multicast for one, unicast for the other.
    Transport,
    /// Its signature, so that it is discarded.
    Signature(SignatureFault),
    /// It does not sign yet, while this node already does and takes unsigned ones too.
    NotSignedYet,
    /// Nothing, though it has to: the priority is ours too (RFC 9568 §8.3.2).
    SamePriority(Priority),
    /// Nothing: it uses our own address.
    SameAddress,
}

/// A difference, and who has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    /// Source of its advertisements.
    pub source: IpAddr,
    /// In what.
    pub difference: Difference,
}

/// The mismatches of one virtual router.
#[derive(Debug, Clone, Default)]
pub(super) struct Mismatches(ArrayVec<(Mismatch, BootInstant), REMEMBERED>);

impl Mismatches {
    /// A packet for our identifier was discarded.
    pub(super) fn discarded(&mut self, source: IpAddr, reason: Discarded, ours: &Parameters, now: BootInstant) {
        if let Some(difference) = of_discarded(reason) {
            self.note(Mismatch { source, difference }, ours, now);
        }
    }

    /// An advertisement was accepted, while we are at `priority`.
    pub(super) fn accepted(
        &mut self,
        source: IpAddr,
        advertisement: &Advertisement,
        ours: &Parameters,
        priority: Priority,
        now: BootInstant,
    ) {
        for difference in of_accepted(advertisement, ours, priority).into_iter().flatten() {
            self.note(Mismatch { source, difference }, ours, now);
        }
    }

    /// An advertisement was accepted without a signature, where every router should have one by and by.
    pub(super) fn not_signed(&mut self, source: IpAddr, ours: &Parameters, now: BootInstant) {
        self.note(Mismatch { source, difference: Difference::NotSignedYet }, ours, now);
    }

    /// Those that are not mended.
    pub(super) fn standing(&self, ours: &Parameters, now: BootInstant) -> impl Iterator<Item = Mismatch> {
        self.0.iter().filter(move |(_, seen_at)| is_fresh(*seen_at, ours, now)).map(|(mismatch, _)| *mismatch)
    }

    fn note(&mut self, mismatch: Mismatch, ours: &Parameters, now: BootInstant) {
        if let Some((_, seen_at)) = self.0.iter_mut().find(|(known, _)| *known == mismatch) {
            *seen_at = now;
            return;
        }
        self.0.retain(|(_, seen_at)| is_fresh(*seen_at, ours, now));
        // Full of others that stand: those are told, this one when there is room.
        let _ = self.0.try_push((mismatch, now));
    }
}

fn is_fresh(seen_at: BootInstant, ours: &Parameters, now: BootInstant) -> bool {
    now.saturating_duration_since(seen_at) <= SEEN_WITHIN + ours.interval.duration() * 3
}

/// What is plainly broken says nothing of a configuration.
fn of_discarded(reason: Discarded) -> Option<Difference> {
    match reason {
        Discarded::Version { theirs: theirs @ (2 | 3), ours } => Some(Difference::Version { theirs, ours }),
        Discarded::IntervalDiffers { theirs, ours } => {
            Some(Difference::Interval { theirs: u16::from(theirs) * 100, ours: u16::from(ours) * 100 })
        }
        Discarded::AuthenticationType { theirs, ours } => Some(Difference::AuthenticationType { theirs, ours }),
        Discarded::Password => Some(Difference::Password),
        Discarded::Destination(_) => Some(Difference::Transport),
        Discarded::OwnAddress => Some(Difference::SameAddress),
        Discarded::Signature(SignatureFault::Malformed | SignatureFault::Replayed) => None,
        Discarded::Signature(fault) => Some(Difference::Signature(fault)),
        Discarded::Version { .. }
        | Discarded::Ttl(_)
        | Discarded::Type(_)
        | Discarded::Length(_)
        | Discarded::Checksum
        | Discarded::VirtualRouterId(_)
        | Discarded::AddressList
        | Discarded::Interval
        | Discarded::Stranger => None,
    }
}

/// RFC 9568 §7.1 and §8.3.2: worth a word to the operator, and nothing more.
fn of_accepted(advertisement: &Advertisement, ours: &Parameters, priority: Priority) -> [Option<Difference>; 3] {
    let interval = (advertisement.interval != ours.interval)
        .then(|| Difference::Interval { theirs: advertisement.interval.get(), ours: ours.interval.get() });
    let theirs = advertisement.addresses.iter().copied().find(|theirs| ours.advertised().all(|own| own != *theirs));
    let missing = ours.advertised().find(|own| !advertisement.addresses.contains(own));
    let missing = missing.map(|ours| Difference::AddressMissing { ours });
    let addresses = theirs.map(|theirs| Difference::AddressList { theirs }).or(missing);
    let same = (advertisement.priority == priority).then_some(Difference::SamePriority(priority));
    [interval, addresses, same]
}

#[cfg(test)]
mod tests;
