//! What a command acts on.

use std::fmt;
use std::str::FromStr;

use fmc_config::model::name::{BackendName, NameError, NodeName, ServerName};
use serde::{Deserialize, Serialize};

/// What `drain`, `ready`, `maint` and `weight` act on; spelled `masters/master2`, `master2` or `node loadbalancer1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// One server of one backend.
    ServerOf(BackendName, ServerName),
    /// The server of that name in every backend that has one.
    Server(ServerName),
    /// A balancer.
    Node(NodeName),
}

/// A text that is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// A part is not a name.
    #[error("{text:?} is no target: {reason}; use BACKEND/SERVER, SERVER or node NAME")]
    Name {
        /// As typed.
        text: String,
        /// What is wrong.
        reason: NameError,
    },
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::parse(text).map_err(|reason| TargetError::Name { text: text.to_owned(), reason })
    }
}

impl Target {
    fn parse(text: &str) -> Result<Self, NameError> {
        if let Some(node) = text.strip_prefix("node ") {
            return Ok(Self::Node(node.trim_start().parse()?));
        }
        match text.split_once('/') {
            Some((backend, server)) => Ok(Self::ServerOf(backend.parse()?, server.parse()?)),
            None => Ok(Self::Server(text.parse()?)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ServerOf(backend, server) => write!(f, "{backend}/{server}"),
            Self::Server(server) => server.fmt(f),
            Self::Node(node) => write!(f, "node {node}"),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(text: String) -> Result<Self, TargetError> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_names_its_kind_and_comes_back() {
        let name = "master2".parse().unwrap();
        let cases = [
            ("masters/master2", Target::ServerOf("masters".parse().unwrap(), name)),
            ("master2", Target::Server("master2".parse().unwrap())),
            ("node loadbalancer1", Target::Node("loadbalancer1".parse().unwrap())),
        ];
        for (text, target) in cases {
            assert_eq!(text.parse(), Ok(target.clone()));
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn a_text_that_is_no_target_says_what_one_looks_like() {
        for text in ["", "masters/", "/master2", "a/b/c", "node ", "nodes loadbalancer1"] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.ends_with("use BACKEND/SERVER, SERVER or node NAME"), "{error}");
        }
    }
}
