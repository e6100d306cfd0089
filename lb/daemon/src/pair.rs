//! What the nodes share beside their heartbeats: a channel between their control threads.
//!
//! ```text
//! this node                                                 another node
//! watch ── each second: GET /v1/pair ── TLS 1.3 ──▶ listen   its version, health opinions, counters, events, digest of its layer
//!       ── the layers differ: GET /v1/pair/administrative ─▶ merged here ([`crate::administrative`])
//! admin ── a command for all nodes ───── TLS 1.3 ──▶ listen   done there by the same code as here
//! ```
//!
//! The channel is the admin API ([`crate::admin`]) over TLS 1.3 on the TCP port of the number of the heartbeat's UDP port, between nodes
//! that hold the same key: without a key there is none, and each node acts alone. No clock is asked: keys have no dates. Nothing that
//! elects, relays or checks waits for it; a node whose others are gone works by what it has.

pub(crate) mod call;
pub(crate) mod channel;
pub(crate) mod identity;
pub(crate) mod key_file;
pub(crate) mod listen;

pub(crate) mod watch;
