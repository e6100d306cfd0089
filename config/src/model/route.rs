//! Which connections of a frontend go to another backend than its own.

use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;

use super::name::BackendName;

/// A backend for some of a frontend's connections: those for which every condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Whom a TLS client asks for, one of these (SNI, RFC 6066 §3); empty: whomever, or nobody.
    pub server_names: Vec<NamePattern>,
    /// What a TLS client offers to speak, one of these (ALPN, RFC 7301); empty: whatever, or nothing.
    pub alpn: Vec<String>,
    /// Where the client is; empty: anywhere.
    pub sources: Vec<IpNet>,
    /// Where its connections go.
    pub backend: BackendName,
}

impl Route {
    /// True when it takes what a client says in its first message to tell.
    pub fn is_of_tls(&self) -> bool {
        !self.server_names.is_empty() || !self.alpn.is_empty()
    }
}

/// A host name, or every name below one; in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamePattern {
    /// `*.` stood in front: one label or more.
    is_below: bool,
    name: String,
}

/// Why a text is neither a host name nor `*.` and one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAPattern;

impl NamePattern {
    /// `name` is in lower case, as every comparison of host names must be (RFC 4343).
    pub fn matches(&self, name: &str) -> bool {
        match self.is_below {
            true => name.strip_suffix(&self.name).is_some_and(|front| front.len() > 1 && front.ends_with('.')),
            false => name == self.name,
        }
    }

    /// Whatever `other` matches, this does too.
    pub fn covers(&self, other: &Self) -> bool {
        self == other || self.matches(&other.name) || (self.is_below && other.is_below && self.name == other.name)
    }
}

impl FromStr for NamePattern {
    type Err = NotAPattern;

    fn from_str(typed: &str) -> Result<Self, NotAPattern> {
        let (is_below, name) = typed.strip_prefix("*.").map_or((false, typed), |name| (true, name));
        let label = |label: &str| {
            let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            (1..=63).contains(&label.len())
                && label.chars().all(legal)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // An address is no host name, and no client asks for one (RFC 6066 §3).
        let is_address = name.parse::<std::net::Ipv4Addr>().is_ok();
        if name.len() > 253 || is_address || !name.split('.').all(label) {
            return Err(NotAPattern);
        }
        Ok(Self { is_below, name: name.to_ascii_lowercase() })
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.is_below { "*." } else { "" }, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(typed: &str) -> NamePattern {
        typed.parse().unwrap_or_else(|_| panic!("{typed}"))
    }

    #[test]
    fn a_star_stands_for_one_label_or_more_and_never_for_none() {
        let apps = pattern("*.Apps.lab");
        assert!(apps.matches("a.apps.lab") && apps.matches("a.b.apps.lab"));
        assert!(["apps.lab", ".apps.lab", "xapps.lab", "apps.lab.x", "lab"].iter().all(|name| !apps.matches(name)));
        assert!(pattern("A.lab").matches("a.lab") && !pattern("a.lab").matches("b.a.lab"));
        assert_eq!((apps.to_string(), pattern("A.lab").to_string()), ("*.apps.lab".into(), "a.lab".into()));
    }

    #[test]
    fn one_covers_another_when_it_leaves_nothing_to_it() {
        for (one, other) in [("a.lab", "A.lab"), ("*.lab", "a.lab"), ("*.lab", "*.a.lab"), ("*.lab", "*.lab")] {
            assert!(pattern(one).covers(&pattern(other)), "{one} {other}");
        }
        for (one, other) in [("a.lab", "*.lab"), ("*.a.lab", "*.lab"), ("*.lab", "lab"), ("a.lab", "b.lab")] {
            assert!(!pattern(one).covers(&pattern(other)), "{one} {other}");
        }
    }

    #[test]
    fn what_no_client_can_ask_for_is_no_pattern() {
        for typed in ["", "*", "*.", "a..b", "a.lab.", "a b", "192.168.0.1", "a.*.lab", "mañana.lab", "https://a.lab"]
        {
            assert_eq!(typed.parse::<NamePattern>(), Err(NotAPattern), "{typed:?}");
        }
    }
}
