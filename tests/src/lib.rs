//! The lab in network namespaces: machines, servers, balancers, clients, and what may happen to them.
//!
//! | to ... | use |
//! |---|---|
//! | build the lab, unplug a machine | [`lab::Lab`], [`plan::Plan`] |
//! | start both balancers, or all three | [`pair::Pair`], [`trio::Trio`], [`balancer::Balancer`], [`configuration::Configuration`] |
//! | start and break servers | [`server::Server`], [`certificate::Authority`] |
//! | be a client | [`exchange::fetch`], [`load::Load`], [`stream::Streams`] |
//! | know who holds an address, and since when | [`ownership::Ownership`] |
//! | know who said what on the wire | [`capture::Capture`] |
//! | sit before a terminal, show others what was seen | [`screen::Screen`], [`recording::Recording`] |
//! | send junk adverts, flood | [`junk`], [`flood`] |
//! | build the whole lab of an inventory from what is rendered | [`rehearsal::Rehearsal`] |
//! | fill a disk | [`tiny_disk::TinyDisk`] |
//! | run the distribution's HAProxy and Keepalived, FRR, or a router by scapy that may lie | [`peer`], [`frr::Frr`], [`foreign_router`] |
//! | read the code, hold it to its conformance page | [`sources`], [`conformance`] |
//! | wait, and print a figure | [`eventually::eventually`], [`figure::figure`] |
//!
//! This is test code: what cannot be done panics with the reason, and a panic prints what the lab saw.

pub mod balancer;
pub mod binaries;
pub mod browser;
pub mod capture;
pub mod certificate;
pub mod configuration;
pub mod conformance;
mod directory;
pub mod eventually;
pub mod exchange;
pub mod exposition;
pub mod figure;
pub mod flood;
pub mod foreign_router;
pub mod frr;
pub mod junk;
pub mod lab;
pub mod link;
pub mod load;
pub mod namespace;
pub mod openssl;
pub mod ownership;
pub mod pair;
pub mod peer;
pub mod plan;
pub mod poison;
pub mod privilege;
pub mod process;
pub mod recording;
pub mod rehearsal;
pub mod screen;
pub mod server;
pub mod sources;
pub mod stream;
pub mod testbed;
pub mod tiny_disk;
pub mod trio;
