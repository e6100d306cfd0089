//! The proxy's channels to keeper and supervisor, on a thread of their own: heartbeats leave in time whatever the other threads do.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fmc_vrrp::driver::{KeeperSettings, Report};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::channel::{Channel, Received, SendError};
use crate::lifeline::Lifeline;
use crate::message::{FROZEN_AFTER, HEARTBEAT, Order, Processes, ToKeeper, ToProxy, Word};

/// News that wait for the control thread; when it is that far behind, older news are as good as lost and the newest are dropped and counted:
/// snapshots come again, roles are in them.
pub(crate) const NEWS_WAITING: usize = 1024;

/// An orphaned keeper needs one interval and a little to give its VIPs away; at long intervals it gets no more than this.
const KEEPER_MAY_LINGER: Duration = Duration::from_secs(2);

/// An orphaned control thread ends the relays and then the process; it gets this long.
const RELAYS_MAY_END: Duration = Duration::from_secs(2);

/// What the other processes tell the control thread.
#[derive(Debug)]
pub(crate) enum News {
    /// A keeper was introduced and has its settings; it knows nothing of our fitness.
    KeeperMet,
    /// It is gone.
    KeeperGone,
    /// From the election.
    Report(Report),
    /// From the supervisor.
    Processes(Processes),
    /// Finish in good order.
    End,
}

/// Where the control thread speaks to the keeper; cheap to clone, never blocks.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeeperLink(Arc<Mutex<Option<Channel<ToKeeper, ToProxy>>>>);

impl KeeperLink {
    /// Says something to the keeper. `false`: there is none, or it does not read; what matters is said again at the next turn.
    pub(crate) fn tell(&self, message: &ToKeeper) -> bool {
        let partner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match partner.as_ref().map(|partner| partner.send(message)) {
            Some(Ok(())) => true,
            Some(Err(error @ (SendError::Encode(_) | SendError::Kernel(_)))) => {
                warn!(%error, "a message to the keeper was lost");
                false
            }
            Some(Err(SendError::Full | SendError::Closed)) | None => false,
        }
    }

    fn replace(&self, partner: Option<Channel<ToKeeper, ToProxy>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = partner;
    }

    /// A descriptor to poll, if there is a keeper.
    fn descriptor(&self) -> Option<OwnedFd> {
        let partner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        partner.as_ref().and_then(|partner| partner.as_fd().try_clone_to_owned().ok())
    }

    fn receive(&self) -> Received<ToProxy> {
        let partner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        partner.as_ref().map_or(Received::Empty, Channel::receive)
    }
}

/// The thread's state.
pub(crate) struct LinkThread<A> {
    pub(crate) lifeline: Lifeline,
    pub(crate) keeper: KeeperLink,
    pub(crate) settings: Box<KeeperSettings>,
    /// The age of the oldest relay loop's stamp.
    pub(crate) loop_age: A,
    pub(crate) news: mpsc::Sender<News>,
}

impl<A: Fn() -> Duration> LinkThread<A> {
    /// Runs until the supervisor is gone, which ends the process: nobody is left to answer to.
    pub(crate) fn run(mut self, first_partner: OwnedFd) {
        let mut watched = self.meet(first_partner);
        let mut next_heartbeat = Instant::now();
        loop {
            self.wait(watched.as_ref(), next_heartbeat);
            if let Some(partner) = self.read_lifeline() {
                watched = self.meet(partner);
            }
            if self.read_keeper() {
                watched = None;
            }
            let now = Instant::now();
            if now >= next_heartbeat {
                next_heartbeat = now + HEARTBEAT;
                self.say_alive();
            }
        }
    }

    fn wait(&self, keeper: Option<&OwnedFd>, until: Instant) {
        let timeout = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(timeout).unwrap_or(PollTimeout::from(20_u8));
        let keeper = keeper.map(|keeper| PollFd::new(keeper.as_fd(), PollFlags::POLLIN));
        let lifeline = PollFd::new(self.lifeline.as_fd(), PollFlags::POLLIN);
        let mut descriptors: Vec<PollFd<'_>> = std::iter::once(lifeline).chain(keeper).collect();
        let _ = poll(&mut descriptors, timeout);
    }

    fn meet(&mut self, partner: OwnedFd) -> Option<OwnedFd> {
        self.keeper.replace(Some(Channel::over(partner)));
        self.keeper.tell(&ToKeeper::Configure(self.settings.clone()));
        self.say_alive();
        self.tell_control(News::KeeperMet);
        self.keeper.descriptor()
    }

    /// A new partner, if the supervisor sent one.
    fn read_lifeline(&self) -> Option<OwnedFd> {
        let mut partner = None;
        loop {
            match self.lifeline.receive() {
                Received::Message(Order::Partner, socket) => partner = socket.or(partner),
                Received::Message(Order::Processes(processes), _) => self.tell_control(News::Processes(processes)),
                Received::Message(Order::End, _) => self.tell_control(News::End),
                Received::Message(order, _) => debug!(?order, "not for the proxy"),
                Received::Empty => return partner,
                Received::Closed => {
                    self.outlive_supervisor();
                    return partner;
                }
            }
        }
    }

    /// The keeper gives the VIPs away when the supervisor dies; we serve until it has, then end.
    fn outlive_supervisor(&self) {
        warn!("the supervisor is gone: ending once the keeper has given the VIPs away");
        let deadline = Instant::now() + KEEPER_MAY_LINGER;
        while Instant::now() < deadline && !self.read_keeper() {
            self.say_alive();
            std::thread::sleep(HEARTBEAT);
        }
        self.tell_control(News::End);
        std::thread::sleep(RELAYS_MAY_END);
        std::process::exit(i32::from(crate::exit::FAILED));
    }

    /// `true`: the keeper is gone.
    fn read_keeper(&self) -> bool {
        loop {
            match self.keeper.receive() {
                Received::Message(ToProxy::Report(report), _) => self.tell_control(News::Report(report)),
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
        let loop_age = (self.loop_age)();
        self.keeper.tell(&ToKeeper::Alive { loop_age });
        // Silence is how the supervisor learns that a relay loop hangs.
        if loop_age <= FROZEN_AFTER {
            let _ = self.lifeline.send(&Word::Alive);
        }
    }

    fn tell_control(&self, news: News) {
        if self.news.try_send(news).is_err() {
            metrics::counter!("fmc_daemon_news_dropped_total").increment(1);
        }
    }
}
