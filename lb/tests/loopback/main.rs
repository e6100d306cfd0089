//! The data plane through its public API, with real sockets on loopback.

mod accept;
mod choice;
mod dial;
mod ends;
mod harness;
mod relay;
