//! The rest of the lab: hypervisor, networks, machines, first boot, firewall, names, time, VPN, storage and K3s from one inventory.
//!
//! ```text
//! inventory   the file as typed; its types are also its schema
//! reading     text -> inventory, every error of form at once                 (rules of one field)
//! lab         the inventory under one address plan and one outside path      (references, values per plan)
//! check       the invariants of a lab                                        (rules of two fields and more)
//! flow        who may reach what
//! ddns        which records of names have to change
//! verify      what must be so as seen from one place, and whether it is
//! render      a lab -> files, byte for byte the same in every run
//! plan        what shall be and what is there -> steps, in their order
//! apply       steps -> commands, by whoever reaches the places
//! ```
//!
//! [`read`] is the entry. Nothing here opens a file, runs a program or holds a secret: secrets are named, never read.

pub mod apply;
pub mod ddns;
pub mod flow;
pub mod inventory;
pub mod kubeconfig;
pub mod lab;
pub mod plan;
pub mod render;
pub mod rule;
pub mod schema;
pub mod verify;

mod check;
mod reading;

use fmc_config::diagnostic::Diagnostics;

pub use reading::{Checked, read};

/// What is wrong with an inventory, or an inventory and what an operator should look at.
pub type Outcome = Result<(Checked, Diagnostics), Diagnostics>;
