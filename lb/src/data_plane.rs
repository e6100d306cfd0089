//! The data plane of a configuration: bound at once, run on one loop, steered from other threads.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use fmc_config::model::Config;
use fmc_config::model::backend::Backend;
use fmc_config::model::name::BackendName;
use nix::sys::resource::{Resource, getrlimit};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::connection::Surroundings;
use crate::dial::OnDialFailed;
use crate::ended_by::EndedBy;
use crate::entropy::Entropy;
use crate::frontend::Frontend;
use crate::layout::{Layout, Prepared};
use crate::listen::{BindError, Listener, ListenerStatus};
use crate::metrics::Series;
use crate::pool::{Pool, Snapshot};
use crate::pulse::{PULSE_INTERVAL, Pulse, Ticks};
use crate::quota::Quota;
use crate::relay::{MOST_PIPES, PipeCounts};
use crate::relays::Relays;
use crate::sessions::{SWEEP_INTERVAL, Sessions};

/// Descriptors kept for everything that is not a relay: listeners, health checks, the admin socket, logs, and the pipes of bulk.
pub const RESERVED_DESCRIPTORS: u64 = 128 + 2 * MOST_PIPES as u64;

/// Both sockets of a relay.
pub const DESCRIPTORS_PER_CONNECTION: u64 = 2;

/// How long [`DataPlane::run`] waits for relays that were told to end.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Every listener, pool and relay of a configuration, and of those that come after it.
pub struct DataPlane {
    /// Listeners that a reload has bound.
    bound: mpsc::UnboundedReceiver<Listener>,
    on_dial_failed: OnDialFailed,
    entropy: Entropy,
    handle: Handle,
}

/// What other threads see and change of a running data plane.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    /// Otherwise frontends have no listener.
    listens: bool,
    layout: ArcSwap<Layout>,
    sessions: Arc<Sessions>,
    pulse: Arc<Pulse>,
    quota: Arc<Quota>,
    pipes: Arc<PipeCounts>,
    bound: mpsc::UnboundedSender<Listener>,
    stop: watch::Sender<Option<EndedBy>>,
}

impl DataPlane {
    /// Builds the pools and binds every listener; nothing is accepted before [`DataPlane::run`]. Needs no runtime.
    ///
    /// # Errors
    /// Every port that cannot be bound, each with the sentence an operator needs; then nothing stays bound.
    pub fn bind(config: &Config, on_dial_failed: OnDialFailed) -> Result<Self, Vec<BindError>> {
        Self::of(config, on_dial_failed, true)
    }

    /// The same without any listener, now and after reloads: for an observer beside whoever serves.
    pub fn without_listeners(config: &Config, on_dial_failed: OnDialFailed) -> Self {
        let nothing_to_bind = Self::of(config, on_dial_failed, false);
        nothing_to_bind.unwrap_or_else(|errors| panic!("nothing is bound, so nothing is refused: {errors:?}"))
    }

    fn of(config: &Config, on_dial_failed: OnDialFailed, listens: bool) -> Result<Self, Vec<BindError>> {
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let sessions = Arc::new(Sessions::new(Arc::clone(&pulse)));
        let quota = Arc::new(Quota::new(0));
        let (entropy, stop) = (Entropy::from_the_system(), watch::Sender::new(None));
        let (send_bound, bound) = mpsc::unbounded_channel();
        let (layout, pipes) = (ArcSwap::default(), Arc::default());
        let shared = Shared { listens, layout, sessions, pulse, quota, pipes, bound: send_bound, stop };
        let handle = Handle { shared: Arc::new(shared) };
        handle.commit(handle.prepare(config)?, |_, _| ());
        Ok(Self { bound, on_dial_failed, entropy, handle })
    }

    /// The handle for other threads.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Accepts and relays until [`Handle::shut_down`]; on a current-thread tokio runtime of its own, with time and I/O enabled.
    ///
    /// Tasks: one per listener, one per connection until its server has accepted, one for all relays, the pulse, the sweep. Listeners close at shutdown, relays end with the
    /// given reason, and every task is gone when this returns.
    ///
    /// # Panics
    /// When the relays or a clock can no longer be served: the process is of no use then, and whoever runs it starts another.
    pub async fn run(self) {
        let Self { mut bound, on_dial_failed, entropy, handle } = self;
        let shared = handle.shared;
        let surroundings = Arc::new(shared.surroundings(on_dial_failed, entropy));
        let (mut clocks, mut accepting) = (JoinSet::new(), JoinSet::new());
        clocks.spawn(beat(Arc::clone(&shared.pulse)));
        clocks.spawn(sweep(Arc::clone(&surroundings)));
        clocks.spawn(relay(Arc::clone(&surroundings)));
        let mut stopped = pin!(shared.until_stopped());
        let reason = loop {
            tokio::select! {
                biased;
                reason = &mut stopped => break reason,
                // The sender lives in shared.
                Some(listener) = bound.recv() => {
                    accepting.spawn(listener.run(Arc::clone(&surroundings)));
                }
                Some(_closed) = accepting.join_next() => {}
                Some(ended) = clocks.join_next() => panic!("the relay loop cannot go on: {ended:?}"),
            }
        };
        shared.layout.load().frontends.iter().for_each(|frontend| frontend.stop_accepting());
        while accepting.join_next().await.is_some() {}
        shared.end_relays(reason).await;
        clocks.shutdown().await;
    }
}

impl Handle {
    /// Makes and binds what `config` has more than what is served, and changes nothing. One at a time: what is prepared is for
    /// the present state.
    ///
    /// # Errors
    /// Every port that cannot be bound, each with the sentence an operator needs; then nothing new stays bound.
    pub fn prepare(&self, config: &Config) -> Result<Prepared, Vec<BindError>> {
        self.shared.layout.load().prepare(config, self.shared.listens)
    }

    /// Serves what was prepared, from now on and without a gap: listeners that stay keep their sockets and queues, servers that
    /// stay keep their health and counters, connections keep everything. Cannot fail.
    ///
    /// `adjust` adds to each backend what is asked of its servers at run time, before any connection sees it.
    pub fn commit(&self, prepared: Prepared, adjust: impl Fn(&BackendName, &mut Snapshot)) {
        self.shared.quota.resize(affordable(prepared.max_connections));
        let before = self.shared.layout.load_full();
        let series = Series::of(&before);
        let (next, bound) = prepared.replace(&before, adjust);
        series.forget_all_but(&Series::of(&next));
        self.shared.layout.store(next);
        for listener in bound {
            // Refused only when the data plane has ended, and with it the listener.
            let _ = self.shared.bound.send(listener);
        }
    }

    /// Gives the pools of `backends` other servers, and touches nothing else: no listener, no frontend. Cannot fail. `adjust` as in
    /// [`Handle::commit`].
    pub fn change_servers(&self, backends: &[Backend], adjust: impl Fn(&BackendName, &mut Snapshot)) {
        let layout = self.shared.layout.load_full();
        let series = Series::of(&layout);
        for (backend, pool) in backends.iter().filter_map(|backend| Some((backend, layout.pools.get(&backend.name)?))) {
            pool.reconfigure(backend, |snapshot| adjust(&backend.name, snapshot));
        }
        series.forget_all_but(&Series::of(&layout));
    }

    /// Every pool, by the name of its backend.
    pub fn pools(&self) -> Vec<Arc<Pool>> {
        self.shared.layout.load().pools.values().cloned().collect()
    }

    /// The pool of a backend.
    pub fn pool(&self, backend: &str) -> Option<Arc<Pool>> {
        self.shared.layout.load().pools.get(backend).cloned()
    }

    /// Every frontend, in the order of the configuration.
    pub fn frontends(&self) -> Vec<Arc<Frontend>> {
        self.shared.layout.load().frontends.clone()
    }

    /// The frontend of that name.
    pub fn frontend(&self, name: &str) -> Option<Arc<Frontend>> {
        self.shared.layout.load().frontends.iter().find(|f| f.settings().name.as_str() == name).cloned()
    }

    /// Every listener: a VIP with one that is not alive is not served.
    pub fn listeners(&self) -> Vec<ListenerStatus> {
        self.shared.layout.load().listeners.iter().map(|record| record.status()).collect()
    }

    /// The live connections.
    pub fn sessions(&self) -> &Sessions {
        &self.shared.sessions
    }

    /// The heartbeat of the loop.
    pub fn pulse(&self) -> &Pulse {
        &self.shared.pulse
    }

    /// The pipes that bulk goes through.
    pub(crate) fn pipes(&self) -> &PipeCounts {
        &self.shared.pipes
    }

    /// Connections that the process takes at once: the configured limit, or less when descriptors do not suffice.
    pub fn max_connections(&self) -> usize {
        self.shared.quota.most()
    }

    /// Lets nobody new in, or again as many as may; those who wait do so in the listen queues.
    pub fn hold_newcomers(&self, held: bool) {
        self.shared.quota.hold(held);
    }

    /// Ends up to `most` relays that hold bytes which their receiver has not taken for `stuck_for`, those first that wait longest: each
    /// gives back what both of its sockets hold. Says how many. Idle relays hold nothing and are never among them.
    pub fn shed(&self, stuck_for: Duration, most: usize) -> usize {
        let now = self.shared.pulse.precise_now();
        let is_stuck = |since: Ticks| now.since(since) >= stuck_for;
        let mut stuck = self.shared.sessions.list(|session| session.stuck_since().is_some_and(is_stuck));
        stuck.sort_by_key(|session| session.stuck_since().map(|since| since.0));
        stuck.iter().take(most).filter(|session| session.end(EndedBy::MemoryShort)).count()
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
    fn surroundings(&self, on_dial_failed: OnDialFailed, entropy: Entropy) -> Surroundings {
        let (sessions, quota) = (Arc::clone(&self.sessions), Arc::clone(&self.quota));
        let relays = Relays::new(Arc::clone(&self.pipes));
        let relays = relays.unwrap_or_else(|error| panic!("no epoll instance for the relays: {error}"));
        Surroundings { sessions, quota, on_dial_failed, entropy, relays }
    }

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

async fn relay(surroundings: Arc<Surroundings>) {
    let error = surroundings.relays.run(&surroundings).await;
    tracing::error!(%error, "the epoll instance of the relays is dead");
}

async fn sweep(surroundings: Arc<Surroundings>) {
    let Surroundings { sessions, relays, .. } = &*surroundings;
    let (mut ticks, mut last) = (interval(SWEEP_INTERVAL), Instant::now());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sessions.sweep(sessions.pulse().now());
        let now = Instant::now();
        relays.record(now, now - last);
        last = now;
    }
}
