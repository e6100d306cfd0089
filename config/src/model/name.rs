//! Names of things an operator declares: nodes, VIPs, frontends, backends, servers.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was typed.
    #[error("a name has at least one character")]
    Empty,
    /// Longer than a DNS label (RFC 1035 §2.3.4), which names must fit in to be host names too.
    #[error("a name has at most 63 characters")]
    TooLong,
    /// A character that would need quoting in a shell, a metric label or an address.
    #[error("{0:?} cannot stand in a name; use letters, digits, '-', '_' and '.'")]
    Character(char),
}

fn parse(text: &str) -> Result<Arc<str>, NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > 63 {
        return Err(NameError::TooLong);
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match text.chars().find(|&c| !allowed(c)) {
        Some(c) => Err(NameError::Character(c)),
        None => Ok(text.into()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as typed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                parse(text).map(Self)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0.as_ref().to_owned()
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

name!(
    /// A balancer, as in `[nodes]`.
    NodeName
);
name!(
    /// A virtual address, as in `[vips.NAME]`.
    VipName
);
name!(
    /// A service on a VIP, as in `[frontends.NAME]`.
    FrontendName
);
name!(
    /// A group of servers, as in `[backends.NAME]`.
    BackendName
);
name!(
    /// One server of a backend.
    ServerName
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_letters_digits_and_three_marks() {
        assert_eq!("k8s-api_1.a".parse::<FrontendName>().map(|n| n.to_string()), Ok("k8s-api_1.a".to_owned()));
        assert_eq!("".parse::<NodeName>(), Err(NameError::Empty));
        assert_eq!("a b".parse::<NodeName>(), Err(NameError::Character(' ')));
        assert_eq!("x".repeat(64).parse::<NodeName>(), Err(NameError::TooLong));
    }
}
