//! The tasks that probe, and what they tell.
//!
//! One task a server ([`watch`]), spawned on the caller's runtime and owned by the [`Checker`]; a round of probes has one
//! short-lived task for each port, owned by the round. Dropping the checker aborts them all where they stand, which may
//! cut a connection to a server without `close_notify`, once. Nothing is shared between servers but the permits that
//! bound the probes in flight, so one silent server delays no other.

mod agents;
mod target;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fmc_config::model::backend::{Backend, Server};
use fmc_config::model::name::{BackendName, ServerName};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::metrics;
use crate::outcome::{Outcome, Rung};
use crate::step::Step;
use crate::verdict::{Observed, Transition, Verdict};
pub use agents::{AgentSaid, Agents};
use target::Target;
use watch::Watch;

/// Ports asked at the same time, over all servers. A probe holds one or two descriptors and up to some 40 KiB of TLS and
/// HTTP buffers, so this bounds them to 3 MiB; the lab has nine ports. When all are taken, further probes wait and are
/// late, and their timeout starts when they do: no server fails because another is silent.
pub const PROBES_IN_FLIGHT: usize = 64;

/// A sensible capacity for the channel given to [`Checker::start`]: one round of a large lab. When the channel is full,
/// an observation without a transition is dropped and counted (the next probe says the same), and one with a transition
/// makes its server's task wait, so that none is ever lost.
pub const OBSERVATION_DEPTH: usize = 64;

/// Probes every server of a configuration until it is dropped.
#[derive(Debug)]
pub struct Checker {
    /// Every server of every backend, in the order of the configuration.
    servers: Vec<Asked>,
    /// Those that are asked themselves.
    watched: Vec<Watched>,
    /// Held for what its drop does: it aborts them.
    tasks: JoinSet<()>,
    permits: Arc<Semaphore>,
    observations: mpsc::Sender<Observation>,
    handle: Handle,
}

/// A server that is asked by a task of its own, unless no frontend sends clients there. The task ends after this value.
#[derive(Debug)]
struct Watched(Arc<Target>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.retire();
    }
}

/// A server, and who is asked for its verdict.
#[derive(Debug)]
struct Asked {
    backend: BackendName,
    target: Arc<Target>,
    /// The backend tracks the target's.
    follows: bool,
}

/// One round of probes of one server, and what is believed after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The server's backend.
    pub backend: BackendName,
    /// The server.
    pub server: ServerName,
    /// What is believed now.
    pub verdict: Verdict,
    /// Whether that is new.
    pub transition: Option<Transition>,
    /// What the round found.
    pub outcome: Outcome,
    /// Since when nobody is there where clients are sent to: see [`Health::gone_since`](crate::Health::gone_since). `None` also when the check asks
    /// another port or address than clients use, which proves nothing about theirs.
    pub gone_since: Option<Instant>,
    /// When it ended.
    pub at: Instant,
}

/// What is known of one server, for people who ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStatus {
    /// The server's backend.
    pub backend: BackendName,
    /// The server.
    pub server: ServerName,
    /// What is asked, every one of them; empty when no frontend sends clients to it, and then it stays unknown.
    pub addresses: Vec<SocketAddr>,
    /// What is believed.
    pub verdict: Verdict,
    /// Since when.
    pub since: Instant,
    /// Outcomes in a row that contradict the verdict, and how many would change it.
    pub contradicted: (u8, u8),
    /// Changes between healthy and unhealthy since the start.
    pub flaps: u32,
    /// The last outcomes, oldest first.
    pub history: Vec<Observed>,
}

/// A probe that a person asks for; holds nothing of the [`Checker`].
#[derive(Debug)]
pub struct Inspection(Arc<Target>);

/// What such a probe found on one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// What was asked.
    pub address: SocketAddr,
    /// What it found.
    pub outcome: Outcome,
    /// How, step by step.
    pub steps: Vec<Step>,
}

impl Inspection {
    /// Asks every port once, all at the same time. Counts for no verdict and no metric, and waits for none of
    /// [`PROBES_IN_FLIGHT`]: a person asks for few.
    /// Empty: no frontend sends clients there, so that nothing is known to ask.
    pub async fn run(self) -> Vec<Inspected> {
        self.0.inspect().await
    }
}

impl Checker {
    /// Starts to probe every server at once, on the runtime of `handle`. Observations of one server arrive in order; see
    /// [`OBSERVATION_DEPTH`] for what happens when the channel is full. A closed channel ends the tasks.
    ///
    /// Metric handles are taken here, so the recorder must be installed before.
    pub fn start(backends: &[Backend], observations: mpsc::Sender<Observation>, handle: &Handle) -> Self {
        let mut checker = Self {
            servers: Vec::new(),
            watched: Vec::new(),
            tasks: JoinSet::new(),
            permits: Arc::new(Semaphore::new(PROBES_IN_FLIGHT)),
            observations,
            handle: handle.clone(),
        };
        checker.reconfigure(backends);
        checker
    }

    /// Goes over to another configuration. A server whose check stays as it is notices nothing. One that is asked in another
    /// way, or for another backend too, is asked at once and keeps what is believed of it, if it is the same machine.
    pub fn reconfigure(&mut self, backends: &[Backend]) {
        let mut before = std::mem::take(&mut self.watched);
        for backend in backends.iter().filter(|backend| backend.check.track.is_none()) {
            for server in &backend.servers {
                let target = self.target(backends, backend, server);
                let known = before.iter().position(|known| known.0.is_namesake_of(&target));
                let watched = match known.map(|known| before.swap_remove(known)) {
                    Some(known) if known.0.is_asked_like(&target) => known,
                    Some(known) => self.watch(target.inheriting(&known.0)),
                    None => self.watch(target),
                };
                self.watched.push(watched);
            }
        }
        before.iter().for_each(|gone| metrics::forget(&gone.0.backend, &gone.0.server));
        drop(before);
        // Of earlier ones that have ended meanwhile.
        while self.tasks.try_join_next().is_some() {}
        self.servers = backends.iter().flat_map(|backend| asked(backend, &self.watched)).collect();
    }

    fn target(&self, backends: &[Backend], backend: &Backend, server: &Server) -> Target {
        let followers = followers(backends, &backend.name, &server.name);
        Target::new(backend, server, followers, self.permits.clone(), now())
    }

    fn watch(&mut self, target: Target) -> Watched {
        let target = Arc::new(target);
        if !target.addresses.is_empty() {
            let watch = Watch::new(target.clone(), self.observations.clone(), now());
            self.tasks.spawn_on(watch.run(), &self.handle);
        }
        Watched(target)
    }

    /// Asks for a probe of a server now, because a dial to it failed. Cheap enough for every failed dial: requests are
    /// merged, and a server is probed at most once in [`RECHECK_GAP`](crate::RECHECK_GAP). False: no such server.
    pub fn recheck(&self, backend: &BackendName, server: &ServerName) -> bool {
        self.asked(backend, server).inspect(|asked| asked.target.ask_recheck()).is_some()
    }

    /// Takes a server out because its clients fail, until it has been out for `out_for` and its check passes. `said` is the reason. What follows
    /// is for whoever hears of observations: one for each backend that has this server's verdict. Empty: no such server, nothing new, or it
    /// is not asked at all and so would never come back.
    pub fn condemn(
        &self,
        backend: &BackendName,
        server: &ServerName,
        said: String,
        out_for: Duration,
    ) -> Vec<Observation> {
        let Some(asked) = self.asked(backend, server) else { return Vec::new() };
        let (target, at) = (&asked.target, now());
        if target.addresses.is_empty() || !target.is_attended() {
            return Vec::new();
        }
        let outcome = Outcome::of_clients(said);
        let Some(transition) = target.health().condemn(outcome.clone(), at + out_for, at) else { return Vec::new() };
        target.ask_recheck();
        let about = |backend: &BackendName| Observation {
            backend: backend.clone(),
            server: server.clone(),
            verdict: transition.to,
            transition: Some(transition),
            outcome: outcome.clone(),
            gone_since: None,
            at,
        };
        target.followers.iter().chain(std::iter::once(&target.backend)).map(about).collect()
    }

    /// One probe of a server for a person who asks why; to be run by the caller. `None`: no such server.
    pub fn inspect(&self, backend: &BackendName, server: &ServerName) -> Option<Inspection> {
        self.asked(backend, server).map(|asked| Inspection(asked.target.clone()))
    }

    /// Stops probing a server that an operator took out of service; what is believed of it stays. One that others follow is
    /// asked on: they are in service. False: no such server.
    pub fn pause(&self, backend: &BackendName, server: &ServerName) -> bool {
        let asked = self.asked(backend, server);
        let alone = asked.filter(|asked| !asked.follows && asked.target.followers.is_empty());
        alone.inspect(|asked| asked.target.attend(false));
        asked.is_some()
    }

    /// True while its probes are stopped: what is believed of it gets older.
    pub fn is_paused(&self, backend: &BackendName, server: &ServerName) -> bool {
        self.asked(backend, server).is_some_and(|asked| !asked.target.is_attended())
    }

    /// Probes it again, at once. False: no such server.
    pub fn resume(&self, backend: &BackendName, server: &ServerName) -> bool {
        let asked = self.asked(backend, server).inspect(|asked| asked.target.attend(true));
        asked.inspect(|asked| asked.target.ask_recheck()).is_some()
    }

    fn asked(&self, backend: &BackendName, server: &ServerName) -> Option<&Asked> {
        // A scan of a few dozen short names; a failed dial has cost a thousand times that.
        self.servers.iter().find(|asked| asked.target.server == *server && asked.backend == *backend)
    }

    /// Every server, in the order of the configuration.
    pub fn status(&self) -> Vec<ServerStatus> {
        let status = |asked: &Asked| ServerStatus { backend: asked.backend.clone(), ..asked.target.status() };
        self.servers.iter().map(status).collect()
    }
}

impl ServerStatus {
    /// The latest outcome.
    pub fn last(&self) -> Option<&Observed> {
        self.history.last()
    }

    /// The rung of the ladder that answered last.
    pub fn rung(&self) -> Option<Rung> {
        self.last().and_then(|observed| observed.outcome.rung)
    }
}

/// The backends that take the verdict of `server` of `leader`.
fn followers(backends: &[Backend], leader: &BackendName, server: &ServerName) -> Vec<BackendName> {
    let follows = |backend: &&Backend| {
        backend.check.track.as_ref() == Some(leader) && backend.servers.iter().any(|own| own.name == *server)
    };
    backends.iter().filter(follows).map(|backend| backend.name.clone()).collect()
}

/// Who is asked for each server of `backend`.
fn asked(backend: &Backend, watched: &[Watched]) -> Vec<Asked> {
    let (leader, follows) = (backend.check.track.as_ref().unwrap_or(&backend.name), backend.check.track.is_some());
    let is_it = |target: &Target, server: &ServerName| target.server == *server && target.backend == *leader;
    let target =
        |server: &ServerName| watched.iter().map(|Watched(target)| target).find(|target| is_it(target, server));
    let found = backend.servers.iter().filter_map(|server| target(&server.name));
    found.map(|target| Asked { backend: backend.name.clone(), target: target.clone(), follows }).collect()
}

/// The clock of the runtime, which tests may hold.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
