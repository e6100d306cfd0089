//! One direction-pair with one peer: what is sent to it, and which of its datagrams count. [core]
//!
//! Freshness without a clock. Each process life draws a random session number; each datagram carries its session and a sequence,
//! and echoes the newest (session, sequence) heard from its receiver. A datagram counts when
//!
//! 1. its tag is right by one of the keys, or it is unsigned (without any);
//! 2. it echoes *our* session, and one of our last [`ECHO_WINDOW`] datagrams: it was made just now, by somebody who hears us;
//! 3. from the session that is established: its sequence is higher than every one before;
//!    from another session: it echoes a datagram that we sent *after* the last one we accepted. Lives of a process follow each
//!    other, so whoever was alive after the established session last spoke is its successor, and a replay of a predecessor is not.
//!
//! An unestablished session is only remembered so that we can echo it; in every second datagram, so that a replayed one cannot
//! silence the established one.

use ring::hmac;
use serde::{Deserialize, Serialize};

use super::codec::{HEADER_LEN, Header, TAG_LEN, encode_entry};
use super::{Heartbeat, PeerReport};
use crate::packet::sequence::Sequence;

/// How many of our own datagrams ago the echoed one may be. More than a round trip with some datagrams out of turn, and few
/// enough that a datagram which was held back on its way is stale within seconds.
pub const ECHO_WINDOW: u64 = 16;

/// A candidate for the next session stays for this many of our datagrams before another may replace it; else a flood of replays
/// could keep a restarted peer from ever being echoed.
const CANDIDATE_STAYS: u64 = 4;

/// The keys that the nodes share: the first signs, every one is accepted, so that a key can be replaced on one node after the other.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<hmac::Key>);

impl Keys {
    /// Keys from their octets, at least 32 each; the one that signs first. None: datagrams are unsigned.
    pub fn new<'a>(octets: impl IntoIterator<Item = &'a [u8]>) -> Self {
        Self(octets.into_iter().map(|octets| hmac::Key::new(hmac::HMAC_SHA256, octets)).collect())
    }

    fn signing(&self) -> Option<&hmac::Key> {
        self.0.first()
    }

    fn accept(&self, body: &[u8], tag: &[u8]) -> bool {
        self.0.iter().any(|key| hmac::verify(key, body, tag).is_ok())
    }
}

/// Why a datagram has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum Rejected {
    /// Shorter or longer than it says.
    #[error("the length is not what the header says")]
    Length,
    /// Something else that came to our port.
    #[error("not a heartbeat")]
    Magic,
    /// A node that runs another release.
    #[error("another version of the heartbeat")]
    Version,
    /// Right tag, wrong content: a defect, or an unsigned forgery.
    #[error("an entry makes no sense")]
    Malformed,
    /// It names another sender than the node this session is with, or another receiver than this node.
    #[error("it is not from that node to this one")]
    Rank,
    /// We have a key and it has no tag.
    #[error("it is not signed, but this node has a key")]
    Unsigned,
    /// It has a tag and we have no key.
    #[error("it is signed, but this node has no key")]
    Unexpected,
    /// The tag is wrong: another key, or a forgery.
    #[error("the signature is wrong")]
    Forged,
    /// It does not echo this process: the sender has not heard us yet, or it is a replay from an earlier life of ours.
    #[error("it does not echo this process")]
    Unproven,
    /// It echoes one of our datagrams that is too old.
    #[error("it answers a datagram that is too old")]
    Stale,
    /// Its sequence is not higher than one already accepted.
    #[error("it was accepted before, or came late")]
    Replayed,
}

impl Rejected {
    /// Every label that [`Self::counter`] can name.
    pub const COUNTERS: [&str; 11] = [
        "length",
        "magic",
        "version",
        "malformed",
        "rank",
        "unsigned",
        "unexpected",
        "forged",
        "unproven",
        "stale",
        "replayed",
    ];

    /// The stable label of the counter.
    pub const fn counter(self) -> &'static str {
        Self::COUNTERS[self.index()]
    }

    /// Place of this reason in [`Self::COUNTERS`].
    pub const fn index(self) -> usize {
        match self {
            Self::Length => 0,
            Self::Magic => 1,
            Self::Version => 2,
            Self::Malformed => 3,
            Self::Rank => 4,
            Self::Unsigned => 5,
            Self::Unexpected => 6,
            Self::Forged => 7,
            Self::Unproven => 8,
            Self::Stale => 9,
            Self::Replayed => 10,
        }
    }
}

/// The heartbeats to and from one peer.
#[derive(Debug, Clone)]
pub struct Session {
    keys: Keys,
    own_rank: u8,
    peer_rank: u8,
    session: u64,
    sequence: u64,
    established: Option<Established>,
    candidate: Option<Candidate>,
    rejected: [u64; Rejected::COUNTERS.len()],
}

/// The life of the peer that counts.
#[derive(Debug, Clone, Copy)]
struct Established {
    session: u64,
    /// The highest that was accepted.
    sequence: u64,
    /// The highest that was heard, accepted or not: what we echo. Were it the accepted one, two nodes that both lost a whole
    /// window would find each other stale for ever.
    heard: u64,
    /// Our own sequence when its last datagram was accepted.
    accepted_at: u64,
}

/// A life of the peer that has not proved yet that it is the newest.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    session: u64,
    sequence: u64,
    /// Our own sequence when it was noticed.
    since: u64,
}

impl Session {
    /// `session` is 64 random bits of this process life, not zero; the same for every peer. Without keys datagrams are unsigned:
    /// the driver must then check that they come from the peer's address.
    pub fn new(own_rank: u8, peer_rank: u8, session: u64, keys: Keys) -> Self {
        // Zero on the wire means that nobody was heard.
        let session = session.max(1);
        let rejected = [0; Rejected::COUNTERS.len()];
        Self { keys, own_rank, peer_rank, session, sequence: 0, established: None, candidate: None, rejected }
    }

    /// Other keys from now on; what is established stays so.
    pub fn set_keys(&mut self, keys: Keys) {
        self.keys = keys;
    }

    /// Writes the next datagram to the peer and returns its length. `accepted`: its newest signed advertisement that counted here. Of more reports than there
    /// is room for the first count.
    ///
    /// # Panics
    /// When `out` is too short; [`super::MAX_LEN`] always suffices.
    pub fn encode(
        &mut self,
        config_hash: u64,
        accepted: Option<Sequence>,
        reports: &[PeerReport],
        out: &mut [u8],
    ) -> usize {
        self.sequence += 1;
        let reports = &reports[..super::room_for(reports.iter().map(|report| report.address))];
        let header = Header { accepted, ..self.header(config_hash, reports.len() as u8) };
        let body = super::length(reports.iter().map(|report| report.address));
        let (body, tag) = out[..body + header.tag_len()].split_at_mut(body);
        if let Some((head, entries)) = body.split_first_chunk_mut::<HEADER_LEN>() {
            header.encode(head);
            reports.iter().fold(entries, |entries, report| encode_entry(report, entries));
        }
        if let Some(key) = self.keys.signing() {
            tag.copy_from_slice(hmac::sign(key, body).as_ref());
        }
        body.len() + tag.len()
    }

    fn header(&self, config_hash: u64, count: u8) -> Header {
        let (echo_session, echo_sequence) = self.echo();
        Header {
            rank: self.own_rank,
            to: self.peer_rank,
            count,
            signed: self.keys.signing().is_some(),
            session: self.session,
            sequence: self.sequence,
            echo_session,
            echo_sequence,
            config_hash,
            accepted: None,
        }
    }

    /// The established session; in every second datagram the candidate, if there is one.
    fn echo(&self) -> (u64, u64) {
        let established = self.established.map(|peer| (peer.session, peer.heard));
        let candidate = self.candidate.map(|peer| (peer.session, peer.sequence));
        let turn = if self.sequence.is_multiple_of(2) { established.or(candidate) } else { candidate.or(established) };
        turn.unwrap_or_default()
    }

    /// Judges a datagram. What is rejected has no effect but its counter, and that a session unheard of is echoed.
    pub fn accept(&mut self, datagram: &[u8]) -> Result<Heartbeat, Rejected> {
        let judged = self.judge(datagram);
        if let Err(reason) = judged {
            self.rejected[reason.index()] += 1;
        }
        judged
    }

    /// How many datagrams were rejected, in the order of [`Rejected::COUNTERS`].
    pub fn rejected(&self) -> [u64; Rejected::COUNTERS.len()] {
        self.rejected
    }

    fn judge(&mut self, datagram: &[u8]) -> Result<Heartbeat, Rejected> {
        let header = Header::decode(datagram)?;
        self.check_tag(&header, datagram)?;
        if (header.rank, header.to) != (self.peer_rank, self.own_rank) {
            return Err(Rejected::Rank);
        }
        let heartbeat = header.heartbeat(&datagram[HEADER_LEN..])?;
        self.check_freshness(&header).inspect_err(|_| self.remember(&header))?;
        let Header { session, sequence, .. } = header;
        self.established =
            Some(Established { session, sequence, heard: self.heard(&header), accepted_at: self.sequence });
        self.candidate = self.candidate.filter(|candidate| candidate.session != session);
        Ok(heartbeat)
    }

    fn heard(&self, header: &Header) -> u64 {
        let before = self.established.filter(|peer| peer.session == header.session).map_or(0, |peer| peer.heard);
        before.max(header.sequence)
    }

    fn check_tag(&self, header: &Header, datagram: &[u8]) -> Result<(), Rejected> {
        match (self.keys.signing(), header.signed) {
            (None, false) => Ok(()),
            (None, true) => Err(Rejected::Unexpected),
            (Some(_), false) => Err(Rejected::Unsigned),
            (Some(_), true) => {
                let (body, tag) = datagram.split_last_chunk::<TAG_LEN>().ok_or(Rejected::Length)?;
                if self.keys.accept(body, tag) { Ok(()) } else { Err(Rejected::Forged) }
            }
        }
    }

    fn check_freshness(&self, header: &Header) -> Result<(), Rejected> {
        if header.echo_session != self.session {
            return Err(Rejected::Unproven);
        }
        let after = match self.established {
            Some(peer) if peer.session == header.session && header.sequence <= peer.sequence => {
                return Err(Rejected::Replayed);
            }
            Some(peer) if peer.session != header.session => peer.accepted_at,
            Some(_) | None => 0,
        };
        let oldest = self.sequence.saturating_sub(ECHO_WINDOW).max(after) + 1;
        if (oldest..=self.sequence).contains(&header.echo_sequence) { Ok(()) } else { Err(Rejected::Stale) }
    }

    /// A session that is not established is echoed, so that it can prove itself; the established one keeps what it has.
    fn remember(&mut self, header: &Header) {
        let Header { session, sequence, .. } = *header;
        if let Some(peer) = self.established.as_mut().filter(|peer| peer.session == session) {
            peer.heard = peer.heard.max(sequence);
            return;
        }
        match &mut self.candidate {
            Some(candidate) if candidate.session == session => candidate.sequence = candidate.sequence.max(sequence),
            Some(candidate) if self.sequence < candidate.since + CANDIDATE_STAYS => {}
            _ => self.candidate = Some(Candidate { session, sequence, since: self.sequence }),
        }
    }
}

#[cfg(test)]
mod tests;
