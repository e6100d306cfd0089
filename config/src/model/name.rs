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

/// A host name that the DNS is asked for (RFC 1123 §2.1), in small letters; with a dot at its end no search domain is tried.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostName(Arc<str>);

/// Why a text is no host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostNameError {
    /// RFC 1035 §2.3.4.
    #[error("a host name has 1 to 253 characters, and each of its labels 1 to 63")]
    Length,
    /// Letters, digits, hyphens; underscores are in use too.
    #[error("a host name has letters, digits, '-' and '_' only, and no label begins or ends with '-'")]
    Character,
    /// An address with a mistake in it.
    #[error("what ends with a number, or has several, is an address, and this is none")]
    Number,
}

impl HostName {
    /// As it is asked for.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let name = text.to_ascii_lowercase();
        let labels = name.strip_suffix('.').unwrap_or(&name);
        let is_length_right = labels.len() <= 253 && labels.split('.').all(|label| (1..=63).contains(&label.len()));
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_label = |label: &str| label.chars().all(is_allowed) && !label.starts_with('-') && !label.ends_with('-');
        // RFC 1123 §2.1; and `10.17.4.2l` is an address with a slip in it.
        let is_number = |label: &str| label.chars().all(|c| c.is_ascii_digit());
        let numbers = labels.split('.').filter(|label| is_number(label)).count();
        let is_like_address = numbers > 1 || labels.rsplit('.').next().is_some_and(is_number);
        match () {
            () if !is_length_right => Err(HostNameError::Length),
            () if !labels.split('.').all(is_label) => Err(HostNameError::Character),
            () if is_like_address => Err(HostNameError::Number),
            () => Ok(Self(name.into())),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
