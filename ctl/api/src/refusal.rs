//! The body of every answer that is not a success.

use serde::{Deserialize, Serialize};

/// Why a request was not done, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Whose fault, for programs.
    pub kind: RefusalKind,
    /// What is wrong, lower case, no full stop.
    pub error: String,
    /// The edit or the command that helps, lower case, no full stop.
    pub fix: String,
}

impl Refusal {
    /// A refusal of `kind` that says what is wrong and what helps.
    pub fn new(kind: RefusalKind, error: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { kind, error: error.into(), fix: fix.into() }
    }

    /// The HTTP status it travels with.
    pub const fn http_status(&self) -> u16 {
        self.kind.http_status()
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; {}", self.error, self.fix)
    }
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// The request cannot be understood (400).
    BadRequest,
    /// The caller may not do this: not root, or a command over TCP (403).
    NotPermitted,
    /// No such path, target, VIP, node or session (404).
    NotFound,
    /// Understood, permitted, and the answer is no: doing it would do harm, or the state does not allow it (409).
    No,
    /// A process that is needed is not running (503).
    Unavailable,
    /// The daemon's own fault (500).
    Internal,
}

impl RefusalKind {
    /// The HTTP status it travels with.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotPermitted => 403,
            Self::NotFound => 404,
            Self::No => 409,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}
