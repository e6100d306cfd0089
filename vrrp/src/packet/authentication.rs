//! The authentication of VRRPv2: none, or a password in the clear (RFC 2338 §5.3.6). [core]
//!
//! RFC 3768 withdrew it, since it keeps nobody out; a Keepalived that is configured with it hears nothing else.

use fmc_config::model::election::Password;

use super::Discarded;

/// Octets that follow the addresses, whatever the type (RFC 3768 §5.3.10).
pub(super) const LENGTH: usize = Password::LENGTH;

const NONE: u8 = 0;
const SIMPLE_PASSWORD: u8 = 1;

/// What the type octet says.
pub(super) const fn kind(password: Option<Password>) -> u8 {
    match password {
        None => NONE,
        Some(_) => SIMPLE_PASSWORD,
    }
}

/// What follows the addresses.
pub(super) fn data(password: Option<Password>) -> [u8; LENGTH] {
    password.map_or([0; LENGTH], |password| *password.octets())
}

/// Without a password the data is not looked at (RFC 3768 §5.3.10).
pub(super) fn check(password: Option<Password>, theirs: u8, data: &[u8]) -> Result<(), Discarded> {
    let ours = kind(password);
    if theirs != ours {
        return Err(Discarded::AuthenticationType { theirs, ours });
    }
    match password {
        Some(password) if !is_same(password.octets(), data) => Err(Discarded::Password),
        Some(_) | None => Ok(()),
    }
}

/// Looks at every octet, so that the time it takes says nothing of how many are right.
pub(super) fn is_same(ours: &[u8], theirs: &[u8]) -> bool {
    let difference = ours.iter().zip(theirs).fold(0, |difference, (a, b)| difference | (a ^ b));
    ours.len() == theirs.len() && difference == 0
}
