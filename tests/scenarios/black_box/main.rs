//! One node against routers of another make, which scapy plays and reads: the cases that other implementations of VRRP are tested by
//! (`vrrp/black_box.toml`), over IPv4 and IPv6 at once.

mod around;
mod junk;
mod roles;
mod scene;
