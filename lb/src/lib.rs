//! The data plane: listeners on the VIPs, the choice of a server, relays.
//!
//! The life of a connection, file by file: `listen` accepts under a permit, [`session`](Session) registers it,
//! `connection` runs it, [`pool`](Pool) gives one consistent [`Snapshot`], [`balance`] chooses, `dial` connects and tries
//! another server on failure, [`proxy_protocol`] tells the server who the client is, `relays` watches the two sockets, `relay` moves the bytes,
//! and [`ended_by`](EndedBy) says in the log line who ended it.
//!
//! Everything that waits runs on one current-thread tokio runtime ([`DataPlane::run`]); other threads use a [`Handle`].

pub mod balance;
pub mod drain;
pub mod metrics;
pub mod proxy_protocol;
pub mod sni;

mod bandwidth;
mod connection;

mod data_plane;
pub use data_plane::{DESCRIPTORS_PER_CONNECTION, DataPlane, Handle, RESERVED_DESCRIPTORS};

mod datagrams;

mod dial;
pub use dial::{DialFailed, Failure, OnDialFailed};

mod durations;
pub use durations::{BOUNDS as CONNECT_BOUNDS, Counted};

mod ended_by;
pub use ended_by::EndedBy;

mod entropy;

mod first_served;
pub use first_served::FirstServed;

mod flow;
pub use flow::Lost;
mod flows;

mod frontend;
pub use frontend::{Frontend, Traffic};

mod layout;
pub use layout::Prepared;

mod listen;
pub use listen::{AcceptError, BindError, Holder, ListenerState, ListenerStatus};

mod pool;
pub use pool::{Administrative, AgentWish, Health, Member, Policy, Pool, PoolStatus, Prospect, ServerStatus, Snapshot};

mod pulse;
pub use pulse::{PULSE_INTERVAL, Pulse, Ticks};

mod preface;
pub use preface::Hello;

mod quota;
mod rate;

mod relay;
mod relays;
mod route;

mod server;
pub use server::{FIRST_SUSPICION, LONGEST_SUSPICION, Server};

mod session;
pub use session::{Phase, Reached, Session};

mod sessions;
pub use sessions::Sessions;

mod socket_options;
mod sources;
mod tcp_info;
mod trouble;
