//! Signed advertisements: the authentication trailer of draft-cassen-vrrp-auth-hmac, as Keepalived 2.4 has it in `auth_hmac`. [core]
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Type  (1)    |    Key ID     |         Reserved (0)          |   behind the advertisement of either version
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                           Sequence                            |
//! |                                                               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                 HMAC-SHA256, the first 16 octets              |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! The HMAC is over twenty octets that bind it to its sender (address family, version, identifier, source address), then the
//! advertisement and the trailer, the checksum and the HMAC itself read as zeros. The destination is not in it: one signature is
//! for every copy. Over IPv4 the checksum of VRRP ends before the trailer; over IPv6 it is that of all that the packet carries, since
//! there the kernel sums it for others (ipv6(7), `IPV6_CHECKSUM`).

use std::net::IpAddr;

use arrayvec::ArrayVec;
use fmc_config::model::election::{AuthMode, ChecksumForm, Version};
use fmc_config::model::family::Family;
use ring::hmac;
use serde::{Deserialize, Serialize};

use super::authentication::is_same;
use super::sequence::Sequence;
use super::{Advertisement, CHECKSUM, Discarded, IpMeta, Received, VIRTUAL_ROUTER_ID, announced_len, sum_up};

/// Octets of the trailer.
pub const LENGTH: usize = 28;

/// Keys of one virtual router: more than a rotation needs.
pub const MOST_KEYS: usize = 4;

const HMAC_LENGTH: usize = 16;
const SIGNED_LENGTH: usize = LENGTH - HMAC_LENGTH;
const TYPE_HMAC_SHA256_128: u8 = 1;

/// Whom the signature binds: family, version, identifier, zero, and the address in sixteen octets.
const SENDER_LENGTH: usize = 20;

/// Why a signature, or its absence, discards an advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
pub enum SignatureFault {
    /// Mode `enforce`, and there is none.
    #[error("it is not signed, and auth_hmac enforces signatures")]
    Missing,
    /// There is one, and no key here that could verify it.
    #[error("it is signed, and this node has no auth_hmac")]
    NotAwaited,
    /// Another scheme than ours, or a reserved octet that is not zero.
    #[error("its signature is of another scheme")]
    Malformed,
    /// No key here has its number.
    #[error("it is signed with key {0}, which is not in the key file")]
    UnknownKey(u8),
    /// Another key of that number, or a forgery.
    #[error("its signature is wrong: another key, or a forgery")]
    Wrong,
    /// Its sequence is not after the last one accepted.
    #[error("it was sent before: a replay")]
    Replayed,
}

/// The keys that sign and verify, each with the number that says in a packet which one it is; never shown.
#[derive(Debug, Clone)]
pub struct Authenticator {
    mode: AuthMode,
    /// The first signs.
    keys: ArrayVec<(u8, hmac::Key), MOST_KEYS>,
}

impl Authenticator {
    /// Those after [`MOST_KEYS`] are not taken.
    pub fn new<'a>(mode: AuthMode, keys: impl IntoIterator<Item = (u8, &'a [u8])>) -> Self {
        let key = |(id, octets)| (id, hmac::Key::new(hmac::HMAC_SHA256, octets));
        Self { mode, keys: keys.into_iter().take(MOST_KEYS).map(key).collect() }
    }

    /// What is accepted beside signed advertisements.
    pub fn mode(&self) -> AuthMode {
        self.mode
    }

    /// Appends the trailer to the advertisement of `length` octets in `out`, which goes from the one address to the other, and returns how long both are. In mode
    /// `receive-only` there is none. Does not allocate.
    ///
    /// # Panics
    /// When `out` has no room for it; [`super::MAX_LEN`] always suffices.
    pub fn sign(
        &self,
        (source, destination): (IpAddr, IpAddr),
        sequence: Sequence,
        length: usize,
        out: &mut [u8],
    ) -> usize {
        let signing = self.keys.first().filter(|_| self.mode != AuthMode::ReceiveOnly);
        let Some((id, key)) = signing else { return length };
        let (message, trailer) = out[..length + LENGTH].split_at_mut(length);
        trailer[..4].copy_from_slice(&[TYPE_HMAC_SHA256_128, *id, 0, 0]);
        trailer[4..SIGNED_LENGTH].copy_from_slice(&sequence.bits().to_be_bytes());
        let (signed, tag) = trailer.split_at_mut(SIGNED_LENGTH);
        tag.copy_from_slice(&hmac_of(key, source, message, signed)[..HMAC_LENGTH]);
        if source.is_ipv6() {
            sum_up(ChecksumForm::PseudoHeader, source, destination, &mut out[..length + LENGTH]);
        }
        length + LENGTH
    }

    /// Its sequence, when the trailer of `message` is genuine; it may be a replay all the same.
    fn verify(&self, source: IpAddr, message: &[u8], trailer: &[u8; LENGTH]) -> Result<Sequence, SignatureFault> {
        let (signed, tag) = trailer.split_at(SIGNED_LENGTH);
        let [kind, id, reserved @ .., s0, s1, s2, s3, s4, s5, s6, s7] = signed else {
            return Err(SignatureFault::Malformed);
        };
        if *kind != TYPE_HMAC_SHA256_128 || reserved != [0, 0] {
            return Err(SignatureFault::Malformed);
        }
        let known = self.keys.iter().find(|(known, _)| known == id);
        let (_, key) = known.ok_or(SignatureFault::UnknownKey(*id))?;
        if !is_same(&hmac_of(key, source, message, signed)[..HMAC_LENGTH], tag) {
            return Err(SignatureFault::Wrong);
        }
        Ok(Sequence::from_bits(u64::from_be_bytes([*s0, *s1, *s2, *s3, *s4, *s5, *s6, *s7])))
    }
}

/// Reads an advertisement that may be signed: every rule of the unsigned one, and then the signature, which costs most. The
/// sequence is that of a signed one; whether it was accepted before is for the caller to say.
pub fn decode(
    ip: &IpMeta,
    version: Version,
    authenticator: Option<&Authenticator>,
    bytes: &[u8],
) -> Result<(Received, Option<Sequence>), Discarded> {
    let family = Family::of(ip.source);
    let (message, trailer) = split(version, family, bytes);
    let summed = if family == Family::V6 { bytes } else { message };
    let received = Advertisement::decode_with(ip, version, message, summed)?;
    let sequence = match (authenticator, trailer) {
        (None, None) => None,
        (None, Some(_)) => return Err(SignatureFault::NotAwaited.into()),
        (Some(Authenticator { mode: AuthMode::Enforce, .. }), None) => return Err(SignatureFault::Missing.into()),
        (Some(_), None) => None,
        (Some(keys), Some(trailer)) => Some(keys.verify(ip.source, message, trailer)?),
    };
    Ok((received, sequence))
}

/// The advertisement and its trailer, told from the length: nothing else is as long.
fn split(version: Version, family: Family, bytes: &[u8]) -> (&[u8], Option<&[u8; LENGTH]>) {
    let announced = announced_len(version, family, bytes);
    let parts = bytes.split_last_chunk().filter(|(message, _)| announced == Some(message.len()));
    parts.map_or((bytes, None), |(message, trailer)| (message, Some(trailer)))
}

fn hmac_of(key: &hmac::Key, source: IpAddr, message: &[u8], trailer: &[u8]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(key);
    context.update(&sender(source, message));
    context.update(&message[..CHECKSUM.start]);
    context.update(&[0; 2]);
    context.update(&message[CHECKSUM.end..]);
    context.update(trailer);
    context.update(&[0; HMAC_LENGTH]);
    let mut digest = [0; 32];
    digest.copy_from_slice(context.sign().as_ref());
    digest
}

fn sender(source: IpAddr, message: &[u8]) -> [u8; SENDER_LENGTH] {
    let mut octets = [0; SENDER_LENGTH];
    (octets[1], octets[2]) = (message[0] >> 4, message[VIRTUAL_ROUTER_ID]);
    match source {
        IpAddr::V4(source) => {
            octets[0] = 4;
            octets[4..8].copy_from_slice(&source.octets());
        }
        IpAddr::V6(source) => {
            octets[0] = 6;
            octets[4..].copy_from_slice(&source.octets());
        }
    }
    octets
}

#[cfg(test)]
mod tests;
