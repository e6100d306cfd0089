//! A service on a VIP: which ports, for whom, to which backend, with which limits.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use ipnet::IpNet;

use super::bandwidth::Bandwidth;
use super::name::{BackendName, FrontendName, VipName};
use super::route::Route;

/// One service on a VIP, every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frontend {
    /// As typed in `[frontends.NAME]`.
    pub name: FrontendName,
    /// The VIP it listens on.
    pub vip: VipName,
    /// That VIP's address.
    pub address: IpAddr,
    /// What clients speak to it.
    pub protocol: Protocol,
    /// One listener each.
    pub ports: Vec<PortRoute>,
    /// Where its defaults came from.
    pub profile: Profile,
    /// Who may connect; empty: everyone.
    pub allow: Vec<IpNet>,
    /// Proxies whose connections begin with a PROXY header, which says who the client is; nobody else's may. Empty: a header is nothing
    /// special.
    pub accept_proxy: Vec<IpNet>,
    /// What a connection begins with, where that is looked at, is whole by then.
    pub preface_timeout: Duration,
    /// The first one that a connection fits says where it goes.
    pub routes: Vec<Route>,
    /// Where the others go.
    pub backend: BackendName,
    /// Relays alive at once on this frontend; further clients wait in the listen queue.
    pub max_connections: u32,
    /// Connections accepted in a second; further clients wait in the listen queue. `None`: as many as come.
    pub max_per_second: Option<NonZeroU32>,
    /// What one source address may have; `None`: as much as all together.
    pub per_source: Option<PerSource>,
    /// What all its relays together move in each direction; `None`: as much as goes.
    pub bandwidth: Option<Bandwidth>,
    /// What each relay moves in each direction; `None`: as much as goes.
    pub bandwidth_per_connection: Option<Bandwidth>,
    /// A relay with no byte in either direction for this long ends, and a flow with no datagram; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// A relay that is older than about this ends at its first second without a byte, so that it comes back elsewhere; `None`: never.
    pub max_age: Option<Duration>,
    /// A connection that lasts has a log line each time it is this much older; `None`: only the one at its end.
    pub record_every: Option<Duration>,
    /// After one side has closed, this long without a byte in the other direction ends the connection.
    pub half_close_timeout: Duration,
    /// TCP keepalive of both sides.
    pub keepalive: Keepalive,
    /// TCP_USER_TIMEOUT (tcp(7)) towards servers: unacknowledged data older than this ends the connection.
    pub user_timeout: Duration,
    /// The same towards clients. Longer: the kernel counts a closed window as silence too, and a person who pauses the output
    /// of `kubectl logs -f` closes it.
    pub client_user_timeout: Duration,
    /// What a new client gets when no server accepts.
    pub when_no_server: WhenNoServer,
}

impl Frontend {
    /// Every backend that its connections may go to, its own first; one may stand there more than once.
    pub fn backends(&self) -> impl Iterator<Item = &BackendName> {
        std::iter::once(&self.backend).chain(self.routes.iter().map(|route| &route.backend))
    }

    /// True when some of its connections go to `backend`.
    pub fn leads_to(&self, backend: &BackendName) -> bool {
        self.backends().any(|name| name == backend)
    }

    /// True when what a connection begins with is looked at.
    pub fn looks_at_prefaces(&self) -> bool {
        !self.accept_proxy.is_empty() || self.routes.iter().any(Route::is_of_tls)
    }
}

/// What one source address may have of a frontend; more is reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PerSource {
    /// Relays alive at once; `None`: no bound of its own.
    pub max_connections: Option<NonZeroU32>,
    /// Connections in a second, with a second's worth at once; `None`: no bound of its own.
    pub max_per_second: Option<NonZeroU32>,
    /// Networks to which neither applies: a CDN's edges, a router that translates addresses.
    pub exempt: Vec<IpNet>,
}

/// A port that is listened on, and the servers' port it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRoute {
    /// On the VIP.
    pub listen: NonZeroU16,
    /// On the server; `None`: the server's own `address:port`, or else the same as `listen`.
    pub server: Option<NonZeroU16>,
}

/// What a frontend and its servers speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Connections.
    Tcp,
    /// Datagrams. Those of one client address and port are a flow, and go to one server.
    Udp,
}

impl Protocol {
    /// As ss(8) and firewalld write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A named set of defaults; research shows users get these wrong by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// The Kubernetes API: long watches, least connections, reset when no master is live.
    K8sApi,
    /// Traefik on the workers.
    TraefikWeb,
    /// Any TCP service.
    Tcp,
}

/// TCP keepalive (tcp(7)): TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// Silence before the first probe.
    pub idle: Duration,
    /// Between probes.
    pub interval: Duration,
    /// Unanswered probes that end the connection.
    pub count: u32,
}

/// What a new client gets when no server accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenNoServer {
    /// RST at once: clients retry elsewhere or later without hanging (kubelets, kubernetes/kubernetes#99602).
    Reset,
    /// FIN: for clients that treat a reset as an alarm.
    Close,
}
