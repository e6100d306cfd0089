//! The datagram between the nodes of `[nodes]`: what each one is, signed when the pair has a key. [core]
//!
//! ```text
//!  0       1       2       3       4       5       6       7
//! +-------+-------+-------+-------+-------+-------+-------+-------+
//! |       magic  "fmc+"           |version| rank  | count | flags |   flags: signed | rank of the receiver << 4
//! +-------+-------+-------+-------+-------+-------+-------+-------+
//! |                     session of the sender                     |   64 random bits per process life
//! |                         sequence                              |   1, 2, 3, ... within the session
//! |                   session that is echoed                      |   the receiver's, 0 = none heard yet
//! |                  sequence that is echoed                      |   the newest heard of it
//! |                     configuration hash                        |
//! |   the receiver's newest signed advertisement that counted     |   0 = none
//! +-------+-------+-------+-------+-------+-------+-------+-------+
//! |  VRID | state | prio  | claim |            address            |   × count; claim: rank asked to take over, 255 = nobody
//! |            source             |                                   state: role | tier << 2 | serving << 4 | IPv6 << 5:
//! +-------------------------------+                                   then both addresses have sixteen octets
//! |            HMAC-SHA256 over all of the above (32)             |   when signed
//! +---------------------------------------------------------------+
//! ```
//!
//! Freshness needs no clock: see [`session`].

pub mod session;

mod codec;

use std::net::IpAddr;

use arrayvec::ArrayVec;
use fmc_config::model::vip::VirtualRouterId;
use serde::{Deserialize, Serialize};

use crate::packet::sequence::Sequence;
use crate::priority::Priority;
use crate::router::role::Role;
use crate::tier::Tier;

/// Virtual routers that one heartbeat can speak of. A node with more does not start: the driver refuses the configuration.
pub const MAX_VIRTUAL_ROUTERS: usize = 64;

/// The longest heartbeat: what fits into one Ethernet frame over either family.
pub const MAX_LEN: usize = 1500 - 40 - 8;

/// How many virtual routers, of these addresses in their order, one heartbeat can speak of.
pub fn room_for(addresses: impl Iterator<Item = IpAddr>) -> usize {
    let length = addresses.scan(codec::HEADER_LEN + codec::TAG_LEN, |length, address| {
        *length += codec::len_of(address);
        Some(*length)
    });
    length.take(MAX_VIRTUAL_ROUTERS).take_while(|length| *length <= MAX_LEN).count()
}

/// Octets before the tag.
fn length(addresses: impl Iterator<Item = IpAddr>) -> usize {
    codec::HEADER_LEN + addresses.map(codec::len_of).sum::<usize>()
}

/// What a node says of one of its virtual routers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerReport {
    /// VRID; zero is refused on decode.
    pub virtual_router_id: u8,
    /// The virtual address, which names the virtual router even where two links share a VRID.
    pub address: IpAddr,
    /// Where its advertisements come from.
    pub source: IpAddr,
    /// What it is.
    pub role: Role,
    /// How fit it is, whether or not it advertises so yet.
    pub tier: Tier,
    /// Whether a proxy answers.
    pub serving: bool,
    /// What it advertises.
    pub priority: Priority,
    /// The rank of the node that is asked to take over at once.
    pub claim: Option<u8>,
}

impl PeerReport {
    /// Whether it speaks of this virtual router.
    pub fn is_of(&self, virtual_router_id: VirtualRouterId, address: IpAddr) -> bool {
        self.virtual_router_id == virtual_router_id.get() && self.address == address
    }
}

/// What an accepted heartbeat says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The sender's place in `[nodes]`.
    pub rank: u8,
    /// Hash of the sender's configuration; different hashes are worth a warning.
    pub config_hash: u64,
    /// The newest of our signed advertisements that counted there. Only a signed heartbeat says it.
    pub accepted: Option<Sequence>,
    /// Its virtual routers.
    pub virtual_routers: ArrayVec<PeerReport, MAX_VIRTUAL_ROUTERS>,
}
