//! Which nodes a request is for.

use std::fmt;
use std::str::FromStr;

use fmc_config::model::name::{NameError, NodeName};
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// Request header of the unix socket that carries [`Nodes`]; without it a request is for all.
pub const NODES_HEADER: &str = "fmc-lb-nodes";

/// Which nodes a request is for; spelled `all`, `this` or `node NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Nodes {
    /// A command acts on every node that it concerns; what is read is read here.
    #[default]
    All,
    /// The one that is asked.
    This,
    /// That one, which answers through the one that is asked.
    Node(NodeName),
}

/// A text that names no nodes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no nodes{}; use all, this or node NAME", reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
pub struct NodesError {
    text: String,
    reason: Option<NameError>,
}

impl FromStr for Nodes {
    type Err = NodesError;

    fn from_str(text: &str) -> Result<Self, NodesError> {
        let wrong = |reason| NodesError { text: text.to_owned(), reason };
        match text.split_once(' ') {
            None if text == "all" => Ok(Self::All),
            None if text == "this" => Ok(Self::This),
            Some(("node", name)) => name.parse().map(Self::Node).map_err(|reason| wrong(Some(reason))),
            _ => Err(wrong(None)),
        }
    }
}

impl fmt::Display for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::This => f.write_str("this"),
            Self::Node(node) => write!(f, "node {node}"),
        }
    }
}

/// What another node made of the same command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere<T> {
    /// The other node.
    pub node: NodeName,
    /// What came of it.
    pub outcome: Outcome<T>,
}

/// What came of a command on another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome<T> {
    /// It was done; the answer.
    Done(T),
    /// It is a considered no.
    Refused(Refusal),
    /// It could not be asked, and will do it when it can be: one sentence.
    Later(String),
    /// It was not asked: one sentence, with what to do.
    NotAsked(String),
}

impl<T> Elsewhere<T> {
    /// The answer, when there is one.
    pub fn done(&self) -> Option<&T> {
        match &self.outcome {
            Outcome::Done(answer) => Some(answer),
            Outcome::Refused(_) | Outcome::Later(_) | Outcome::NotAsked(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_comes_back() {
        for text in ["all", "this", "node loadbalancer2", "node this"] {
            assert_eq!(text.parse::<Nodes>().unwrap().to_string(), text);
        }
        for text in ["", "loadbalancer2", "node", "node ", "everyone"] {
            assert!(text.parse::<Nodes>().unwrap_err().to_string().ends_with("use all, this or node NAME"), "{text}");
        }
    }
}
