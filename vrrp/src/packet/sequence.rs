//! The sequence of signed advertisements: what keeps an old one from counting again, without clocks that agree. [core]
//!
//! 64 bits, laid out as a time of day by draft-cassen-vrrp-auth-hmac, so that a router that has just started is past what it sent
//! before, and so that a Keepalived with `anti_replay time` takes it for fresh. Nobody here compares it with a clock of his own: a
//! receiver asks of each sender that its sequence grows. A sender whose clock went back goes on where it was; one that has
//! forgotten where that is, because it was restarted, learns it from the heartbeats of those who remember ([`Sequences::learn`]).
//!
//! What this cannot know: a receiver that has just started takes the recorded advertisements of a sender that is dead, each once.

use std::net::IpAddr;
use std::time::Duration;

use arrayvec::ArrayVec;

/// Senders that are remembered for each virtual router; more than one at a time advertise only in a contest. When it is full the
/// one that was silent longest is forgotten. Only who has a key gets in.
const SENDERS: usize = 4;

/// Seconds since 1970, a binary fraction of 16 bits, and a counter of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence(u64);

impl Sequence {
    /// As it stands in a packet.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// As it stands in a packet.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Of this time since 1970, in UTC; its 32 bits of seconds wrap around.
    fn at(utc: Duration) -> Self {
        let fraction = (u64::from(utc.subsec_nanos()) << 16) / 1_000_000_000;
        Self((utc.as_secs() << 32) | (fraction << 16))
    }

    /// By serial number arithmetic, so that it holds across the wrap (RFC 1982 §3.2).
    pub fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }
}

/// What this node has sent.
#[derive(Debug, Clone, Default)]
pub struct Sequences {
    last: Option<Sequence>,
}

impl Sequences {
    /// The next one: the time, or one more than the last where the clock has not gone on.
    pub fn next(&mut self, utc: Duration) -> Sequence {
        let (time, before) = (Sequence::at(utc), self.last);
        let next = match before {
            Some(last) if !time.is_after(last) => Sequence(last.0.wrapping_add(1)),
            Some(_) | None => time,
        };
        *self.last.insert(next)
    }

    /// A node that we trust has accepted this one from us: what we send next is after it.
    pub fn learn(&mut self, accepted: Sequence) {
        if self.last.is_none_or(|last| accepted.is_after(last)) {
            self.last = Some(accepted);
        }
    }
}

/// What was accepted, of each sender; who was heard last stands last.
#[derive(Debug, Clone, Default)]
pub struct Accepted(ArrayVec<(IpAddr, Sequence), SENDERS>);

impl Accepted {
    /// Whether it is after every one accepted from `source`.
    pub fn is_new(&self, source: IpAddr, sequence: Sequence) -> bool {
        self.of(source).is_none_or(|last| sequence.is_after(last))
    }

    /// It counted, and will not count again.
    pub fn note(&mut self, source: IpAddr, sequence: Sequence) {
        self.0.retain(|(known, _)| *known != source);
        if self.0.is_full() {
            self.0.pop_at(0);
        }
        self.0.push((source, sequence));
    }

    /// The last one accepted from `source`.
    pub fn of(&self, source: IpAddr) -> Option<Sequence> {
        self.0.iter().find(|(known, _)| *known == source).map(|(_, last)| *last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 168, 0, 30));
    const NOON: Duration = Duration::from_millis(1_764_158_400_500);

    fn sender(last: u8) -> IpAddr {
        [192, 168, 0, last].into()
    }

    #[test]
    fn a_sequence_is_the_time_in_the_layout_of_the_draft() {
        assert_eq!(Sequences::default().next(NOON).bits(), (1_764_158_400 << 32) | (0x8000 << 16));
    }

    #[test]
    fn a_sequence_grows_while_the_clock_stands_still_or_goes_back() {
        let mut sequences = Sequences::default();
        let mut last = sequences.next(NOON);
        for back in [0, 0, 1, 3600, 86_400 * 365] {
            let next = sequences.next(NOON - Duration::from_secs(back));
            assert!(next.is_after(last), "{back} s back");
            last = next;
        }
        assert!(sequences.next(NOON + Duration::from_secs(1)).is_after(last));
    }

    #[test]
    fn a_counter_that_is_full_carries_into_the_time() {
        let mut sequences = Sequences::default();
        let first = sequences.next(NOON);
        let last = (0..100_000).map(|_| sequences.next(NOON)).last().unwrap();
        assert!(last.is_after(first) && last.bits() == first.bits() + 100_000);
    }

    #[test]
    fn the_order_holds_across_the_wrap_of_2106() {
        let wrap = Duration::from_secs(1 << 32);
        let mut sequences = Sequences::default();
        let before = sequences.next(wrap - Duration::from_secs(1));
        let after = sequences.next(wrap + Duration::from_secs(1));
        assert!(after.is_after(before) && !before.is_after(after));
    }

    #[test]
    fn a_restarted_sender_goes_on_after_what_others_remember_of_it() {
        let mut before = Sequences::default();
        let remembered = before.next(NOON + Duration::from_secs(3600));
        let mut restarted = Sequences::default();
        assert!(!restarted.next(NOON).is_after(remembered));
        restarted.learn(remembered);
        assert!(restarted.next(NOON).is_after(remembered));
        restarted.learn(Sequence::from_bits(remembered.bits() - 5));
        assert!(restarted.next(NOON).is_after(remembered), "an older word takes nothing back");
    }

    #[test]
    fn what_was_accepted_does_not_count_again_and_senders_are_apart() {
        let mut accepted = Accepted::default();
        let sequence = Sequence::from_bits;
        accepted.note(SENDER, sequence(7));
        for (from, bits, is_new) in [(SENDER, 7, false), (SENDER, 6, false), (SENDER, 8, true), (sender(31), 1, true)] {
            assert_eq!(accepted.is_new(from, sequence(bits)), is_new, "{from} {bits}");
        }
    }

    #[test]
    fn the_sender_that_was_silent_longest_makes_room() {
        let mut accepted = Accepted::default();
        for last in [30, 31, 32, 33, 30, 34] {
            accepted.note(sender(last), Sequence::from_bits(9));
        }
        let known = |last| accepted.of(sender(last)).is_some();
        assert_eq!([30, 31, 32, 33, 34].map(known), [true, false, true, true, true]);
    }
}
