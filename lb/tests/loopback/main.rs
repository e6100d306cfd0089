//! The data plane through its public API, with real sockets on loopback.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod accept;
mod adversity;
mod bandwidth;
mod choice;
mod datagrams;
mod dial;
mod ends;
mod families;
mod harness;
mod preface;
mod queue;
mod relay;
mod reload;
mod routes;
mod sources;
