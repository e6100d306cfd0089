//! The data plane of a configuration: bound at once, run on one loop, steered from other threads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fmc_config::model::Config;
use fmc_config::model::name::BackendName;
use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::connection::Surroundings;
use crate::dial::OnDialFailed;
use crate::ended_by::EndedBy;
use crate::entropy::Entropy;
use crate::frontend::Frontend;
use crate::listen::{BindError, Listener, ListenerRecord, ListenerStatus};
use crate::pool::Pool;
use crate::pulse::{PULSE_INTERVAL, Pulse};
use crate::sessions::{SWEEP_INTERVAL, Sessions};

/// Descriptors kept for everything that is not a relay: listeners, health checks, the admin socket, logs.
const RESERVED_DESCRIPTORS: u64 = 128;

/// Both sockets of a relay.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;

/// How long [`DataPlane::run`] waits for relays that were told to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Every listener, pool and relay of a configuration.
pub struct DataPlane {
    listeners: Vec<Listener>,
    surroundings: Arc<Surroundings>,
    handle: Handle,
}

/// What other threads see and change of a running data plane.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    pools: BTreeMap<BackendName, Arc<Pool>>,
    frontends: Vec<Arc<Frontend>>,
    listeners: Vec<Arc<ListenerRecord>>,
    sessions: Arc<Sessions>,
    pulse: Arc<Pulse>,
    max_connections: usize,
    stop: watch::Sender<Option<EndedBy>>,
}

impl DataPlane {
    /// Builds the pools and binds every listener; nothing is accepted before [`DataPlane::run`]. Needs no runtime.
    ///
    /// # Errors
    /// Every port that cannot be bound, each with the sentence an operator needs; then nothing stays bound.
    pub fn bind(config: &Config, on_dial_failed: OnDialFailed) -> Result<Self, Vec<BindError>> {
        let pools: BTreeMap<_, _> = config.backends.iter().map(|b| (b.name.clone(), Arc::new(Pool::new(b)))).collect();
        let frontends = frontends(config, &pools);
        let listeners = bind_all(&frontends)?;
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let sessions = Arc::new(Sessions::new(Arc::clone(&pulse)));
        let max_connections = affordable(config.limits.max_connections);
        let permits = Arc::new(Semaphore::new(max_connections));
        let entropy = Entropy::from_the_system();
        let surroundings = Arc::new(Surroundings { sessions: Arc::clone(&sessions), permits, on_dial_failed, entropy });
        let records = listeners.iter().map(|l| Arc::clone(l.record())).collect();
        let stop = watch::Sender::new(None);
        let shared = Shared { pools, frontends, listeners: records, sessions, pulse, max_connections, stop };
        Ok(Self { listeners, surroundings, handle: Handle { shared: Arc::new(shared) } })
    }

    /// The handle for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Accepts and relays until [`Handle::shut_down`]; on a current-thread tokio runtime of its own, with time and I/O enabled.
    ///
    /// Tasks: one per listener, one per connection, the pulse, the sweep. Listeners close at shutdown, relays end with the
    /// given reason, and every task is gone when this returns.
    pub async fn run(self) {
        let Self { listeners, surroundings, handle } = self;
        let shared = handle.shared;
        let (mut clocks, mut accepting) = (JoinSet::new(), JoinSet::new());
        clocks.spawn(beat(Arc::clone(&shared.pulse)));
        clocks.spawn(sweep(Arc::clone(&shared.sessions)));
        for listener in listeners {
            accepting.spawn(listener.run(Arc::clone(&surroundings)));
        }
        let reason = shared.until_stopped().await;
        shared.frontends.iter().for_each(|frontend| frontend.stop_accepting());
        while accepting.join_next().await.is_some() {}
        shared.end_relays(reason).await;
        clocks.shutdown().await;
    }
}

impl Handle {
    /// Every pool, by the name of its backend.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.shared.pools.values()
    }

    /// The pool of a backend.
    pub fn pool(&self, backend: &str) -> Option<&Arc<Pool>> {
        self.shared.pools.get(backend)
    }

    /// Every frontend, in the order of the configuration.
    pub fn frontends(&self) -> &[Arc<Frontend>] {
        &self.shared.frontends
    }

    /// The frontend of that name.
    pub fn frontend(&self, name: &str) -> Option<&Arc<Frontend>> {
        self.frontends().iter().find(|f| f.settings().name.as_str() == name)
    }

    /// Every listener: a VIP with one that is not alive is not served.
    pub fn listeners(&self) -> Vec<ListenerStatus> {
        self.shared.listeners.iter().map(|record| record.status()).collect()
    }

    /// The live connections.
    pub fn sessions(&self) -> &Sessions {
        &self.shared.sessions
    }

    /// The heartbeat of the loop.
    pub fn pulse(&self) -> &Pulse {
        &self.shared.pulse
    }

    /// Connections that the process takes at once: the configured limit, or less when descriptors do not suffice.
    pub fn max_connections(&self) -> usize {
        self.shared.max_connections
    }

    /// Closes the listeners, ends every relay with `reason` and lets [`DataPlane::run`] return. The first reason counts.
    pub fn shut_down(&self, reason: EndedBy) {
        self.shared.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(reason);
            first
        });
    }
}

impl Shared {
    async fn until_stopped(&self) -> EndedBy {
        let mut stop = self.stop.subscribe();
        // The sender lives in self, so that it cannot be gone.
        stop.wait_for(Option::is_some).await.ok().and_then(|reason| *reason).unwrap_or(EndedBy::Shutdown)
    }

    async fn end_relays(&self, reason: EndedBy) {
        let deadline = Instant::now() + LAST_WORDS;
        while !self.sessions.is_empty() && Instant::now() < deadline {
            self.sessions.end_all(|_| true, reason);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn frontends(config: &Config, pools: &BTreeMap<BackendName, Arc<Pool>>) -> Vec<Arc<Frontend>> {
    let frontend = |settings: &fmc_config::model::frontend::Frontend| {
        // The configuration is parsed: every frontend names a backend that exists.
        let pool = pools.get(&settings.backend)?;
        Some(Arc::new(Frontend::new(settings.clone(), Arc::clone(pool))))
    };
    config.frontends.iter().filter_map(frontend).collect()
}

fn bind_all(frontends: &[Arc<Frontend>]) -> Result<Vec<Listener>, Vec<BindError>> {
    let routes =
        frontends.iter().flat_map(|frontend| frontend.settings().ports.iter().map(move |route| (frontend, *route)));
    let (mut listeners, mut errors) = (Vec::new(), Vec::new());
    for (frontend, route) in routes {
        match Listener::bind(Arc::clone(frontend), route) {
            Ok(listener) => listeners.push(listener),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(listeners) } else { Err(errors) }
}

/// As many connections as the configuration asks for and the descriptors of this process allow.
///
/// A connection that is accepted and then finds no descriptor for its server is worse than one that waits in the queue.
fn affordable(asked: u32) -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _hard)| soft);
    let possible = (limit.saturating_sub(RESERVED_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION).max(1);
    if possible < u64::from(asked) {
        let needed = u64::from(asked) * DESCRIPTORS_PER_CONNECTION + RESERVED_DESCRIPTORS;
        tracing::warn!(
            asked,
            possible,
            "descriptors do not suffice for max_connections: set LimitNOFILE={needed} or lower it"
        );
    }
    possible.min(u64::from(asked)) as usize
}

async fn beat(pulse: Arc<Pulse>) {
    let mut ticks = interval(PULSE_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        pulse.beat();
    }
}

async fn sweep(sessions: Arc<Sessions>) {
    let mut ticks = interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sessions.sweep(sessions.pulse().now());
    }
}
