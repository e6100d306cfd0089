//! The proxy's channels to keeper and supervisor, on a thread of their own: heartbeats leave in time whatever the other threads do.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fmc_vrrp::driver::{Change, KeeperSettings, Report};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use super::control_pulse::ControlPulse;
use super::loop_pulse::LoopPulse;
use crate::channel::{Channel, Received, SendError};
use crate::exit;
use crate::lifeline::Lifeline;
use crate::message::{FROZEN_AFTER, HEARTBEAT, Order, Processes, ToKeeper, ToProxy, Word};

/// News that wait for the control thread; when it is that far behind, older news are as good as lost and the newest are dropped and counted:
/// snapshots come again, roles are in them.
pub(crate) const NEWS_WAITING: usize = 1024;

/// An orphaned keeper needs one interval and a little to give its VIPs away; at long intervals it gets no more than this.
const KEEPER_MAY_LINGER: Duration = Duration::from_secs(2);

/// An orphaned control thread ends the relays and then the process; it gets this long.
const RELAYS_MAY_END: Duration = Duration::from_secs(2);

/// What came from the supervisor that concerns the thread itself.
enum Lifelined {
    Nothing,
    /// A channel to a new keeper.
    Partner(OwnedFd),
    /// The supervisor is gone.
    Orphaned,
}

/// What the other processes tell the control thread.
#[derive(Debug)]
pub(crate) enum News {
    /// A keeper was introduced and has its settings; it knows nothing of our fitness.
    KeeperMet,
    /// It is gone.
    KeeperGone,
    /// From the election.
    Report(Report),
    /// What the keeper says of the settings with this hash.
    Prepared(u64, Result<Change, String>),
    /// From the supervisor.
    Processes(Processes),
    /// Finish in good order.
    End,
}

/// Where the control thread speaks to the keeper; cheap to clone, never blocks.
#[derive(Debug, Clone)]
pub(crate) struct KeeperLink {
    partner: Arc<Mutex<Option<Channel<ToKeeper, ToProxy>>>>,
    /// What every keeper is given at its introduction.
    settings: Arc<Mutex<KeeperSettings>>,
    /// This keeper has not taken them yet.
    unsaid: Arc<AtomicBool>,
}

impl KeeperLink {
    /// To no keeper yet.
    pub(crate) fn new(settings: KeeperSettings) -> Self {
        Self { partner: Arc::default(), settings: Arc::new(Mutex::new(settings)), unsaid: Arc::default() }
    }

    /// What the keeper works by, or will.
    pub(crate) fn settings(&self) -> KeeperSettings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Other settings, for this keeper and those that come after it.
    pub(crate) fn configure(&self, settings: KeeperSettings) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = settings;
        self.say_settings();
    }

    /// Says the settings; what finds a full queue is made up for by [`KeeperLink::make_up`].
    fn say_settings(&self) {
        let said = self.tell(&ToKeeper::Configure(Box::new(self.settings())));
        self.unsaid.store(!said, Ordering::Relaxed);
    }

    /// Says again what a keeper has not taken.
    pub(crate) fn make_up(&self) {
        if self.unsaid.load(Ordering::Relaxed) {
            self.say_settings();
        }
    }

    /// Says something to the keeper. `false`: there is none, or it does not read; what matters is said again at the next turn.
    pub(crate) fn tell(&self, message: &ToKeeper) -> bool {
        let partner = self.partner.lock().unwrap_or_else(PoisonError::into_inner);
        match partner.as_ref().map(|partner| partner.send(message)) {
            Some(Ok(())) => true,
            Some(Err(error @ (SendError::Encode(_) | SendError::Kernel(_)))) => {
                warn!(%error, "a message to the keeper was lost");
                false
            }
            Some(Err(SendError::Full | SendError::Closed)) | None => false,
        }
    }

    /// Whether there was one before.
    fn replace(&self, partner: Option<Channel<ToKeeper, ToProxy>>) -> bool {
        let mut place = self.partner.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *place, partner).is_some()
    }

    /// A descriptor to poll, if there is a keeper.
    fn descriptor(&self) -> Option<OwnedFd> {
        let partner = self.partner.lock().unwrap_or_else(PoisonError::into_inner);
        partner.as_ref().and_then(|partner| partner.as_fd().try_clone_to_owned().ok())
    }

    fn receive(&self) -> Received<ToProxy> {
        let partner = self.partner.lock().unwrap_or_else(PoisonError::into_inner);
        partner.as_ref().map_or(Received::Empty, Channel::receive)
    }
}

/// The thread's state.
pub(crate) struct LinkThread {
    pub(crate) lifeline: Lifeline,
    pub(crate) keeper: KeeperLink,
    pub(crate) relay_loop: Arc<LoopPulse>,
    pub(crate) control: Arc<ControlPulse>,
    pub(crate) news: mpsc::Sender<News>,
    /// The exit code, from whichever thread has ended.
    pub(crate) ended: Receiver<u8>,
}

impl LinkThread {
    /// Runs until another thread has ended, or the supervisor is gone; returns the exit code of the process.
    pub(crate) fn run(mut self) -> u8 {
        let mut watched = None;
        let mut next_heartbeat = Instant::now();
        loop {
            self.wait(watched.as_ref(), next_heartbeat);
            match self.read_lifeline() {
                Lifelined::Nothing => {}
                Lifelined::Partner(partner) => watched = self.meet(partner),
                Lifelined::Orphaned => return self.outlive_supervisor(),
            }
            if self.read_keeper() {
                watched = None;
            }
            if let Ok(code) = self.ended.try_recv() {
                return code;
            }
            let now = Instant::now();
            if now >= next_heartbeat {
                next_heartbeat = now + HEARTBEAT;
                self.say_alive();
            }
        }
    }

    fn wait(&self, keeper: Option<&OwnedFd>, until: Instant) {
        // To the nanosecond: poll(2) counts whole milliseconds, and the last part of one would be spent looking again and again.
        let timeout = TimeSpec::from_duration(until.saturating_duration_since(Instant::now()));
        let keeper = keeper.map(|keeper| PollFd::new(keeper.as_fd(), PollFlags::POLLIN));
        let lifeline = PollFd::new(self.lifeline.as_fd(), PollFlags::POLLIN);
        let mut descriptors: Vec<PollFd<'_>> = std::iter::once(lifeline).chain(keeper).collect();
        let _ = ppoll(&mut descriptors, Some(timeout), None);
    }

    fn meet(&mut self, partner: OwnedFd) -> Option<OwnedFd> {
        if self.keeper.replace(Some(Channel::over(partner))) {
            // Its hang-up may still be unread: what it held is gone.
            self.tell_control(News::KeeperGone);
        }
        self.keeper.say_settings();
        self.say_alive();
        self.tell_control(News::KeeperMet);
        self.keeper.descriptor()
    }

    fn read_lifeline(&self) -> Lifelined {
        let mut heard = Lifelined::Nothing;
        loop {
            match self.lifeline.receive() {
                Received::Message(Order::Partner, Some(socket)) => heard = Lifelined::Partner(socket),
                Received::Message(Order::Processes(processes), _) => self.tell_control(News::Processes(processes)),
                Received::Message(Order::End, _) => self.tell_control(News::End),
                Received::Message(order, _) => debug!(?order, "not for the proxy"),
                Received::Empty => return heard,
                Received::Closed => return Lifelined::Orphaned,
            }
        }
    }

    /// The keeper gives the VIPs away when the supervisor dies; we serve until it has, then end.
    fn outlive_supervisor(&self) -> u8 {
        warn!("the supervisor is gone: ending once the keeper has given the VIPs away");
        let deadline = Instant::now() + KEEPER_MAY_LINGER;
        while Instant::now() < deadline && !self.read_keeper() {
            self.say_alive();
            std::thread::sleep(HEARTBEAT);
        }
        self.tell_control(News::End);
        self.ended.recv_timeout(RELAYS_MAY_END).unwrap_or(exit::FAILED)
    }

    /// `true`: the keeper is gone.
    fn read_keeper(&self) -> bool {
        loop {
            match self.keeper.receive() {
                Received::Message(ToProxy::Report(report), _) => self.tell_control(News::Report(report)),
                Received::Message(ToProxy::Prepared(hash, outcome), _) => {
                    self.tell_control(News::Prepared(hash, outcome));
                }
                Received::Empty => return false,
                Received::Closed => {
                    self.keeper.replace(None);
                    self.tell_control(News::KeeperGone);
                    return true;
                }
            }
        }
    }

    fn say_alive(&self) {
        let loop_age = self.relay_loop.judge();
        self.keeper.tell(&ToKeeper::Alive { loop_age });
        // Silence is how the supervisor learns that a thread of ours hangs.
        if loop_age <= FROZEN_AFTER && self.control.is_alive(Instant::now()) {
            let _ = self.lifeline.send(&Word::Alive);
        }
    }

    fn tell_control(&self, news: News) {
        if self.news.try_send(news).is_err() {
            metrics::counter!("fmc_daemon_news_dropped_total").increment(1);
        }
    }
}
