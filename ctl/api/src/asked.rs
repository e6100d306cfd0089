//! Who asked for something, and when: what makes a state an administrative one.

use serde::{Deserialize, Serialize};

use crate::Moment;

/// An operator's signature under what is in force because of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// When.
    pub at: Moment,
    /// By which user id, as the kernel vouches for it (SO_PEERCRED, unix(7)).
    pub uid: u32,
}
