//! The keys of signed advertisements, as settings that cross between processes.

use std::fmt;

use fmc_config::model::election::AuthMode;
use serde::{Deserialize, Serialize};

use crate::packet::auth_hmac::Authenticator;

/// One key, and the number by which packets name it. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertKey {
    id: u8,
    octets: Vec<u8>,
}

/// Why something is no key of signed advertisements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AdvertKeyError {
    /// Keepalived's numbers begin at 1.
    #[error("0 is no number of a key; use 1 to 255")]
    Id,
    /// The bounds of Keepalived, so that every key can be written there too.
    #[error("the key holds {0} bytes; 32 to 64 are needed")]
    Length(usize),
}

impl AdvertKey {
    /// The fewest octets of a key.
    pub const SHORTEST: usize = 32;
    /// The most octets of a key.
    pub const LONGEST: usize = 64;

    /// A key of 32 to 64 octets with a number from 1 to 255.
    pub fn new(id: u8, octets: Vec<u8>) -> Result<Self, AdvertKeyError> {
        match (id, octets.len()) {
            (0, _) => Err(AdvertKeyError::Id),
            (_, Self::SHORTEST..=Self::LONGEST) => Ok(Self { id, octets }),
            (_, length) => Err(AdvertKeyError::Length(length)),
        }
    }

    /// Its number.
    pub fn id(&self) -> u8 {
        self.id
    }
}

impl fmt::Debug for AdvertKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdvertKey({}, ..)", self.id)
    }
}

/// That advertisements are signed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdvertKeys {
    /// What is sent, and what is accepted beside signed ones.
    pub mode: AuthMode,
    /// The first signs, every one is accepted.
    pub keys: Vec<AdvertKey>,
}

impl AdvertKeys {
    /// What signs and verifies by them.
    pub fn authenticator(&self) -> Authenticator {
        Authenticator::new(self.mode, self.keys.iter().map(|key| (key.id, key.octets.as_slice())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_to_64_octets_with_a_number_from_1_and_is_not_shown() {
        assert_eq!(AdvertKey::new(0, vec![7; 32]), Err(AdvertKeyError::Id));
        for length in [31, 65] {
            assert_eq!(AdvertKey::new(1, vec![7; length]), Err(AdvertKeyError::Length(length)));
        }
        let key = AdvertKey::new(255, b"a passphrase of sixty-four octets".to_vec()).unwrap();
        assert_eq!(format!("{key:?}"), "AdvertKey(255, ..)");
        assert_eq!(AdvertKeyError::Length(31).to_string(), "the key holds 31 bytes; 32 to 64 are needed");
    }
}
