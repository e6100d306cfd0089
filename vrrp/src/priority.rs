//! The priority on the wire, and the tiers that fitness selects. [core]

pub mod tier;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A VRRP priority (RFC 9568 §5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Priority(u8);

impl Priority {
    /// 0: the Active router stops taking part.
    pub const RESIGN: Self = Self(0);
    /// 255: the router owns the address as its own.
    pub const OWNER: Self = Self(255);

    /// Every octet is a priority.
    pub const fn new(octet: u8) -> Self {
        Self(octet)
    }

    /// The octet on the wire.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
