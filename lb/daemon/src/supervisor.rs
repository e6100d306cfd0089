//! The supervisor: spawns the keeper and the proxy, waits, cleans up, restarts; tells systemd. Nothing else.
//!
//! One thread, one poll(2). It ends when it is told to (SIGTERM, SIGINT) or when a role refuses to start at all.
//! A keeper that dies or freezes loses its addresses here, at once; the kernel's lease is the net below.

mod last_will;
mod notify;
mod role;
pub(crate) mod sketch;
mod stand_in;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use fmc_api::Moment;
use fmc_vrrp::realtime;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tracing::{error, info, warn};

use crate::channel;
use crate::exit;
use crate::instance::Instance;
use crate::message::{Begin, FROZEN_AFTER, HEARTBEAT, LATE_TURN, Order, Processes, VipRole, Word};
use crate::privilege::{KEEPER, PROXY};
use crate::runtime_dir::RuntimeDir;
use crate::{node, state_dir, text_file};
use fmc_config::model::Config;
use notify::Systemd;
use role::{End, Role};
use sketch::Sketch;

/// A frozen proxy has lost its VIPs after 150 ms; it loses its relays only after this, in case it thaws.
const PROXY_KILLED_AFTER: Duration = Duration::from_secs(1);

/// Real-time priority, below the keeper's threads.
const SUPERVISOR_PRIORITY: i32 = 2;

/// A keeper that was told to end gives its VIPs away first; it gets this long.
const KEEPER_MAY_LINGER: Duration = Duration::from_secs(2);

/// A proxy that was told to end closes its relays first; it gets this long.
const PROXY_MAY_LINGER: Duration = Duration::from_secs(5);

/// Runs until told to end. The exit code is 0, or that of the role that refused to start.
pub(crate) fn run(begin: Begin, configuration: &str, sketch: Sketch, signals: SignalFd) -> Result<ExitCode> {
    let mut supervisor = Supervisor::prepare(begin, configuration, sketch, signals)?;
    let code = supervisor.watch();
    supervisor.clean_addresses();
    supervisor.runtime.clear();
    Ok(code)
}

struct Supervisor {
    begin: Begin,
    /// The checked configuration, in memory.
    configuration: OwnedFd,
    sketch: Sketch,
    runtime: RuntimeDir,
    admin: UnixListener,
    signals: SignalFd,
    systemd: Systemd,
    keeper: Role,
    proxy: Role,
    /// What the keeper last said of its VIPs.
    roles: Vec<VipRole>,
    started: Moment,
    /// What the proxy was last told of the processes.
    told: Option<Processes>,
    stage: Stage,
    last_turn: Instant,
    _instance: Instance,
}

/// Where the service is in its life.
#[derive(Debug, Clone, Copy)]
enum Stage {
    Running,
    /// The keeper gives the VIPs away, then the proxy ends its relays.
    Ending {
        deadline: Instant,
        code: u8,
    },
}

impl Supervisor {
    fn prepare(begin: Begin, configuration: &str, sketch: Sketch, signals: SignalFd) -> Result<Self> {
        let keeper_user = KEEPER.check()?;
        let proxy_user = PROXY.check()?;
        let runtime = RuntimeDir::lock(&begin.runtime_dir)?;
        let instance = Instance::lock()?;
        // Its judgement of the roles must come in time; without the privilege it forgives itself its lateness.
        let _ = realtime::schedule(SUPERVISOR_PRIORITY);
        runtime.create_leases(&keeper_user)?;
        if let Err(error) = state_dir::create(&begin.state_dir, &proxy_user) {
            // A balancer serves without a memory; its proxy raises the alarm when it cannot write.
            warn!("{error:#}");
        }
        let admin = runtime.bind_admin(proxy_user.gid)?;
        let now = Instant::now();
        Ok(Self {
            keeper: Role::new("keeper", FROZEN_AFTER, now),
            proxy: Role::new("proxy", PROXY_KILLED_AFTER, now),
            signals,
            systemd: Systemd::from_environment(now),
            roles: Vec::new(),
            started: Moment::from(SystemTime::now()),
            told: None,
            stage: Stage::Running,
            last_turn: now,
            begin,
            configuration: text_file::in_memory(configuration)?,
            sketch,
            runtime,
            admin,
            _instance: instance,
        })
    }

    /// Wait, name what happened, act. Returns the exit code.
    fn watch(&mut self) -> ExitCode {
        loop {
            self.wait();
            let now = Instant::now();
            self.forgive_own_lateness(now);
            self.take_signals(now);
            self.take_words(now);
            self.judge(now);
            self.bury(now);
            if let Some(code) = self.advance(now) {
                return code;
            }
            self.tell_proxy();
            self.answer_operators();
            self.systemd.turn(now, self.is_whole(), &self.headline());
        }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let timeout = self.next_deadline(now).saturating_duration_since(now) + Duration::from_millis(1);
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::from(1000_u16));
        let mut descriptors = self.descriptors();
        if let Err(errno) = poll(&mut descriptors, timeout)
            && errno != nix::Error::EINTR
        {
            error!(%errno, "poll");
        }
    }

    fn descriptors(&self) -> Vec<PollFd<'_>> {
        let admin = (!self.proxy.is_ready()).then(|| self.admin.as_fd());
        let roles = [self.keeper.descriptor(), self.proxy.descriptor(), admin];
        let all = std::iter::once(self.signals.as_fd()).chain(roles.into_iter().flatten());
        all.map(|descriptor: BorrowedFd<'_>| PollFd::new(descriptor, PollFlags::POLLIN)).collect()
    }

    fn next_deadline(&self, now: Instant) -> Instant {
        let stage = match self.stage {
            Stage::Running => None,
            Stage::Ending { deadline, .. } => Some(deadline),
        };
        let starts = [self.keeper.start_at, self.proxy.start_at];
        let judgements = [self.keeper.judgement_at(), self.proxy.judgement_at()];
        // Roles that speak wake us each heartbeat; silent ones must not let us sleep longer, or our own lateness looks like theirs.
        let turn = (self.keeper.is_alive() || self.proxy.is_alive()).then_some(now + HEARTBEAT);
        let all = [stage, turn, self.systemd.next_turn()].into_iter().chain(starts).chain(judgements);
        all.flatten().min().unwrap_or(now + Duration::from_secs(1)).max(now)
    }

    fn take_signals(&mut self, now: Instant) {
        while let Ok(Some(info)) = self.signals.read_signal() {
            let signal = i32::try_from(info.ssi_signo).ok().and_then(|number| Signal::try_from(number).ok());
            match (signal, self.stage) {
                (Some(Signal::SIGTERM | Signal::SIGINT), Stage::Running) => self.end(exit::DONE, now),
                (Some(Signal::SIGTERM | Signal::SIGINT), Stage::Ending { .. }) => {
                    warn!("told to end twice: killing the roles");
                    self.keeper.kill();
                    self.proxy.kill();
                }
                _ => {}
            }
        }
    }

    fn take_words(&mut self, now: Instant) {
        for (word, _) in self.keeper.words(now) {
            if let Word::Roles(roles) = word {
                self.roles = roles;
            }
        }
        // The proxy meets clients: what it says is taken for its own next life, and nothing is done by it as root.
        for (word, text) in self.proxy.words(now) {
            if let (Word::Configuration, Some(text)) = (word, text)
                && let Err(error) = self.remember(text)
            {
                error!("a restarted proxy will work by the configuration of before: {error:#}");
            }
        }
    }

    /// What an operator has put in force is what the next proxy works by. A text that does not parse is not remembered.
    fn remember(&mut self, text: OwnedFd) -> Result<()> {
        let text = text_file::text_of(text)?;
        let file = self.begin.config.display().to_string();
        let config = Config::parse(&text, &file).map_err(|errors| anyhow::anyhow!("{}", errors.lines()))?;
        let node = node::identify(&config, self.begin.node.as_deref())?;
        let configuration = text_file::in_memory(&text)?;
        self.sketch = Sketch::new(&config, node, self.begin.config.clone(), self.begin.observe);
        self.configuration = configuration;
        Ok(())
    }

    /// What a role said while we did not run is still in its socket; its silence was ours.
    fn forgive_own_lateness(&mut self, now: Instant) {
        if now.saturating_duration_since(self.last_turn) > LATE_TURN {
            self.keeper.forgive(now);
            self.proxy.forgive(now);
        }
        self.last_turn = now;
    }

    fn judge(&mut self, now: Instant) {
        self.proxy.judge(now);
        self.keeper.judge(now);
        if self.keeper.is_dying() {
            self.release();
        }
    }

    /// Gives away what a keeper held that cannot do so itself: at once, not when the kernel has buried it.
    fn release(&mut self) {
        if !self.roles.is_empty() {
            last_will::execute(&self.roles);
            self.clean_addresses();
            self.roles.clear();
        }
    }

    /// Deals with roles that have ended.
    fn bury(&mut self, now: Instant) {
        if let Some(end) = self.keeper.reap(now) {
            self.release();
            // Again: it may have lived until after the first time.
            self.clean_addresses();
            self.after(end, |supervisor| &mut supervisor.keeper, now);
        }
        if let Some(end) = self.proxy.reap(now) {
            self.after(end, |supervisor| &mut supervisor.proxy, now);
        }
    }

    fn after(&mut self, end: End, role: fn(&mut Self) -> &mut Role, now: Instant) {
        let refused = end.status.code().filter(|code| exit::is_refusal(*code) && !role(self).proven);
        match (self.stage, refused) {
            (Stage::Running, Some(code)) => self.end(u8::try_from(code).unwrap_or(exit::FAILED), now),
            (Stage::Running, None) => role(self).schedule(end, now),
            (Stage::Ending { .. }, _) => {}
        }
    }

    /// Gives the service up in good order: the addresses first, the relays second.
    fn end(&mut self, code: u8, now: Instant) {
        info!("ending: the virtual addresses first, the relays second");
        self.systemd.stopping();
        self.keeper.start_at = None;
        self.proxy.start_at = None;
        self.keeper.tell(&Order::End, None);
        self.stage = Stage::Ending { deadline: now + KEEPER_MAY_LINGER, code };
    }

    /// Starts what is due; while ending, takes the next step. `Some`: all is over.
    fn advance(&mut self, now: Instant) -> Option<ExitCode> {
        match self.stage {
            Stage::Running => self.start_due(now),
            Stage::Ending { deadline, code } if self.keeper.is_alive() => {
                if now >= deadline {
                    self.keeper.kill();
                    self.stage = Stage::Ending { deadline: now + KEEPER_MAY_LINGER, code };
                }
            }
            Stage::Ending { deadline, code } if self.proxy.is_alive() => self.end_proxy(deadline, code, now),
            Stage::Ending { code, .. } => return Some(ExitCode::from(code)),
        }
        None
    }

    fn end_proxy(&mut self, deadline: Instant, code: u8, now: Instant) {
        if self.proxy.start_at.is_none() {
            self.proxy.tell(&Order::End, None);
            // Told once: a start that can never come marks it.
            self.proxy.start_at = Some(now + PROXY_MAY_LINGER);
            self.stage = Stage::Ending { deadline: now + PROXY_MAY_LINGER, code };
        } else if now >= deadline {
            self.proxy.kill();
        }
    }

    fn start_due(&mut self, now: Instant) {
        let due = |role: &Role| role.start_at.is_some_and(|at| at <= now);
        let (keeper, proxy) = (due(&self.keeper), due(&self.proxy));
        for role in [keeper.then_some(&mut self.keeper), proxy.then_some(&mut self.proxy)].into_iter().flatten() {
            if let Err(error) = role.start(&self.begin) {
                error!(role = role.name, "{error:#}");
                role.start_at = Some(now + Duration::from_secs(1));
            }
        }
        if proxy {
            self.proxy.tell(&Order::Admin, Some(self.admin.as_fd()));
            self.proxy.tell(&Order::Configuration, Some(self.configuration.as_fd()));
        }
        if (keeper || proxy) && self.keeper.is_alive() && self.proxy.is_alive() {
            self.introduce();
        }
    }

    /// Gives keeper and proxy a new channel to one another.
    fn introduce(&self) {
        match channel::pair() {
            Ok((keepers, proxys)) => {
                self.keeper.tell(&Order::Partner, Some(keepers.as_fd()));
                self.proxy.tell(&Order::Partner, Some(proxys.as_fd()));
            }
            Err(error) => error!(%error, "no channel between keeper and proxy"),
        }
    }

    /// Keeps the proxy's picture of the processes true.
    fn tell_proxy(&mut self) {
        let processes = self.processes();
        if self.proxy.is_ready() && self.told.as_ref() != Some(&processes) {
            self.proxy.tell(&Order::Processes(processes.clone()), None);
            self.told = Some(processes);
        }
    }

    /// Answers `status` and `failover` while the proxy cannot.
    fn answer_operators(&mut self) {
        if self.proxy.is_ready() {
            return;
        }
        let status = || self.sketch.status(&self.processes(), &self.roles);
        stand_in::answer(&self.admin, status);
    }

    fn processes(&self) -> Processes {
        Processes {
            supervisor_pid: std::process::id(),
            since: self.started.unix_ms(),
            keeper: self.keeper.life(),
            proxy: self.proxy.life(),
        }
    }

    fn clean_addresses(&self) {
        match fmc_vrrp::lease::cleanup(&RuntimeDir::leases(&self.begin.runtime_dir)) {
            Ok(removed) => {
                for address in removed {
                    warn!(%address, "removed a virtual address that its keeper left behind");
                }
            }
            Err(error) => error!(%error, "cannot remove the virtual addresses"),
        }
    }

    fn is_whole(&self) -> bool {
        self.keeper.is_ready() && self.proxy.is_ready()
    }

    fn headline(&self) -> String {
        if self.begin.observe {
            return "observing: owns nothing, serves nobody".to_owned();
        }
        if self.roles.is_empty() {
            return "owns nothing: no keeper".to_owned();
        }
        let words = self.roles.iter().map(|role| format!("{} {}", role.role, role.vip));
        words.collect::<Vec<_>>().join(", ")
    }
}

/// Blocks the signals that [`Supervisor`] reads; to be called before any thread exists that a signal could be given to.
pub(crate) fn block_signals() -> Result<SignalFd> {
    let mut wanted = SigSet::empty();
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD]
        .into_iter()
        .for_each(|signal| wanted.add(signal));
    wanted.thread_block().context("cannot block signals")?;
    SignalFd::with_flags(&wanted, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).context("no signalfd")
}
