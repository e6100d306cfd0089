//! The keeper on a real kernel: network namespaces, veth pairs, packets seen by an independent decoder.
//!
//! These tests make network namespaces, so they need root; without it they fail with the command to run.

#![allow(clippy::unwrap_used, reason = "a test that cannot set the scene fails")]

mod allocation;
mod around;
mod cadence;
mod child;
mod election;
mod groups;
mod ipv6;
mod junk;
mod keeper;
mod lab;
mod lease;
mod links;
mod realtime;
mod refusals;
mod signed;
mod sniffer;
mod unanswered;
mod versions;
mod virtual_mac;
mod wire;
