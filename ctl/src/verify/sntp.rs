//! [core] A question to a time server and what its answer says: the client of RFC 4330, in the packet of RFC 5905 §7.3.

use std::time::Duration;

/// A moment in seconds since 1900 and their fractions (RFC 5905 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timestamp(u64);

/// From 1900 to 1970.
const EPOCH: u64 = 2_208_988_800;
const LENGTH: usize = 48;
/// Leap indicator 0, version 4, mode 3: a client.
const CLIENT: u8 = 0b00_100_011;
const MODE: u8 = 0b111;
const SERVER: u8 = 4;
/// Leap indicator 3: the clock is not synchronised.
const UNSYNCHRONISED: u8 = 3;

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// How far the clocks are apart, half the way there and back counted out.
    pub(super) offset: Duration,
    /// Whether it says that it has the time.
    pub(super) synchronised: bool,
}

impl Timestamp {
    /// Of a time since 1970.
    pub(super) fn since_1970(span: Duration) -> Self {
        let fraction = (u64::from(span.subsec_nanos()) << 32) / 1_000_000_000;
        Self((span.as_secs().wrapping_add(EPOCH) << 32) | fraction)
    }

    /// Signed, so that it may wrap in 2036.
    fn minus(self, other: Self) -> i128 {
        i128::from(self.0.wrapping_sub(other.0).cast_signed())
    }
}

/// What is sent at `now`.
pub(super) fn question(now: Timestamp) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = CLIENT;
    packet[40..].copy_from_slice(&now.0.to_be_bytes());
    packet
}

/// What came at `received` upon the question of `sent`; `None`: no answer to it.
pub(super) fn answer(packet: &[u8], sent: Timestamp, received: Timestamp) -> Option<Answer> {
    let packet: &[u8; LENGTH] = packet.get(..LENGTH)?.try_into().ok()?;
    let stamp = |at: usize| packet[at..at + 8].try_into().ok().map(u64::from_be_bytes).map(Timestamp);
    let (origin, arrived, left) = (stamp(24)?, stamp(32)?, stamp(40)?);
    if packet[0] & MODE != SERVER || origin != sent {
        return None;
    }
    let (leap, stratum) = (packet[0] >> 6, packet[1]);
    let synchronised = leap != UNSYNCHRONISED && (1..=15).contains(&stratum);
    // RFC 5905 §8: ((T2 - T1) + (T3 - T4)) / 2.
    let offset = (arrived.minus(sent) + left.minus(received)) / 2;
    let nanoseconds = (offset.unsigned_abs() * 1_000_000_000) >> 32;
    Some(Answer { offset: Duration::from_nanos(u64::try_from(nanoseconds).ok()?), synchronised })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::since_1970(Duration::from_millis(1_800_000_000_000 + milliseconds))
    }

    fn packet(first: u8, stratum: u8, stamps: [Timestamp; 3]) -> [u8; LENGTH] {
        let mut packet = [0; LENGTH];
        (packet[0], packet[1]) = (first, stratum);
        for (place, stamp) in packet[24..].chunks_exact_mut(8).zip(stamps) {
            place.copy_from_slice(&stamp.0.to_be_bytes());
        }
        packet
    }

    #[test]
    fn the_way_there_and_back_is_counted_out_of_the_offset() {
        let answered = packet(0b00_100_100, 10, [at(0), at(2040), at(2050)]);
        let found = answer(&answered, at(0), at(90)).expect("an answer");
        assert!((1999..=2000).contains(&found.offset.as_millis()), "{found:?}");
        assert!(found.synchronised);
    }

    #[test]
    fn a_server_without_time_says_so_and_an_answer_to_somebody_else_is_none() {
        let lost = packet(0b11_100_100, 0, [at(0), at(1), at(2)]);
        assert!(answer(&lost, at(0), at(3)).is_some_and(|answer| !answer.synchronised));
        assert_eq!(answer(&lost, at(7), at(9)), None);
        assert_eq!(answer(&question(at(0)), at(0), at(1)), None);
        assert_eq!(answer(&lost[..40], at(0), at(1)), None);
    }
}
