//! The admin API: what an operator, a script and the daemon say to each other, as types that both sides share.
//!
//! JSON over HTTP/1.1. Reads answer on TCP and on the unix socket, commands on the unix socket only; between nodes both travel over the
//! pair's channel. The rules that hold everywhere:
//!
//! - a moment is one RFC 3339 string in UTC with milliseconds ([`Moment`]); every answer carries `now`, the answering node's clock,
//!   so "how long ago" is a subtraction that needs no synchronised clocks;
//! - a span of time is a number whose unit ends its field's name (`_ms`);
//! - a choice is a word in kebab-case ([`word`]); an absent fact is `null`, never `""`, `0` or `-1`;
//! - a refusal is a [`Refusal`]: what is wrong, and what to do about it;
//! - both sides say which [`API_VERSION`] they speak, in the header [`API_VERSION_HEADER`].

pub mod backends;
pub mod client;
pub mod command;
pub mod configure;
pub mod events;
pub mod exchange;
pub mod explain;
pub mod failovers;
pub mod history;
pub mod nodes;
pub mod observed;
pub mod pair;
pub mod path;
pub mod probe;
pub mod query;
pub mod rebalance;
pub mod remote;
pub mod sessions;
pub mod status;
pub mod target;
pub mod word;

mod asked;
mod moment;
mod refusal;

pub use asked::Asked;
pub use client::Client;
pub use moment::Moment;
pub use nodes::{Elsewhere, NODES_HEADER, Nodes, Outcome};
pub use refusal::{Refusal, RefusalKind};
pub use target::Target;

/// Version of the shapes in this crate; it changes when an old reader would misread a new answer.
pub const API_VERSION: u32 = 1;

/// Request and response header that carries [`API_VERSION`] in decimal.
pub const API_VERSION_HEADER: &str = "fmc-lb-api";

/// Where the daemon listens unless it is told otherwise.
pub const DEFAULT_SOCKET: &str = "/run/fmc-lb/admin.sock";
