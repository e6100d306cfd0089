//! The commands, and answers that say what changed. Every one that can cut relays has a dry run that counts them first.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use fmc_config::model::name::{BackendName, NameError, NodeName, ServerName, VipName};
use serde::{Deserialize, Serialize};

use crate::sessions::{Session, SessionId};
use crate::status::Owner;
use crate::target::Target;
use crate::word::AdminState;
use crate::{Elsewhere, Moment};

/// Body of `POST /v1/drain`, `/v1/ready` and `/v1/maint`; the path says which state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetState {
    /// What gets it.
    pub target: Target,
    /// Say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became, or would become, of each thing the target names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// Nothing was changed.
    pub dry_run: bool,
    /// One for each server, or one for the node.
    pub changes: Vec<StateChange>,
    /// For a node: each VIP that it gives away; otherwise empty.
    pub moves: Vec<Move>,
    /// Why it would be forgotten by a restart of the service; `null` when it is saved, and in a dry run.
    #[serde(default)]
    pub unsaved: Option<String>,
    /// What the other nodes made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Elsewhere<Self>>,
}

/// One thing's state, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateChange {
    /// Fully named: `masters/master2`, `node loadbalancer1`.
    pub target: Target,
    /// Until now.
    pub before: AdminState,
    /// From now on; equal to `before` when there was nothing to do.
    pub after: AdminState,
    /// Relays open on it now, or just before they were cut.
    pub connections: u64,
    /// Of those, how many were cut, or would be: of a server all in `maint` and none in `drain`, of a node those on `moves`.
    pub connections_cut: u64,
}

/// Body of `POST /v1/weight`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetWeight {
    /// A server, or a server in every backend.
    pub target: Target,
    /// 0-256; 0 gets nothing new.
    pub weight: u16,
}

/// Every weight that was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// One for each server.
    pub changes: Vec<WeightChange>,
    /// Why it would be forgotten by a restart of the service; `null` when it is saved, and in a dry run.
    #[serde(default)]
    pub unsaved: Option<String>,
    /// What the other nodes made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Elsewhere<Self>>,
}

/// One server's weight, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightChange {
    /// Its backend.
    pub backend: BackendName,
    /// The server.
    pub server: ServerName,
    /// Until now.
    pub before: u16,
    /// From now on.
    pub after: u16,
}

/// Body of `POST /v1/undo`: take back the last `drain`, `ready`, `maint` or `weight`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Undo {
    /// Only if the last act is this one, as a dry run has numbered it; `null`: whichever is.
    #[serde(default)]
    pub act: Option<u64>,
    /// And if it was asked on this node: two nodes may have counted alike.
    #[serde(default)]
    pub by: Option<NodeName>,
    /// Say what would be taken back, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// One `drain`, `ready`, `maint` or `weight` that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Counts up over the pair's life.
    pub number: u64,
    /// The node on which it was asked.
    pub by: NodeName,
    /// When.
    pub at: Moment,
    /// By which user id.
    pub uid: u32,
    /// As it would be typed: `drain masters/master2`.
    pub what: String,
}

/// What was, or would be, taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UndoAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// Nothing was changed.
    pub dry_run: bool,
    /// What is taken back.
    pub act: Act,
    /// One for each server whose state it had changed, or one for the node; servers that are no longer configured are left out.
    pub changes: Vec<StateChange>,
    /// One for each server whose weight it had changed.
    pub weights: Vec<WeightChange>,
    /// For a node that goes out of service again: each VIP that it gives away; otherwise empty.
    pub moves: Vec<Move>,
    /// Why it would be forgotten by a restart of the service; `null` when it is saved, and in a dry run.
    #[serde(default)]
    pub unsaved: Option<String>,
    /// What the other nodes made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Elsewhere<Self>>,
}

/// Body of `POST /v1/pin`: no address moves back to a node only because that node ranks higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// For so long, at most a week; 0 ends an earlier pin.
    pub for_ms: u64,
    /// Of every node of the configuration, also of those that are not reached now; otherwise of the one that is asked.
    #[serde(default)]
    pub all_nodes: bool,
}

impl Pin {
    /// A week.
    pub const LONGEST_MS: u64 = 7 * 86_400_000;
}

/// A pin that holds from now on, or is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// As asked.
    pub for_ms: u64,
    /// Why it would be forgotten by a restart of the service; `null` when it is saved.
    #[serde(default)]
    pub unsaved: Option<String>,
    /// What the other nodes made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Elsewhere<Self>>,
}

/// Body of `POST /v1/kill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kill {
    /// As listed by `GET /v1/sessions`.
    pub session: SessionId,
}

/// The connection that was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// As it was at its end.
    pub session: Session,
}

/// Body of `POST /v1/failover`: a planned move of VIPs that this node owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failover {
    /// Which.
    pub vips: VipChoice,
    /// Who takes them; `null`: whichever other node ranks best.
    #[serde(default)]
    pub to: Option<NodeName>,
    /// Say what would move and be cut, and move nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// One VIP by name, or every VIP that this node owns; in JSON its name, or `*`, which no name can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum VipChoice {
    /// Every one that the node owns.
    All,
    /// This one.
    Named(VipName),
}

/// What became, or would become, of each VIP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverAnswer {
    /// The answering node's clock.
    pub now: Moment,
    /// Nothing was moved.
    pub dry_run: bool,
    /// One for each VIP asked for; empty when all were asked for and this node owns none.
    pub moves: Vec<Move>,
    /// Nodes that were asked to move theirs and did not say that they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Elsewhere<Self>>,
}

/// One VIP's planned move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// As in `[vips.NAME]`.
    pub vip: VipName,
    /// Its address.
    pub address: IpAddr,
    /// Who served it when the command came.
    pub from: Owner,
    /// Who serves it now, or would; `null` when that is not known beforehand.
    pub to: Option<NodeName>,
    /// Relays that were cut, or would be.
    pub connections_cut: u64,
    /// How it went.
    pub outcome: MoveOutcome,
}

/// How a planned move went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum MoveOutcome {
    /// A dry run: it would be tried.
    WouldMove,
    /// The other node's first advertisement ended ours.
    Moved {
        /// From the command to that advertisement.
        took_ms: u64,
    },
    /// Nobody answered the resignation by the deadline: this node serves on, the address never left.
    NobodyCame {
        /// How long was waited.
        waited_ms: u64,
    },
    /// It cannot be moved from here: this node does not own it, or nobody could take it.
    Refused {
        /// One sentence, with what to do.
        why: String,
    },
}

impl FromStr for VipChoice {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == ALL_VIPS { Ok(Self::All) } else { text.parse().map(Self::Named) }
    }
}

const ALL_VIPS: &str = "*";

impl fmt::Display for VipChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str(ALL_VIPS),
            Self::Named(vip) => vip.fmt(f),
        }
    }
}

impl TryFrom<String> for VipChoice {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<VipChoice> for String {
    fn from(choice: VipChoice) -> Self {
        choice.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_short_json() {
        let failover: Failover = serde_json::from_str(r#"{"vips":"api","to":"loadbalancer2"}"#).unwrap();
        assert_eq!(failover.vips, VipChoice::Named("api".parse().unwrap()));
        assert!(!failover.dry_run);
        let drain: SetState = serde_json::from_str(r#"{"target":"masters/master2"}"#).unwrap();
        assert_eq!(drain.target.to_string(), "masters/master2");
    }

    #[test]
    fn a_misspelled_field_of_a_command_is_refused() {
        let error = serde_json::from_str::<Failover>(r#"{"vips":"*","dryrun":true}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `dryrun`, expected one of"), "{error}");
    }

    #[test]
    fn an_outcome_is_tagged_by_its_word() {
        let json = serde_json::to_string(&MoveOutcome::Moved { took_ms: 4 }).unwrap();
        assert_eq!(json, r#"{"result":"moved","took_ms":4}"#);
    }
}
