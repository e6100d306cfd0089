//! One service at run time: its settings, its bound and what it has done.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fmc_config::model;
use fmc_config::model::frontend::PortRoute;
use tokio::sync::watch;

use crate::bandwidth::Bandwidths;
use crate::ended_by::EndedBy;
use crate::first_served::{FirstServed, Watch};
use crate::flow::Lost;
use crate::pool::Pool;
use crate::preface::{Hello, Manner};
use crate::quota::Quota;
use crate::rate::{Meter, Micros};
use crate::relays::{Bounds, Way};
use crate::sources::{Admission, Sources};

/// A frontend that is being served. A reload that changes it makes another one of the same name; connections keep the one
/// that they came in by.
#[derive(Debug)]
pub struct Frontend {
    settings: model::frontend::Frontend,
    /// Its own, then one for each route.
    pools: Box<[Arc<Pool>]>,
    life: Arc<Life>,
}

/// What a frontend keeps over all its configurations.
#[derive(Debug)]
struct Life {
    traffic: Traffic,
    quota: Arc<Quota>,
    /// Of `max_per_second`.
    meter: Mutex<Meter>,
    sources: Mutex<Sources>,
    bandwidths: Bandwidths,
    began: Instant,
    first: Watch,
    accepting: watch::Sender<bool>,
}

/// A connection that counts on its source, until dropped.
#[derive(Debug)]
pub(crate) struct OfSource {
    frontend: Arc<Frontend>,
    source: IpAddr,
}

impl Drop for OfSource {
    fn drop(&mut self) {
        let life = &self.frontend.life;
        life.sources().leave(self.source, life.now());
    }
}

impl Life {
    fn now(&self) -> Micros {
        self.began.elapsed().as_micros() as Micros
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a frontend has done since the start.
#[derive(Debug, Default)]
pub struct Traffic {
    pub(crate) accepted: AtomicU64,
    pub(crate) open: AtomicU32,
    pub(crate) to_server: AtomicU64,
    pub(crate) to_client: AtomicU64,
    pub(crate) waits_at_limit: AtomicU64,
    /// To the server, to the client.
    throttled: [AtomicU64; 2],
    hellos: [AtomicU64; Hello::ALL.len()],
    ended: [AtomicU64; EndedBy::ALL.len()],
    lost: [AtomicU64; Lost::ALL.len()],
}

impl Frontend {
    pub(crate) fn new(settings: model::frontend::Frontend, pools: Box<[Arc<Pool>]>) -> Self {
        let quota = Arc::new(Quota::new(settings.max_connections as usize));
        let life = Arc::new(Life {
            traffic: Traffic::default(),
            quota,
            meter: Mutex::default(),
            sources: Mutex::default(),
            bandwidths: Bandwidths::of(&settings),
            began: Instant::now(),
            first: Watch::new(),
            accepting: watch::Sender::new(true),
        });
        Self { settings, pools, life }
    }

    /// The same frontend by a new configuration: it goes on counting where it was.
    pub(crate) fn reconfigured(&self, settings: model::frontend::Frontend, pools: Box<[Arc<Pool>]>) -> Self {
        Self { settings, pools, life: Arc::clone(&self.life) }
    }

    /// From now on this configuration of it bounds its connections.
    pub(crate) fn take_effect(&self) {
        self.life.quota.resize(self.settings.max_connections as usize);
        self.life.bandwidths.change(&self.settings);
    }

    /// What its relays are held to now.
    pub(crate) fn bandwidth(&self) -> Bounds {
        self.life.bandwidths.bounds()
    }

    /// Bounds its connections.
    pub(crate) fn quota(&self) -> &Arc<Quota> {
        &self.life.quota
    }

    /// Takes one of the connections of this second.
    ///
    /// # Errors
    /// How long it is until there is one to take.
    pub(crate) fn take_turn(&self) -> Result<(), Duration> {
        let Some(per_second) = self.settings.max_per_second else { return Ok(()) };
        let mut meter = self.life.meter.lock().unwrap_or_else(PoisonError::into_inner);
        meter.take(per_second, self.life.now()).map_err(Duration::from_micros)
    }

    /// Lets one more connection of `source` in, if it is one that may come and as far as its own bounds go.
    ///
    /// # Errors
    /// What it is refused by.
    pub(crate) fn admit(self: &Arc<Self>, source: IpAddr) -> Result<Option<OfSource>, EndedBy> {
        if !self.allows(source) {
            return Err(EndedBy::RefusedByAllowList);
        }
        self.count(source).map_err(|over| {
            self.say_over(over, source);
            EndedBy::RefusedBySourceLimit
        })
    }

    fn count(self: &Arc<Self>, source: IpAddr) -> Result<Option<OfSource>, Admission> {
        let Some(bounds) = &self.settings.per_source else { return Ok(None) };
        match self.life.sources().admit(source, bounds, self.life.now()) {
            Admission::Counted => Ok(Some(OfSource { frontend: Arc::clone(self), source })),
            Admission::Uncounted => Ok(None),
            over => Err(over),
        }
    }

    /// Its configuration.
    pub fn settings(&self) -> &model::frontend::Frontend {
        &self.settings
    }

    /// Where its connections go that no route takes.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pools[0]
    }

    /// Where its connections go: [`Frontend::pool`] first, then that of each route.
    pub fn pools(&self) -> &[Arc<Pool>] {
        &self.pools
    }

    /// Its counters.
    pub fn traffic(&self) -> &Traffic {
        &self.life.traffic
    }

    /// Watches anew for the first connection and the first byte.
    pub fn watch_first_served(&self) {
        self.life.first.begin();
    }

    /// What was first served since then, or since the start.
    pub fn first_served(&self) -> FirstServed {
        self.life.first.seen()
    }

    pub(crate) fn first(&self) -> &Watch {
        &self.life.first
    }

    /// Where clients connect on this route.
    pub fn vip(&self, route: PortRoute) -> SocketAddr {
        SocketAddr::new(self.settings.address, route.listen.get())
    }

    /// Closes its listening sockets; relays stay. It accepts again only after a new bind.
    pub fn stop_accepting(&self) {
        self.life.accepting.send_replace(false);
    }

    /// True until [`Frontend::stop_accepting`].
    pub fn is_accepting(&self) -> bool {
        *self.life.accepting.borrow()
    }

    /// Ends when the frontend stops accepting.
    pub(crate) fn until_it_stops_accepting(&self) -> impl Future<Output = ()> + use<> {
        let mut accepting = self.life.accepting.subscribe();
        async move {
            // An error says that the frontend is gone, which ends accepting too.
            let _ = accepting.wait_for(|accepting| !accepting).await;
        }
    }

    fn allows(&self, client: IpAddr) -> bool {
        let allow = &self.settings.allow;
        allow.is_empty() || allow.iter().any(|network| network.contains(&client))
    }

    /// One line now and then about each source that is over its bounds; the counter misses nothing.
    fn say_over(&self, over: Admission, source: IpAddr) {
        let frontend = &self.settings.name;
        match over {
            Admission::TooMany { say: true } => {
                tracing::warn!(%source, %frontend, "a source has as many connections as it may: more are reset");
            }
            Admission::TooFast { say: true } => {
                tracing::warn!(%source, %frontend, "a source opens connections faster than it may: more are reset");
            }
            Admission::TooMany { say: false } | Admission::TooFast { say: false } => {}
            Admission::Counted | Admission::Uncounted => {}
        }
    }

    /// What a PROXY header is from `peer`.
    pub(crate) fn manner(&self, peer: IpAddr) -> Manner {
        let trusted = &self.settings.accept_proxy;
        match trusted.iter().any(|network| network.contains(&peer)) {
            true => Manner::Required,
            false if trusted.is_empty() => Manner::Ignored,
            false => Manner::Refused,
        }
    }
}

impl Traffic {
    /// Connections accepted, those refused by the allow list included.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// Bytes written to servers.
    pub fn to_server(&self) -> u64 {
        self.to_server.load(Ordering::Relaxed)
    }

    /// Bytes written to clients.
    pub fn to_client(&self) -> u64 {
        self.to_client.load(Ordering::Relaxed)
    }

    /// Times that new clients had to wait in the listen queue because a limit on connections was reached.
    pub fn waits_at_limit(&self) -> u64 {
        self.waits_at_limit.load(Ordering::Relaxed)
    }

    /// Bytes for servers that waited for a bandwidth limit.
    pub fn throttled_to_server(&self) -> u64 {
        self.throttled[Way::ToServer as usize].load(Ordering::Relaxed)
    }

    /// The same for clients.
    pub fn throttled_to_client(&self) -> u64 {
        self.throttled[Way::ToClient as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count_throttled(&self, way: Way, bytes: usize) {
        self.throttled[way as usize].fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Connections whose first message was looked at for a route, and what it was.
    pub fn hellos(&self, hello: Hello) -> u64 {
        self.hellos[hello as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count_hello(&self, hello: Hello) {
        self.hellos[hello as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Datagrams of clients and servers that went nowhere.
    pub fn lost(&self, lost: Lost) -> u64 {
        self.lost[lost as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn count_lost(&self, lost: Lost) {
        self.lost[lost as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Connections that ended in this way.
    pub fn ended(&self, ended_by: EndedBy) -> u64 {
        self.ended[usize::from(ended_by.code())].load(Ordering::Relaxed)
    }

    pub(crate) fn count_end(&self, ended_by: EndedBy) {
        self.ended[usize::from(ended_by.code())].fetch_add(1, Ordering::Relaxed);
    }
}
