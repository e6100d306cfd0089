//! vrrp

pub mod kernel;
pub mod socket;
