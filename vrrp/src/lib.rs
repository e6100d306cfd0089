//! VRRPv3 (RFC 9568), and VRRPv2 where a peer needs it, for a pair that serves: who owns a virtual address, decided by values and performed by a thin driver.
//!
//! **Life of an advertisement.** `socket` receives → [`packet`] decodes; what is wrong is counted and has no effect on any
//! timer → [`router::VirtualRouter`] handles it → its [`router::Action`]s are performed by the `driver` (advertisement first,
//! then the address, then announcements) → one deadline.
//!
//! | sans-IO core | what it knows |
//! |---|---|
//! | [`boot_instant`] | the one clock: nanoseconds since boot |
//! | [`packet`] | the advertisement on the wire and why one is discarded |
//! | [`arp`], [`ndp`] | the frames that announce an address: gratuitous ARP, unsolicited neighbour advertisements |
//! | [`virtual_mac`] | the virtual router MAC address, and the name of its interface |
//! | [`interval`] | Skew_Time and Active_Down_Interval |
//! | [`priority`] | priorities, and the tiers that fitness selects |
//! | [`heartbeat`] | the signed datagram between the nodes of `[nodes]` |
//! | [`announce`] | when the address is announced |
//! | [`router`] | Initialize, Backup, Active, Leaving |
//! | [`observer`] | who owned it when, for somebody who only listens |
//!
//! | what touches the system | what it does |
//! |---|---|
//! | [`clock`] | reads `CLOCK_BOOTTIME` |
//! | [`socket`] | raw VRRP and heartbeat sockets, and those of announcements |
//! | [`kernel`] | addresses and links, by netlink |
//! | [`lease`] | the address thread: install, renew, remove, announce |
//! | [`driver`] | the election thread: waits, hears, decides, performs |
//! | [`realtime`] | the scheduling of the election thread |

pub mod announce;
pub mod arp;
pub mod boot_instant;
pub mod clock;
pub mod driver;
pub mod heartbeat;
pub mod interval;
pub mod kernel;
pub mod lease;
pub mod ndp;
pub mod observer;
pub mod packet;
pub mod priority;
pub mod realtime;
pub mod router;
pub mod socket;
pub mod virtual_mac;

pub use priority::tier;
